import type pg from 'pg'
import type { Logger } from '@shop/platform/logging'
import type { Authenticate } from '@shop/platform/authentication'
import { httpApp, type App } from '@shop/platform/http'
import type { Operations } from '@shop/platform/operations'
import { PROBLEMS } from './problems'
import { routes } from './routes'

/** The products service on a database. */
export function productsApp(options: {
  pool: pg.Pool
  /** ISO 4217, of all prices. */
  currency: string
  authenticate: Authenticate
  idempotencySecret: string
  log: Logger
  operations?: Operations
}): App {
  const { pool, currency, ...http } = options
  return httpApp({ ...http, routes, problems: PROBLEMS, deps: { pool, currency } })
}
