import type pg from 'pg'
import { dropExpiredKeys } from '@shop/platform/idempotency'
import { createDatabase, type TestDatabase } from '../../tests/support/database'
import { batchingOrderStore } from '../src/adapters/postgres/batching-order-store'
import { postgresCartStore } from '../src/adapters/postgres/cart-store'
import { postgresOrderStore } from '../src/adapters/postgres/order-store'
import { cancel } from '../src/domain/transitions'
import { aPlacement, onceFor } from './order-store.contract'
import { catalogue, poolOf } from './shop'

let database: TestDatabase
beforeAll(async () => {
  database = await createDatabase()
})
afterAll(() => database.drop())

/** Rows and index entries that were read of all tables, by table. */
const rowsRead = async (): Promise<Record<string, number>> => {
  const { rows } = await database.owner.query<{ name: string; read: string }>(
    `select t.schemaname || '.' || t.relname as name,
            t.seq_tup_read + coalesce((select sum(i.idx_tup_read) from pg_stat_user_indexes i where i.relid = t.relid), 0) as read
       from pg_stat_user_tables t where t.schemaname in ('orders', 'products')`,
  )
  return Object.fromEntries(rows.map(({ name, read }) => [name, Number(read)]))
}

/** A history that nobody has told the planner of. */
async function grow(rows: number): Promise<void> {
  const client = await database.owner.connect()
  const pid = await pidOf(client)
  await client.query(
    `with old as (select gen_random_uuid() as id, n from generate_series(1, ${rows}) as n),
          product as (insert into products.products (id, seller_id, name, price_cents) select id, id, 'Old', 1 from old returning id),
          stock as (insert into products.inventory (product_id, available) select id, 0 from old),
          placed as (insert into orders.orders (id, buyer_id, status, total_cents, currency) select id, id, 'PLACED', 1, 'USD' from old),
          cart as (insert into orders.carts (buyer_id) select id from old),
          item as (insert into orders.cart_items (buyer_id, product_id, quantity, seen_price_cents) select id, id, 1, 1 from old),
          line as (insert into orders.order_lines (order_id, line_no, product_id, seller_id, name, quantity, unit_price_cents)
                   select id, 0, id, id, 'Old', 1, 1 from old)
     insert into orders.idempotency_keys (caller_id, route, key, fingerprint, status, body)
     select id, 'POST /orders', n::text, '', 201, '' from old`,
  )
  client.release(true)
  await sessionsEnded(pid)
}

/** A session tells its statistics when it ends, which is a moment after its client has left. */
async function sessionsEnded(...pids: number[]): Promise<void> {
  const deadline = Date.now() + 10_000
  const alive = () => database.owner.query('select 1 from pg_stat_activity where pid = any ($1)', [pids])
  while ((await alive()).rowCount !== 0) if (Date.now() > deadline) throw new Error('a session does not end')
}

const pidOf = async (client: Pick<pg.Pool, 'query'>): Promise<number> =>
  (await client.query<{ pid: number }>('select pg_backend_pid() as pid')).rows[0]?.pid ?? 0

test('placing, repeating, cancelling, reading and keeping a cart cost the same however much there is, with plans made when there was nothing', async () => {
  const world = catalogue(database.owner)
  const products = await Promise.all([1, 2].map(() => world.addProduct({ available: 1000 })))
  const lines = products.map(({ id }) => ({ productId: id, quantity: 1 }))
  await database.owner.query('vacuum (analyze)') // now Postgres knows that the tables are empty
  const pool = poolOf(database.urls.orders, 1) // one session, which keeps its plans
  const carts = postgresCartStore(pool)
  const use = async (times: number) => {
    for (const store of [postgresOrderStore(pool), batchingOrderStore(pool)]) {
      for (let n = 0; n < times; n++) {
        const placement = aPlacement({ lines, once: onceFor() })
        await store.place(placement)
        await store.place(placement)
        await store.list({ buyerId: placement.buyerId, status: undefined, after: undefined, limit: 10 })
        await store.update(placement.id, placement.buyerId, (order) => cancel(order, new Date()))
        for (const line of lines) await carts.put(placement.buyerId, line)
        await store.place(aPlacement({ buyerId: placement.buyerId, lines: 'cart' }))
        await carts.remove(placement.buyerId, lines[0]?.productId ?? '')
        await carts.clear(placement.buyerId)
      }
    }
    await dropExpiredKeys(pool, 'orders')
  }
  await use(10)
  await grow(20_000)
  await database.owner.query('select pg_stat_reset()')
  await use(10)
  const pid = await pidOf(pool)
  await pool.end()
  await sessionsEnded(pid)
  const read = await rowsRead()
  expect(Object.entries(read).filter(([, rows]) => rows > 2_000)).toEqual([])
})
