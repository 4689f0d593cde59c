import type pg from 'pg'
import type {
  NumberedEntry,
  OpenOrder,
  OpenPayment,
  OpenQuery,
  OrderQuery,
  OrderStore,
  ProductDay,
} from '../../application/ports'
import { saleOf, type Order } from '../../domain/order'
import { ORDER_COLUMNS, toOrder, type OrderRow } from './order-rows'

type Queries = Pick<
  OrderStore,
  'find' | 'list' | 'sales' | 'salesSummary' | 'tracking' | 'unpaidOrders' | 'pendingPayments' | 'pendingRefunds'
>

/**
 * Reads of one statement each. A subquery with a limit or an offset of its own is looked up row by row: joined, it would be a plan
 * made while the tables were small, which reads all of them when they are large.
 */
export function orderQueries(pool: pg.Pool): Queries {
  return {
    find: (id) => findOrder(pool, id),

    list: async (query) => {
      const { buyerId, status, after, limit } = query
      if (buyerId === undefined) return listAll(pool, query)
      const conditions = [
        'o.buyer_id = $1',
        ...(status ? ['o.status = $3'] : []),
        ...(after ? [`o.id < $${status ? 4 : 3}`] : []),
      ]
      const listed = await pool.query<OrderRow>({
        name: `list-orders${status ? '-status' : ''}${after ? '-after' : ''}`,
        text: `select ${ORDER_COLUMNS} from orders.orders o where ${conditions.join(' and ')} order by o.id desc limit $2`,
        values: [buyerId, limit, ...(status ? [status] : []), ...(after ? [after] : [])],
      })
      return listed.rows.map(toOrder)
    },

    sales: async ({ sellerId, status, after, limit }) => {
      const listed = await pool.query<OrderRow>({
        name: `list-sales${after ? '-after' : ''}`,
        text: `select ${ORDER_COLUMNS}
                 from (select distinct l.order_id from orders.order_lines l
                        where l.seller_id = $1 ${after ? 'and l.order_id < $4' : ''} order by l.order_id desc) sold,
                      lateral (select * from orders.orders o
                                where o.id = sold.order_id and ($3::text is null or o.status = $3) limit 1) o
                order by sold.order_id desc limit $2`,
        values: [sellerId, limit, status ?? null, ...(after ? [after] : [])],
      })
      return listed.rows.flatMap((row) => saleOf(toOrder(row), sellerId) ?? [])
    },

    salesSummary: async ({ sellerId, from, to, after, limit }) => {
      const listed = await pool.query<ProductDay>({
        name: `sum-up-sales${after ? '-after' : ''}`,
        text: `select s.day::text, l.product_id as "productId", (array_agg(l.name order by s.order_id desc))[1] as name,
                      (coalesce(sum(l.quantity) filter (where o.status <> 'CANCELLED'), 0))::float8 as units,
                      (coalesce(sum(l.quantity * l.unit_price_cents::bigint) filter (where o.status <> 'CANCELLED'), 0))::float8 as "revenueCents",
                      (coalesce(sum(l.quantity) filter (where o.status = 'CANCELLED'), 0))::float8 as "cancelledUnits"
                 from (select order_id, seller_id, (created_at at time zone 'UTC')::date as day from orders.shipments
                        where seller_id = $1 and (created_at at time zone 'UTC')::date between $2 and $3) s,
                      lateral (select status from orders.orders where id = s.order_id limit 1) o,
                      lateral (select product_id, name, quantity, unit_price_cents from orders.order_lines
                                where order_id = s.order_id and seller_id = s.seller_id offset 0) l
                ${after ? 'where (s.day, l.product_id) > ($5, $6)' : ''}
                group by s.day, l.product_id order by s.day, l.product_id limit $4`,
        values: [
          sellerId,
          after?.day ?? from ?? '-infinity',
          to ?? 'infinity',
          limit,
          ...(after ? [after.day, after.productId] : []),
        ],
      })
      return listed.rows
    },

    tracking: async ({ orderId, sellerId, after, limit }) => {
      const listed = await pool.query<NumberedEntry>({
        name: 'track-order',
        text: `select no, at, "sellerId", status from (
                 select 0 as no, created_at as at, null::uuid as "sellerId", 'PLACED' as status
                   from orders.orders where id = $1 and $3 < 0
                 union all
                 (select no, at, seller_id, status from orders.order_events
                   where order_id = $1 and no > $3 and ($2::uuid is null or seller_id is null or seller_id = $2)
                   order by no limit $4)
               ) entry order by no limit $4`,
        values: [orderId, sellerId ?? null, after ?? -1, limit],
      })
      return listed.rows
    },

    unpaidOrders: (query) =>
      listOpen<OpenOrder>(pool, query, {
        name: 'unpaid-orders',
        from: `select id as "orderId", created_at as since from orders.orders where status = 'PLACED'`,
        key: ['created_at', 'id'],
      }),
    pendingPayments: (query) =>
      listOpen<OpenPayment>(pool, query, {
        name: 'pending-payments',
        from: `${OPEN_PAYMENTS}, requested_at as since from orders.payments where status = 'PENDING'`,
        key: ['requested_at', 'order_id'],
      }),
    pendingRefunds: (query) =>
      listOpen<OpenPayment>(pool, query, {
        name: 'pending-refunds',
        from: `${OPEN_PAYMENTS}, refund_requested_at as since from orders.payments
                where refund_requested_at is not null and refunded_at is null`,
        key: ['refund_requested_at', 'order_id'],
      }),
  }
}

export async function findOrder(db: pg.Pool | pg.PoolClient, id: string): Promise<Order | undefined> {
  const found = await db.query<OrderRow>({
    name: 'find-order',
    text: `select ${ORDER_COLUMNS} from orders.orders o where o.id = $1`,
    values: [id],
  })
  return found.rows[0] && toOrder(found.rows[0])
}

/**
 * Everybody's orders. The state is spelt out, so that a partial index fits: for what is only placed, either most orders are, or few.
 * Asked for seldom, and planned each time by what there is.
 */
async function listAll(pool: pg.Pool, { status, after, limit }: Omit<OrderQuery, 'buyerId'>): Promise<Order[]> {
  const conditions = ['true', ...(status ? [`o.status = '${status}'`] : []), ...(after ? ['o.id < $2'] : [])]
  const listed = await pool.query<OrderRow>(
    `select ${ORDER_COLUMNS} from orders.orders o where ${conditions.join(' and ')} order by o.id desc limit $1`,
    [limit, ...(after ? [after] : [])],
  )
  return listed.rows.map(toOrder)
}

const OPEN_PAYMENTS = 'select order_id as "orderId", id as "paymentId"'

/** No order has two pending charges, or two refunds: with its id the key is unique. */
async function listOpen<Open extends OpenOrder>(
  pool: pg.Pool,
  { until, after, limit }: OpenQuery,
  { name, from, key: [since, id] }: { name: string; from: string; key: readonly [since: string, orderId: string] },
): Promise<Open[]> {
  const listed = await pool.query<Open>({
    name: `${name}${after ? '-after' : ''}`,
    text: `${from} and ${since} <= $1 ${after ? `and (${since}, ${id}) > ($3, $4)` : ''} order by ${since}, ${id} limit $2`,
    values: [until, limit, ...(after ? [after.since, after.orderId] : [])],
  })
  return listed.rows
}
