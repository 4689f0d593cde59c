import type pg from 'pg'

export type Mode = 'hot' | 'spread'

/** Ids end in twelve decimal digits, so that SQL and pgbench can draw one. */
export const ID_PREFIX = { product: '01980000-0000-7000-8000-', buyer: '01980000-0000-7000-9000-' } as const
const PRODUCTS = 1_000
const FIRST_PRODUCT = 100_000_000_001
const SELLER_ID = '01980000-0000-7000-a000-100000000001'

/** Those who order while it is measured. */
export const BUYERS = { first: 100_000_000_001, last: 100_000_000_300 } as const
/** Those of the past, who only read: what they see does not change while it is measured. */
const FIRST_READER = 200_000_000_001
const ORDERS_OF_A_READER = 100

export const firstProductOf = (_mode: Mode): number => FIRST_PRODUCT
export const lastProductOf = (mode: Mode): number => (mode === 'hot' ? FIRST_PRODUCT : FIRST_PRODUCT + PRODUCTS - 1)
export const productId = (n: number): string => `${ID_PREFIX.product}${n}`
export const buyerIds = (): string[] =>
  Array.from({ length: BUYERS.last - BUYERS.first + 1 }, (_, i) => `${ID_PREFIX.buyer}${BUYERS.first + i}`)
