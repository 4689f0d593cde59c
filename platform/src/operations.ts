import { Router } from 'express'
import type pg from 'pg'
import { Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'
import type { DatabaseClock } from './clock'
import { docsRouter } from './docs'
import type { KeySource } from './keys'
import type { Observe } from './logging'
import { pendingMigrations } from './migrations'
import type { OpenApiDocument } from './openapi'

/** A condition of readiness: what is missing, or undefined when it holds. */
export type ReadinessCheck = { name: string; missing: () => Promise<string | undefined> }

/** The database answers, and has every migration that this build brings along. */
export const databaseReady = (pool: pg.Pool, schema: string, migrations: string): ReadinessCheck => ({
  name: 'database',
  missing: async () => {
    const pending = await pendingMigrations(pool, schema, migrations)
    return pending.length > 0 ? `migrations not applied: ${pending.join(', ')}` : undefined
  },
})

/** There is a key set to verify tokens with. */
export const keysReady = (keys: KeySource): ReadinessCheck => ({
  name: 'keys',
  missing: () => Promise.resolve(keys.ready() ? undefined : 'no key set yet'),
})

/** There is a time to go by. */
export const clockReady = (clock: Pick<DatabaseClock, 'ready'>): ReadinessCheck => ({
  name: 'clock',
  missing: () => Promise.resolve(clock.ready() ? undefined : 'not seen yet'),
})

export type Operations = { router: Router; observe: Observe }

/** What operators ask a service on its own port; Nginx lets none of it through. */
export function operationsOf(options: {
  service: string
  checks: readonly ReadinessCheck[]
  document?: OpenApiDocument
  pool?: pg.Pool
}): Operations {
  const router = Router({ strict: true, caseSensitive: true })
  const metrics = new Registry()
  router.get('/livez', (_request, response) => response.json({ status: 'alive' }))
  router.get('/readyz', async (_request, response) => {
    const missing = await Promise.all(
      options.checks.map(
        async ({ name, missing }) => [name, await missing().catch((error: Error) => error.message)] as const,
      ),
    )
    const failed = missing.filter(([, reason]) => reason !== undefined)
    response
      .status(failed.length === 0 ? 200 : 503)
      .set('Cache-Control', 'no-store')
      .json({
        status: failed.length === 0 ? 'ready' : 'not ready',
        ...(failed.length > 0 && { missing: Object.fromEntries(failed) }),
      })
  })

  metrics.setDefaultLabels({ service: options.service })
  collectDefaultMetrics({ register: metrics })
  if (options.pool) measurePool(metrics, options.pool)
  router.get('/metrics', async (_request, response) => {
    response.set('Content-Type', metrics.contentType).send(await metrics.metrics())
  })

  const { document } = options
  if (document) {
    router.get('/openapi.json', (_request, response) => response.json(document))
    router.use(docsRouter([{ name: options.service, url: '/openapi.json' }]))
  }
  return { router, observe: durations(metrics) }
}

function durations(register: Registry): Observe {
  const duration = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time from the request to the end of its answer.',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [register],
  })
  return ({ method = '', facts }, status, seconds) =>
    duration.observe({ method, route: facts?.route ?? 'none', status }, seconds)
}

function measurePool(register: Registry, pool: pg.Pool): void {
  const states = { total: () => pool.totalCount, idle: () => pool.idleCount, waiting: () => pool.waitingCount }
  new Gauge({
    name: 'postgres_pool_clients',
    help: 'Connections of the pool, and callers waiting for one.',
    labelNames: ['state'],
    registers: [register],
    collect() {
      for (const [state, count] of Object.entries(states)) this.set({ state }, count())
    },
  })
}
