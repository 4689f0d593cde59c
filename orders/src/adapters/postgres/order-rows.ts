import type pg from 'pg'
import { uuidv7 } from 'uuidv7'
import type { Placement } from '../../application/ports'
import { asOrder, placedOrder, totalCents, type Order, type OrderLine, type RequestedLine } from '../../domain/order'
import { UNPAID } from '../../domain/payment'
import type { LockedProduct } from './stock'

/** An order with its lines as JSON, one row an order: `select ORDER_COLUMNS from orders.orders o`. */
export const ORDER_COLUMNS = `o.id, o.buyer_id, o.status, o.currency, o.shipping_address, o.notes, o.version, o.created_at, o.updated_at,
  (select json_agg(json_build_object('productId', l.product_id, 'sellerId', l.seller_id, 'name', l.name,
                                     'quantity', l.quantity, 'unitPriceCents', l.unit_price_cents) order by l.line_no)
     from orders.order_lines l where l.order_id = o.id) as lines`

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
}

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
    { status: row.status, payment: UNPAID, shipments: [] },
  )

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
