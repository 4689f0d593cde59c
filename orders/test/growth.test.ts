import type pg from 'pg'
import { uuidv7 } from 'uuidv7'
import { dropExpiredKeys } from '@shop/platform/idempotency'
import { createDatabase, type TestDatabase } from '../../tests/support/database'
import { batchingOrderStore } from '../src/adapters/postgres/batching-order-store'
import { postgresCartStore } from '../src/adapters/postgres/cart-store'
import { postgresOrderStore } from '../src/adapters/postgres/order-store'
import type { OrderStore, Placement } from '../src/application/ports'
import { cancel, expire, finishPayment, finishRefund, startPayment } from '../src/domain/transitions'
import { bring } from './an-order'
import { aPlacement, onceFor, placed } from './order-store.contract'
import { catalogue, poolOf } from './shop'

let database: TestDatabase
beforeEach(async () => {
  database = await createDatabase()
})
afterEach(() => database.drop())

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
          sent as (insert into orders.orders (id, buyer_id, status, payment_status, total_cents, currency)
                   select gen_random_uuid(), id, 'DELIVERED', 'PAID', 1, 'USD' from old returning id, buyer_id),
          payment as (insert into orders.payments (id, order_id, attempt, amount_cents, currency, card_brand, card_last4, status, requested_at, settled_at)
                      select id, id, 1, 1, 'USD', 'visa', '4242', 'SUCCEEDED', now(), now() from sent),
          shipment as (insert into orders.shipments (order_id, seller_id, status, created_at, updated_at)
                       select id, buyer_id, 'DELIVERED', now(), now() from sent),
          event as (insert into orders.order_events (order_id, no, at, status) select id, 1, now(), 'PAID' from sent),
          sold as (insert into orders.order_lines (order_id, line_no, product_id, seller_id, name, quantity, unit_price_cents)
                   select id, 0, buyer_id, buyer_id, 'Old', 1, 1 from sent),
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

/** An order's way from payment to refund, and everything that is asked about orders. */
async function shipAndAsk(store: OrderStore, placement: Placement): Promise<void> {
  const order = await placed(store, placement)
  const { receipt, ...key } = onceFor()
  const attempt = { id: uuidv7(), card: { brand: 'visa', last4: '4242' } }
  await store.begin(order.id, key, (current) => startPayment(current, attempt, new Date()))
  await store.update(order.id, null, (current) => finishPayment(current, attempt.id, 'SUCCEEDED', new Date()), receipt)
  await store.update(order.id, null, (current) => cancel(current, new Date()))
  await store.update(order.id, null, (current) => finishRefund(current, new Date()))
  const shipped = await bring(store, await placed(store, { ...placement, id: uuidv7() }), { status: 'PACKED' })
  const page = { status: undefined, after: undefined, limit: 10 }
  const sellerId = shipped.lines[0]?.sellerId ?? ''
  await store.list({ ...page, buyerId: order.buyerId })
  for (const status of [undefined, 'CANCELLED'] as const)
    for (const after of [undefined, order.id]) await store.list({ ...page, buyerId: undefined, status, after })
  for (const after of [undefined, order.id]) await store.sales({ ...page, sellerId, after })
  await store.sales({ ...page, sellerId, status: 'PACKED' })
  for (const after of [undefined, { day: '2026-01-01', productId: order.id }])
    await store.salesSummary({ sellerId, from: undefined, to: undefined, after, limit: 10 })
  await store.tracking({ orderId: order.id, sellerId: undefined, after: undefined, limit: 10 })
  for (const list of [store.unpaidOrders, store.pendingPayments, store.pendingRefunds])
    for (const after of [undefined, { orderId: order.id, since: new Date('2026-01-01T00:00:00.000Z') }])
      await list({ until: new Date(), after, limit: 10 })
  await store.updateIfFree(order.id, (due) => expire(due, 30, new Date()))
}

test.each([
  ['when there was nothing', 0],
  ['when there was little', 10],
])(
  'placing, repeating, cancelling, paying, shipping, reading and keeping a cart cost the same however much there is, with plans made %s',
  async (_when, already) => {
    const world = catalogue(database.owner)
    const products = await Promise.all([1, 2].map(() => world.addProduct({ available: 1000 })))
    const lines = products.map(({ id }) => ({ productId: id, quantity: 1 }))
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
          await shipAndAsk(store, { ...placement, id: uuidv7(), once: undefined })
        }
      }
      await dropExpiredKeys(pool, 'orders')
    }
    await use(already)
    await database.owner.query('vacuum (analyze)') // now Postgres knows how little there is, and plans anew
    await use(10)
    await grow(15_000)
    await database.owner.query('select pg_stat_reset()')
    await use(10)
    const pid = await pidOf(pool)
    await pool.end()
    await sessionsEnded(pid)
    const read = await rowsRead()
    // All calls together read less than two looks at the history would, and one bad plan takes twenty.
    expect(Object.entries(read).filter(([, rows]) => rows >= 30_000)).toEqual([])
  },
)
