import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import { makeLog } from '@shop/platform/logging'
import { checked, type Checked } from '../../tests/support/checked'
import { unbalancedProducts } from '../../tests/support/books'
import { createDatabase, PATIENCE } from '../../tests/support/database'
import { authenticate, bearer } from '../../tests/support/tokens'
import { memoryPaymentGateway } from '../src/adapters/memory/payment-gateway'
import { batchingOrderStore } from '../src/adapters/postgres/batching-order-store'
import { postgresCartStore } from '../src/adapters/postgres/cart-store'
import { idAt } from '../src/adapters/postgres/ids'
import { ordersApp, useCasesOf } from '../src/app'
import type { ReportLeftOver } from '../src/application/sweep'
import { document } from '../src/document'
import { catalogue, poolOf } from './shop'

export type Service = Awaited<ReturnType<typeof startOrders>>

/** The orders service on a database of its own; every answer is held to the OpenAPI document, the books are checked at the end. */
export async function startOrders({
  connections = 10,
  store = batchingOrderStore,
  holdMinutes = 30,
  gateway = memoryPaymentGateway(new Map()),
  now = () => new Date(),
} = {}) {
  const database = await createDatabase()
  const pool = poolOf(database.urls.orders, connections, PATIENCE)
  const orders = store(pool)
  const leftOver: Parameters<ReportLeftOver>[0][] = []
  const { called, ...sweeps } = useCasesOf({
    orders,
    carts: postgresCartStore(pool),
    gateway,
    now,
    newId: idAt,
    currency: 'USD',
    holdMinutes,
    reportLeftOver: (each) => void leftOver.push(each),
  })
  const app = ordersApp({
    useCases: called,
    authenticate,
    idempotencySecret: 'a secret of the tests, long enough to be one',
    log: makeLog('orders', 'silent'),
  })
  return {
    app,
    ...sweeps,
    /** What the sweeps could not deal with; a test takes out what it expects. */
    leftOver,
    orders,
    pool,
    owner: database.owner,
    ...catalogue(database.owner),
    calls: checked(app, document),
    stop: async () => {
      const unbalanced = await unbalancedProducts(database.owner)
      await pool.end()
      await database.drop()
      expect(unbalanced).toEqual([])
      expect(leftOver).toEqual([])
    },
  }
}

/** A buyer (or anybody else) with a token, and the calls that they make. */
export function aCaller(calls: Checked, role = 'BUYER', id: string = randomUUID()) {
  const authorization = bearer({ id, role })
  return {
    id,
    authorization,
    get: (path: string) => calls.get(path).set({ authorization }),
    post: (path: string, body?: object, headers: Record<string, string> = {}) => {
      const call = calls.post(path).set({ authorization, ...headers })
      return body === undefined ? call : call.send(body)
    },
    putIntoCart: (productId: string, quantity: number) =>
      calls.put(`/orders/cart/items/${productId}`).set({ authorization }).send({ quantity }),
    delete: (path: string) => calls.delete(path).set({ authorization }),
    checkout: (headers: Record<string, string> = {}) =>
      calls
        .post('/orders/cart/checkout')
        .set({ authorization, ...headers })
        .send({}),
    order: (lines: readonly [productId: string, quantity: number][], headers: Record<string, string> = {}) =>
      calls
        .post('/orders')
        .set({ authorization, ...headers })
        .send({ items: lines.map(([productId, quantity]) => ({ productId, quantity })) }),
  }
}

// What came of calls that raced.
type Race = readonly PromiseSettledResult<{ status: number; body: { code?: string } }>[]
const each = (race: Race, tell: (answer: { status: number; body: { code?: string } }) => string) =>
  race.map((result) => (result.status === 'fulfilled' ? tell(result.value) : String(result.reason)))

export const statuses = (race: Race) => each(race, ({ status }) => String(status))
/** The code of a refusal, the status of anything else. */
export const told = (race: Race) => each(race, ({ status, body }) => body.code ?? String(status))
export const counted = (values: readonly string[]) =>
  Object.fromEntries([...new Set(values)].map((value) => [value, values.filter((other) => other === value).length]))

export async function deadlocks(owner: pg.Pool): Promise<number> {
  await owner.query('select pg_stat_force_next_flush()')
  const { rows } = await owner.query<{ deadlocks: string }>(
    'select deadlocks from pg_stat_database where datname = current_database()',
  )
  return Number(rows[0]?.deadlocks)
}
