import path from 'node:path'
import { bearerAuthentication } from '@shop/platform/authentication'
import {
  Currency,
  Port,
  databaseConfig,
  flag,
  loadConfig,
  secret,
  serviceConfig,
  verifierConfig,
} from '@shop/platform/config'
import { sweepExpiredKeys } from '@shop/platform/idempotency'
import { remoteKeys } from '@shop/platform/keys'
import { makeLog } from '@shop/platform/logging'
import { databaseReady, keysReady, operationsOf, type ReadinessCheck } from '@shop/platform/operations'
import { untilDone } from '@shop/platform/periodic'
import { openPool } from '@shop/platform/postgres'
import { runService } from '@shop/platform/server'
import { productsApp } from './app'
import { SESSION_SETTINGS } from './catalogue'
import { loadDemoData } from './demo-data'
import { document } from './document'

const config = loadConfig(
  {
    ...serviceConfig,
    ...databaseConfig,
    ...verifierConfig,
    PORT: Port.default(8002),
    CURRENCY: Currency,
    IDEMPOTENCY_SECRET: secret('development-only-idempotency-secret'),
    DEMO_DATA: flag,
  },
  process.env,
)
const log = makeLog('products', config.LOG_LEVEL)
const pool = openPool({
  connectionString: config.DATABASE_URL,
  max: config.DATABASE_POOL_SIZE,
  applicationName: 'products',
  onError: (error) => log.warn({ err: error }, 'postgres connection lost'),
  settings: SESSION_SETTINGS,
})
const keys = remoteKeys({ url: config.JWKS_URL, log })
// Postgres may be away at first, or not migrated yet.
const demo = config.DEMO_DATA
  ? untilDone({ everyMs: 1_000, log, name: 'demo products' }, () => loadDemoData(pool))
  : undefined
const demoReady: ReadinessCheck = {
  name: 'demo products',
  missing: () => Promise.resolve(!demo || demo.done() ? undefined : 'not loaded yet'),
}
const sweep = sweepExpiredKeys({ pool, schema: 'products', log })

const app = productsApp({
  pool,
  currency: config.CURRENCY,
  authenticate: bearerAuthentication({ keys, issuer: config.JWT_ISSUER, audience: config.JWT_AUDIENCE }),
  idempotencySecret: config.IDEMPOTENCY_SECRET,
  log,
  operations: operationsOf({
    service: 'products',
    document,
    pool,
    checks: [databaseReady(pool, 'products', path.join(__dirname, '../prisma/migrations')), keysReady(keys), demoReady],
  }),
})

void runService({
  app,
  config,
  log,
  tasks: [demo, sweep],
  stop: async () => {
    keys.stop()
    await pool.end()
  },
})
