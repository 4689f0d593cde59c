import { randomUUID } from 'node:crypto'
import { uuidv7 } from 'uuidv7'
import { makeLog } from '@shop/platform/logging'
import { openPool } from '@shop/platform/postgres'
import { checked, type Checked } from '../../tests/support/checked'
import { unbalancedProducts } from '../../tests/support/books'
import { createDatabase } from '../../tests/support/database'
import { authenticate, bearer } from '../../tests/support/tokens'
import { batchingOrderStore } from '../src/adapters/postgres/batching-order-store'
import { postgresCartStore } from '../src/adapters/postgres/cart-store'
import { SESSION_SETTINGS } from '../src/adapters/postgres/order-store'
import { ordersApp } from '../src/app'
import { document } from '../src/document'
import { catalogue } from './shop'

export type Service = Awaited<ReturnType<typeof startOrders>>

/** The orders service on a database of its own; every answer is held to the OpenAPI document, the books are checked at the end. */
export async function startOrders({ connections = 10, store = batchingOrderStore } = {}) {
  const database = await createDatabase()
  const pool = openPool({
    connectionString: database.urls.orders,
    max: connections,
    applicationName: 'orders',
    onError: () => undefined,
    settings: SESSION_SETTINGS,
  })
  const app = ordersApp({
    orders: store(pool),
    carts: postgresCartStore(pool),
    now: () => new Date(),
    newId: uuidv7,
    currency: 'USD',
    authenticate,
    idempotencySecret: 'a secret of the tests, long enough to be one',
    log: makeLog('orders', 'silent'),
  })
  return {
    app,
    pool,
    owner: database.owner,
    ...catalogue(database.owner),
    calls: checked(app, document),
    stop: async () => {
      const unbalanced = await unbalancedProducts(database.owner)
      await pool.end()
      await database.drop()
      expect(unbalanced).toEqual([])
    },
  }
}

/** A buyer (or anybody else) with a token, and the calls that they make. */
export function aCaller(calls: Checked, role = 'BUYER') {
  const id = randomUUID()
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
