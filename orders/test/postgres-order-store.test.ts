import { SQLSTATE } from '@shop/platform/postgres'
import { unbalancedProducts } from '../../tests/support/books'
import { createDatabase, PATIENCE, type TestDatabase } from '../../tests/support/database'
import { raceThroughGate } from '../../tests/support/gate'
import { batchingOrderStore } from '../src/adapters/postgres/batching-order-store'
import { postgresCartStore } from '../src/adapters/postgres/cart-store'
import { idAt } from '../src/adapters/postgres/ids'
import { postgresOrderStore } from '../src/adapters/postgres/order-store'
import { makeExpireOrders } from '../src/application/expire-orders'
import type { OrderStore } from '../src/application/ports'
import { cartStoreContract } from './cart-store.contract'
import { checkoutContract } from './checkout.contract'
import { orderLifeContract } from './order-life.contract'
import { orderQueriesContract } from './order-queries.contract'
import { aPlacement, onceFor, orderStoreContract, placed } from './order-store.contract'
import { catalogue, poolOf } from './shop'

let database: TestDatabase
let pool: ReturnType<typeof poolOf>

beforeAll(async () => {
  database = await createDatabase()
  pool = poolOf(database.urls.orders, 5, PATIENCE)
})

afterAll(async () => {
  const unbalanced = await unbalancedProducts(database.owner)
  await pool.end()
  await database.drop()
  expect(unbalanced).toEqual([])
})

test('ids tell the time that they are made of, and those of one millisecond ascend', () => {
  const time = new Date('2026-11-21T08:30:00.000Z')
  const ids = Array.from({ length: 1000 }, () => idAt(time))
  expect(ids.map((id) => parseInt(id.replace('-', '').slice(0, 12), 16))).toEqual(ids.map(() => time.getTime()))
  expect([...ids].sort()).toEqual(ids)
  expect(new Set(ids).size).toBe(1000)
  const later = idAt(new Date(time.getTime() + 1))
  expect(later > (ids.at(-1) ?? '')).toBe(true)
})

/** So long ago that nothing else is due by then. */
const LONG_AGO = new Date('1999-01-01T00:00:00.000Z')

async function unpaidOrders(store: OrderStore, count: number) {
  const { id } = await catalogue(database.owner).addProduct({ available: count })
  const orders = []
  for (let n = 0; n < count; n++) {
    const placedAt = new Date(LONG_AGO.getTime() + n)
    orders.push(await placed(store, aPlacement({ lines: [{ productId: id, quantity: 1 }], placedAt })))
  }
  return { productId: id, orders }
}
/** Cancels those orders, and answers how many; none may be left over but those that others hold. */
const sweepOf = (store: OrderStore) =>
  makeExpireOrders({
    orders: store,
    now: () => new Date(LONG_AGO.getTime() + 30 * 60_000 + 1_000),
    holdMinutes: 30,
    reportLeftOver: ({ error }) => {
      throw error
    },
  })

test('an order that somebody holds is left for later, and the next one is taken without a wait', async () => {
  const store = postgresOrderStore(pool)
  const { orders } = await unpaidOrders(store, 2)
  const [held, free] = orders
  const holder = await database.owner.connect()
  await holder.query('begin')
  await holder.query('select from orders.orders where id = $1 for update', [held?.id])
  expect(await sweepOf(store)()).toBe(1)
  expect(await store.find(free?.id ?? '')).toMatchObject({ status: 'CANCELLED' })
  expect(await store.find(held?.id ?? '')).toEqual(held)
  await holder.query('commit')
  holder.release()
  expect(await sweepOf(store)()).toBe(1)
  expect(await store.find(held?.id ?? '')).toMatchObject({ status: 'CANCELLED' })
})

test('many that look for unpaid orders at once share them: each order is taken once, and its stock comes back once', async () => {
  const store = postgresOrderStore(pool)
  const { productId, orders } = await unpaidOrders(store, 10)
  const sweep = sweepOf(store)
  // They meet in front of the product, where each stands with an order of its own in hand.
  const race = await raceThroughGate(
    database.owner,
    { text: 'select from products.inventory where product_id = $1 for update', values: [productId] },
    [sweep, sweep, sweep, sweep],
  )
  const taken = race.map((result) => (result.status === 'fulfilled' ? result.value : NaN))
  expect(taken.reduce((sum, count) => sum + count)).toBe(orders.length)
  for (const { id } of orders) expect(await store.find(id)).toMatchObject({ status: 'CANCELLED' })
  expect(await catalogue(database.owner).available(productId)).toBe(10)
})

const opened = (store: typeof postgresOrderStore) => () =>
  Promise.resolve({ ...catalogue(database.owner), carts: postgresCartStore(pool), store: store(pool) })

for (const [name, store] of Object.entries({ postgres: postgresOrderStore, batching: batchingOrderStore })) {
  for (const contract of [orderStoreContract, checkoutContract, orderLifeContract, orderQueriesContract])
    contract(name, opened(store))

  test(`${name}: an order whose answer cannot be kept is not placed, and its key stays free`, async () => {
    const { id } = await catalogue(database.owner).addProduct({ available: 3 })
    const once = onceFor()
    const answer = { status: 201, location: null, etag: null, body: 'not \u0000 storable' }
    const lines = [{ productId: id, quantity: 1 }]
    const broken = store(pool).place(aPlacement({ lines, once: { ...once, receipt: () => answer } }))
    await expect(broken).rejects.toMatchObject({ code: SQLSTATE.characterNotInRepertoire })
    expect(await catalogue(database.owner).available(id)).toBe(3)
    await placed(store(pool), aPlacement({ lines, once }))
  })
}
cartStoreContract('postgres', opened(postgresOrderStore))
