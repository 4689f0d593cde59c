import type pg from 'pg'
import { uuidv7 } from 'uuidv7'
import type { Placement } from '../../application/ports'
import { asOrder, placedOrder, totalCents, type Order, type OrderLine, type RequestedLine } from '../../domain/order'
import { UNPAID, type Failed, type Payment } from '../../domain/payment'
import type { Shipment } from '../../domain/shipment'
import type { LockedProduct } from './stock'

/** All of an order, its parts as JSON, one row an order: `select ORDER_COLUMNS from orders.orders o`. */
export const ORDER_COLUMNS = `o.id, o.buyer_id, o.status, o.currency, o.shipping_address, o.notes, o.version, o.created_at, o.updated_at,
  (select json_agg(json_build_object('productId', l.product_id, 'sellerId', l.seller_id, 'name', l.name,
                                     'quantity', l.quantity, 'unitPriceCents', l.unit_price_cents) order by l.line_no)
     from orders.order_lines l where l.order_id = o.id) as lines,
  case when o.payment_status <> 'UNPAID' then
    (select json_build_object('id', p.id, 'amountCents', p.amount_cents, 'brand', p.card_brand, 'last4', p.card_last4,
                              'status', p.status, 'requestedAt', p.requested_at, 'settledAt', p.settled_at,
                              'refundRequestedAt', p.refund_requested_at, 'refundedAt', p.refunded_at)
       from orders.payments p where p.order_id = o.id order by p.attempt desc limit 1) end as payment,
  case when o.payment_status in ('PAID', 'REFUND_PENDING', 'REFUNDED') then
    (select json_agg(json_build_object('sellerId', s.seller_id, 'status', s.status, 'createdAt', s.created_at,
                                       'updatedAt', s.updated_at) order by s.seller_id)
       from orders.shipments s where s.order_id = o.id) end as shipments`

export type OrderRow = {
  id: string
  buyer_id: string
  status: Order['status']
  currency: string
  shipping_address: string | null
  notes: string | null
  version: number
  created_at: Date
  updated_at: Date
  lines: OrderLine[]
  payment: PaymentJson | null
  shipments: (Pick<Shipment, 'sellerId' | 'status'> & { createdAt: string; updatedAt: string })[] | null
}

/** As the table's checks have it: what is settled has a time, and only what succeeded is refunded. */
type PaymentJson = { id: string; amountCents: number; brand: string; last4: string; requestedAt: string } & (
  | { status: 'PENDING' }
  | { status: Failed['outcome']; settledAt: string }
  | { status: 'SUCCEEDED'; settledAt: string; refundRequestedAt: string | null; refundedAt: string | null }
)

export const toOrder = (row: OrderRow): Order =>
  asOrder(
    {
      id: row.id,
      buyerId: row.buyer_id,
      lines: row.lines,
      currency: row.currency,
      shippingAddress: row.shipping_address,
      notes: row.notes,
      version: row.version,
      createdAt: row.created_at,
      updatedAt: row.updated_at,
    },
    { status: row.status, payment: toPayment(row.payment), shipments: (row.shipments ?? []).map(toShipment) },
  )

function toPayment(row: PaymentJson | null): Payment {
  if (row === null) return UNPAID
  const { id, amountCents, brand, last4, requestedAt } = row
  const attempt = { id, amountCents, card: { brand, last4 }, requestedAt: new Date(requestedAt) }
  if (row.status === 'PENDING') return { status: 'PENDING', attempt }
  const settled = { attempt, settledAt: new Date(row.settledAt) }
  if (row.status !== 'SUCCEEDED') return { ...settled, status: 'FAILED', outcome: row.status }
  if (row.refundRequestedAt === null) return { ...settled, status: 'PAID' }
  const refund = { ...settled, refundRequestedAt: new Date(row.refundRequestedAt) }
  if (row.refundedAt === null) return { ...refund, status: 'REFUND_PENDING' }
  return { ...refund, status: 'REFUNDED', refundedAt: new Date(row.refundedAt) }
}

