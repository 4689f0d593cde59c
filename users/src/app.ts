import { bearerAuthentication } from '@shop/platform/authentication'
import { httpApp, type App } from '@shop/platform/http'
import { localKeys } from '@shop/platform/keys'
import type { Logger } from '@shop/platform/logging'
import type { Operations } from '@shop/platform/operations'
import { PROBLEMS } from './problems'
import { routes, type Deps } from './routes'

/** The service's HTTP application; it verifies with the keys that it signs with. */
export const usersApp = (
  options: Deps & { issuer: string; audience: string; log: Logger; operations?: Operations },
): App => {
  const { issuer, audience, log, operations, ...deps } = options
  return httpApp({
    routes,
    deps,
    problems: PROBLEMS,
    authenticate: bearerAuthentication({ keys: localKeys(deps.tokens.publicKeys), issuer, audience }),
    log,
    ...(operations && { operations }),
  })
}