export const readerIds = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${ID_PREFIX.buyer}${FIRST_READER + i}`)

const WORDS =
  'Pour-over coffee dripper, ceramic, with a stand of oiled oak. Makes one to four cups; takes paper filters of size two. '

export async function seedProducts(owner: pg.Pool): Promise<void> {
  await addProducts(owner, FIRST_PRODUCT, PRODUCTS, 1_000_000_000)
  await owner.query('vacuum (analyze)')
}

/** Lists products with their stock as a first line of the ledger. */
async function addProducts(owner: pg.Pool, first: number, count: number, stock: number): Promise<void> {
  await owner.query(
    `with product as (
       insert into products.products (id, seller_id, name, description, price_cents, category)
       select ($1 || n)::uuid, $2, 'Coffee dripper no. ' || n, repeat($3, 2), 1000 + n % 9000, 'kitchen-' || n % 12
         from generate_series($4::bigint, $4::bigint + $5 - 1) n
       returning id
     ), counter as (
       insert into products.inventory (product_id, available) select id, $6 from product where $6 >= 0
     )
     insert into products.stock_movements (id, product_id, delta, reason, actor_id)
     select uuidv7(), id, $6, 'RECEIVED', $2 from product`,
    [ID_PREFIX.product, SELLER_ID, WORDS, first, count, stock],
  )
}

let scarceProducts = 0
/** A product of which there is little; answers its id. */
export async function addScarceProduct(owner: pg.Pool, stock: number): Promise<string> {
  const n = FIRST_PRODUCT + 1_000_000 + scarceProducts++
  await addProducts(owner, n, 1, stock)
  return productId(n)
}

const BITE = 250_000
/** As many as the shop's pool of owners has connections. */
const WRITERS = 2
const PAST_SECONDS = 40 * 86_400

/**
 * Orders of the past, delivered, from number `from` up to `to`: one line each, with the ledger rows of what was received and
 * sold. Their tracking, which neither placing nor a list reads, is left out. Answers when the tables are as tidy as autovacuum would have left them.
 */
export async function addHistory(
  owner: pg.Pool,
  { from, to, say }: { from: number; to: number; say: (line: string) => void },
): Promise<void> {
  let at = from
  const write = (client: pg.PoolClient) =>
    asInALoad(client, async () => {
      while (at < to) {
        const [first, last] = [at, Math.min(at + BITE, to) - 1]
        at += BITE
        await client.query(historySql, [first, last, Math.ceil(to / ORDERS_OF_A_READER), PAST_SECONDS / to])
        if (to - from > 4 * BITE) say(`    up to ${(last + 1).toLocaleString('en')} of ${to.toLocaleString('en')}`)
      }
    })
  await setUpFor(owner, 'load')
  await Promise.all(Array.from({ length: WRITERS }, () => onClient(owner, write)))
  await onClient(owner, (client) => asInALoad(client, () => client.query(receivedSql)))
  await setUpFor(owner, 'service')
  await owner.query('vacuum (analyze)')
  await owner.query('checkpoint')
}

/** A scratch load need not survive a crash; the shop's orders do. */
async function setUpFor(owner: pg.Pool, what: 'load' | 'service'): Promise<void> {
  const load = { full_page_writes: 'off', max_wal_size: '16GB' }
  for (const [name, value] of Object.entries(load))
    await owner.query(what === 'load' ? `alter system set ${name} = '${value}'` : `alter system reset ${name}`)
  await owner.query('select pg_reload_conf()')
}

/** Rows of one making need no check against each other. */
async function asInALoad(client: pg.PoolClient, work: () => Promise<unknown>): Promise<void> {
  await client.query(`set session_replication_role = replica; set synchronous_commit = off`)
  await work()
  await client.query(`reset session_replication_role; reset synchronous_commit`)
}

async function onClient(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<void>): Promise<void> {
  const client = await pool.connect()
  try {
    await work(client)
  } finally {
    client.release()
  }
}

// Readers take turns, so that an order's neighbours on disk are other people's, as they would be. Each order has a key like those
// that are kept for a day; the sweep takes none of them while it is measured.
const historySql = `
  with past as (
    select uuidv7((n * $4::float8 - ${PAST_SECONDS}) * interval '1 second') as id, uuidv7((n * $4::float8 - ${PAST_SECONDS}) * interval '1 second') as movement_id,
           ('${ID_PREFIX.buyer}' || ${FIRST_READER} + n % $3::bigint)::uuid as buyer_id,
           ('${ID_PREFIX.product}' || ${FIRST_PRODUCT} + (n * 7919) % ${PRODUCTS})::uuid as product_id,
           now() + (n * $4::float8 - ${PAST_SECONDS}) * interval '1 second' as placed_at
      from generate_series($1::bigint, $2::bigint) n
  ), sold as (
    select past.*, p.seller_id, p.name, p.price_cents from past join products.products p on p.id = past.product_id
  ), placed as (
    insert into orders.orders (id, buyer_id, status, payment_status, total_cents, currency, version, created_at, updated_at)
    select id, buyer_id, 'DELIVERED', 'PAID', price_cents, 'USD', 6, placed_at, placed_at + interval '3 days' from sold
  ), paid as (
    insert into orders.payments (id, order_id, attempt, amount_cents, currency, card_brand, card_last4, status, requested_at, settled_at)
    select movement_id, id, 1, price_cents, 'USD', 'visa', '4242', 'SUCCEEDED', placed_at, placed_at from sold
  ), sent as (
    insert into orders.shipments (order_id, seller_id, status, created_at, updated_at)
    select id, seller_id, 'DELIVERED', placed_at, placed_at + interval '3 days' from sold
  ), ledger as (
    insert into products.stock_movements (id, product_id, delta, reason, order_id, actor_id, created_at)
    select movement_id, product_id, -1, 'ORDERED', id, buyer_id, placed_at from sold
  ), kept as (
    insert into orders.idempotency_keys (caller_id, route, key, fingerprint, status, location, body)
    select buyer_id, 'POST /orders', id::text, repeat('f', 43), 201, '/orders/' || id, '{}' from sold
  )
  insert into orders.order_lines (order_id, line_no, product_id, seller_id, name, quantity, unit_price_cents)
  select id, 0, product_id, seller_id, name, 1, price_cents from sold`

/** What the orders of the past sold had been received before. */
const receivedSql = `
  insert into products.stock_movements (id, product_id, delta, reason, actor_id, created_at)
  select uuidv7(), product_id, i.available - ledger.total, 'RECEIVED', '${SELLER_ID}', now()
    from products.inventory i
    join lateral (select sum(delta) as total from products.stock_movements m where m.product_id = i.product_id) ledger on true
   where i.available <> ledger.total`
