import path from 'node:path'
import { uuidv7 } from 'uuidv7'
import { z } from 'zod'
import { bearerAuthentication } from '@shop/platform/authentication'
import { Port, databaseConfig, loadConfig, secret, serviceConfig, verifierConfig } from '@shop/platform/config'
import { sweepExpiredKeys } from '@shop/platform/idempotency'
import { remoteKeys } from '@shop/platform/keys'
import { makeLog } from '@shop/platform/logging'
import { databaseReady, keysReady, operationsRouter } from '@shop/platform/operations'
import { openPool } from '@shop/platform/postgres'
import { runService } from '@shop/platform/server'
import { batchingOrderStore } from './adapters/postgres/batching-order-store'
import { postgresOrderStore } from './adapters/postgres/order-store'
import { ordersApp } from './app'
import { document } from './document'

const config = loadConfig(
  {
    ...serviceConfig,
    ...databaseConfig,
    ...verifierConfig,
    PORT: Port.default(8003),
    CURRENCY: z
      .string()
      .regex(/^[A-Z]{3}$/)
      .default('USD'),
    ORDER_PLACEMENT: z.enum(['batching', 'plain']).default('batching'),
    IDEMPOTENCY_SECRET: secret('development-only-idempotency-secret'),
  },
  process.env,
)
const log = makeLog('orders', config.LOG_LEVEL)
const pool = openPool({
  connectionString: config.DATABASE_URL,
  max: config.DATABASE_POOL_SIZE,
  applicationName: 'orders',
  onError: (error) => log.warn({ err: error }, 'postgres connection lost'),
})
const keys = remoteKeys({ url: config.JWKS_URL, log })
const sweep = sweepExpiredKeys({ pool, schema: 'orders', log })

const app = ordersApp({
  orders: config.ORDER_PLACEMENT === 'batching' ? batchingOrderStore(pool) : postgresOrderStore(pool),
  now: () => new Date(),
  newId: uuidv7,
  currency: config.CURRENCY,
  authenticate: bearerAuthentication({ keys, issuer: config.JWT_ISSUER, audience: config.JWT_AUDIENCE }),
  idempotencySecret: config.IDEMPOTENCY_SECRET,
  log,
  operations: operationsRouter({
    service: 'orders',
    document,
    pool,
    checks: [databaseReady(pool, 'orders', path.join(__dirname, '../prisma/migrations')), keysReady(keys)],
  }),
})

void runService({
  app,
  config,
  log,
  stop: async () => {
    keys.stop()
    await sweep.stop()
    await pool.end()
  },
})