const toShipment = ({ createdAt, updatedAt, ...shipment }: NonNullable<OrderRow['shipments']>[number]): Shipment => ({
  ...shipment,
  createdAt: new Date(createdAt),
  updatedAt: new Date(updatedAt),
})

/** The order that a placement of these lines becomes, at the prices of the products that it has locked. */
export function orderOf(
  placement: Placement,
  requested: readonly RequestedLine[],
  products: ReadonlyMap<string, LockedProduct>,
): Order {
  const { id, buyerId, currency, shippingAddress, notes, placedAt } = placement
  const lines = requested.map(({ productId, quantity }) => {
    const product = products.get(productId)
    if (!product) throw new Error(`product ${productId} was not read`)
    const { sellerId, name, unitPriceCents } = product
    return { productId, quantity, sellerId, name, unitPriceCents }
  })
  return placedOrder({ id, buyerId, lines, currency, shippingAddress, notes, createdAt: placedAt })
}

/**
 * Writes new orders with their lines, takes their stock and writes its ledger rows, in one statement; answers the products whose
 * stock sufficed. The condition decides, not what was read before: whoever gets fewer than were asked for has to roll back.
 */
export async function writeOrders(tx: pg.PoolClient, orders: readonly Order[]): Promise<Set<string>> {
  const lines = orders.flatMap((order) => {
    const placedAt = order.createdAt.toISOString()
    return order.lines.map((line, no) => ({ ...line, order, no, placedAt }))
  })
  const sums = new Map<string, number>()
  for (const { productId, quantity } of lines) sums.set(productId, (sums.get(productId) ?? 0) + quantity)
  const written = await tx.query<{ product_id: string }>({
    name: 'write-orders',
    text: `with taken as (
             update products.inventory i set available = i.available - sum.quantity
               from unnest($1::uuid[], $2::int[]) as sum (product_id, quantity)
              where i.product_id = sum.product_id and i.product_id = any ($1::uuid[]) and i.available >= sum.quantity
          returning i.product_id
           ),
           placed as (
             insert into orders.orders
               (id, buyer_id, status, total_cents, currency, shipping_address, notes, version, created_at, updated_at)
             select id, buyer_id, 'PLACED', total_cents, currency, shipping_address, notes, 1, placed_at, placed_at
               from unnest($3::uuid[], $4::uuid[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::timestamptz[])
                    as o (id, buyer_id, total_cents, currency, shipping_address, notes, placed_at)
           ),
           line as (
             select * from unnest($10::uuid[], $11::smallint[], $12::uuid[], $13::uuid[], $14::text[], $15::int[], $16::int[],
                                  $17::uuid[], $18::uuid[], $19::timestamptz[])
                    as l (order_id, line_no, product_id, seller_id, name, quantity, unit_price_cents, movement_id, buyer_id, placed_at)
           ),
           ledger as (
             insert into products.stock_movements (id, product_id, delta, reason, order_id, actor_id, created_at)
             select movement_id, product_id, -quantity, 'ORDERED', order_id, buyer_id, placed_at from line
           ),
           sold as (
             insert into orders.order_lines (order_id, line_no, product_id, seller_id, name, quantity, unit_price_cents)
             select order_id, line_no, product_id, seller_id, name, quantity, unit_price_cents from line
           )
           select product_id from taken`,
    values: [
      [...sums.keys()],
      [...sums.values()],
      orders.map((order) => order.id),
      orders.map((order) => order.buyerId),
      orders.map(totalCents),
      orders.map((order) => order.currency),
      orders.map((order) => order.shippingAddress),
      orders.map((order) => order.notes),
      orders.map((order) => order.createdAt.toISOString()),
      lines.map((line) => line.order.id),
      lines.map((line) => line.no),
      lines.map((line) => line.productId),
      lines.map((line) => line.sellerId),
      lines.map((line) => line.name),
      lines.map((line) => line.quantity),
      lines.map((line) => line.unitPriceCents),
      lines.map(() => uuidv7()),
      lines.map((line) => line.order.buyerId),
      lines.map((line) => line.placedAt),
    ],
  })
  return new Set(written.rows.map((row) => row.product_id))
}
