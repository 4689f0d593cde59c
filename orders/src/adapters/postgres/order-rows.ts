import { type Order, type OrderLine } from '../../domain/order'

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

export const toOrder = (row: OrderRow): Order => ({
  id: row.id,
  buyerId: row.buyer_id,
  status: row.status,
  lines: row.lines,
  currency: row.currency,
  shippingAddress: row.shipping_address,
  notes: row.notes,
  version: row.version,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
})
