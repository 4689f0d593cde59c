import path from 'node:path'
import { z } from 'zod'
import { bearerAuthentication } from '@shop/platform/authentication'
import { databaseClock } from '@shop/platform/clock'
import {
  Currency,
  Port,
  databaseConfig,
  flag,
  loadConfig,
  neighbour,
  secret,
  serviceConfig,
  verifierConfig,
} from '@shop/platform/config'
import { sweepExpiredKeys } from '@shop/platform/idempotency'
import { remoteKeys } from '@shop/platform/keys'
import { makeLog } from '@shop/platform/logging'
import { clockReady, databaseReady, keysReady, operationsOf } from '@shop/platform/operations'
import { periodically, untilDone } from '@shop/platform/periodic'
import { openPool } from '@shop/platform/postgres'
import { runService } from '@shop/platform/server'
import { batchingOrderStore } from './adapters/postgres/batching-order-store'
import { postgresCartStore } from './adapters/postgres/cart-store'
import { idAt } from './adapters/postgres/ids'
import { SESSION_SETTINGS, postgresOrderStore } from './adapters/postgres/order-store'
import { EXAMPLE } from './adapters/http/schemas'
import { httpPaymentGateway } from './adapters/http-client/payment-gateway'
import { ordersApp, useCasesOf } from './app'
import { makePlaceDemoOrder } from './application/place-demo-order'
import { document } from './document'

const config = loadConfig(
  {
    ...serviceConfig,
    ...databaseConfig,
    ...verifierConfig,
    PORT: Port.default(8003),
    DEMO_DATA: flag,
    CURRENCY: Currency,
    ORDER_PLACEMENT: z.enum(['batching', 'plain']).default('batching'),
    ORDER_HOLD_MINUTES: z.coerce.number().int().min(0).max(525_600).default(30),
    GATEWAY_URL: neighbour('http://127.0.0.1:8005'),
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
  settings: SESSION_SETTINGS,
})
const keys = remoteKeys({ url: config.JWKS_URL, log })
const clock = databaseClock({ pool, log })

const wiring = {
  orders: config.ORDER_PLACEMENT === 'batching' ? batchingOrderStore(pool) : postgresOrderStore(pool),
  carts: postgresCartStore(pool),
  gateway: httpPaymentGateway({ url: config.GATEWAY_URL }),
  now: clock.now,
  newId: idAt,
  currency: config.CURRENCY,
  holdMinutes: config.ORDER_HOLD_MINUTES,
  reportLeftOver: ({ orderId, error }: { orderId: string; error: unknown }) =>
    log.error({ err: error, orderId }, 'left to the next sweep'),
}
const { called, expireOrders, settleOpenPayments, giveOpenRefunds } = useCasesOf(wiring)
const every = { everyMs: 5_000, log }
const sweeps = [
  sweepExpiredKeys({ pool, schema: 'orders', log }),
  periodically({ ...every, name: 'cancel orders that were not paid in time' }, async (stopping) => {
    const expired = await expireOrders(stopping)
    if (expired > 0) log.info({ expired }, 'orders were not paid in time')
  }),
  periodically({ ...every, name: 'settle open payments' }, settleOpenPayments),
  periodically({ ...every, name: 'give open refunds' }, giveOpenRefunds),
]

const placeDemoOrder = makePlaceDemoOrder(wiring)
let demoTries = 30 // its product comes within seconds, or is not for sale any more
const demoOrder = config.DEMO_DATA
  ? untilDone({ everyMs: 1_000, log, name: 'demo order' }, async () => {
      if (demoTries-- > 0) await placeDemoOrder(EXAMPLE)
    })
  : undefined

const app = ordersApp({
  useCases: called,
  authenticate: bearerAuthentication({ keys, issuer: config.JWT_ISSUER, audience: config.JWT_AUDIENCE }),
  idempotencySecret: config.IDEMPOTENCY_SECRET,
  log,
  operations: operationsOf({
    service: 'orders',
    document,
    pool,
    checks: [
      databaseReady(pool, 'orders', path.join(__dirname, '../prisma/migrations')),
      keysReady(keys),
      clockReady(clock),
    ],
  }),
})

const stop = async (): Promise<void> => {
  keys.stop()
  await pool.end()
}

void clock.looked.then(() => runService({ app, config, log, tasks: [...sweeps, demoOrder, clock], stop }))
