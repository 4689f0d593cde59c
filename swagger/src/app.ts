import { Router, type RequestHandler } from 'express'
import { constant, docsRouter, onlyRead } from '@shop/platform/docs'
import { httpApp, type App } from '@shop/platform/http'
import type { makeLog } from '@shop/platform/logging'
import { operationsOf } from '@shop/platform/operations'
import { PICKER, type Documents } from './documents'
import { PAGES_STYLE, problemIndex, problemPage } from './problem-pages'

/** The documents, Swagger UI over all of them, and a page for every problem code. */
export function swaggerApp({ documents, log }: { documents: Documents; log: ReturnType<typeof makeLog> }): App {
  const router = Router({ strict: true, caseSensitive: true })
  const serve = (path: string, ...handlers: RequestHandler[]) =>
    router
      .route(path)
      .get(...handlers)
      .all(onlyRead)

  const operations = operationsOf({ service: 'swagger', checks: [] }) // what is served was read before the first request
  router.use(operations.router)
  serve('/', (_request, response) => response.redirect('/docs/'))
  router.use(docsRouter(PICKER.map(({ name, url }) => ({ name, url }))))
  for (const [path, text] of documents.texts) serve(path, constant('application/json', text))
  serve('/problems/', ...problemIndex(documents.problems))
  serve('/problems/pages.css', constant('text/css', PAGES_STYLE))
  for (const [code, meaning] of documents.problems) serve(`/problems/${code}`, ...problemPage(code, meaning))

  return httpApp({
    routes: [],
    deps: {},
    problems: {},
    authenticate: () => Promise.resolve(undefined), // everything here is public
    log,
    operations: { ...operations, router },
  })
}
