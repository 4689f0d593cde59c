import { httpApp, type App } from '@shop/platform/http'
import type { Logger } from '@shop/platform/logging'
import { openApiDocument } from '@shop/platform/openapi'
import { operationsOf } from '@shop/platform/operations'
import type { Books } from './books'
import { faultRoutes, openFaults } from './faults'
import { PROBLEMS } from './problems'
import { routes } from './routes'

export const documentOf = ({ withFaults }: { withFaults: boolean }) =>
  openApiDocument({
    title: 'Payment gateway, simulated',
    description:
      'Stands in for a payment provider: charges test cards by rule, keeps its own books, and makes trouble when told to.',
    tags: [
      { name: 'payments', description: 'Charge, settle, refund, each once a payment id.' },
      ...(withFaults ? [{ name: 'faults', description: 'Trouble on demand; not there in production.' }] : []),
    ],
    routes: withFaults ? [...routes, ...faultRoutes] : routes,
    problems: PROBLEMS,
  })

/** The gateway over its books; with `withFaults` they have trouble on demand. */
export function gatewayApp(options: { books: Books; now: () => Date; log: Logger; withFaults: boolean }): App {
  const { books, withFaults, now, ...http } = options
  const shared = {
    ...http,
    problems: PROBLEMS,
    authenticate: () => Promise.resolve(undefined), // nobody has an account here
    operations: operationsOf({ service: 'gateway', checks: [], document: documentOf(options) }), // the books were read before
  }
  if (!withFaults) return httpApp({ ...shared, routes, deps: { books, now } })
  const faults = openFaults()
  const deps = { books: faults.trouble(books), now, faults }
  return faults.within(httpApp({ ...shared, routes: [...routes, ...faultRoutes], deps }))
}
