import { err, ok, type Result } from './result'

/** What a buyer asks for. */
export type RequestedLine = { productId: string; quantity: number }

/** What was sold: name, price (integer minor units) and seller as they were when the order was placed. */
export type OrderLine = RequestedLine & { sellerId: string; name: string; unitPriceCents: number }

type Terms = {
  id: string
  buyerId: string
  lines: readonly OrderLine[]
  currency: string
  shippingAddress: string | null
  notes: string | null
  /** Counts changes, from 1. */
  version: number
  createdAt: Date
  updatedAt: Date
}

/** Until its first shipment is packed an order can be cancelled. */
type Cancellable = Terms & { status: 'PLACED' | 'PAID' }
type UnderWay = Terms & { status: 'PACKED' | 'OUT_FOR_DELIVERY' | 'DELIVERED' }
type Cancelled = Terms & { status: 'CANCELLED' }
export type Order = Cancellable | UnderWay | Cancelled

export const ORDER_STATUSES = [
  'PLACED',
  'PAID',
  'PACKED',
  'OUT_FOR_DELIVERY',
  'DELIVERED',
  'CANCELLED',
] as const satisfies readonly Order['status'][]

export const lineTotalCents = (line: OrderLine): number => line.quantity * line.unitPriceCents
export const totalCents = (order: Order): number => order.lines.reduce((sum, line) => sum + lineTotalCents(line), 0)

export const MAX_LINES = 100
export const MAX_QUANTITY = 1000

export type QuantityOverLimit = { code: 'quantity-over-limit'; productIds: string[] }

/**
 * One line a product, in the order of first mention: an UPDATE joined to two rows of one product would take only one of
 * them. The limit of a line holds for the sum.
 */
export function mergeLines(lines: readonly RequestedLine[]): Result<RequestedLine[], QuantityOverLimit> {
  const quantities = new Map<string, number>()
  for (const { productId, quantity } of lines) quantities.set(productId, (quantities.get(productId) ?? 0) + quantity)
  const merged = [...quantities].map(([productId, quantity]) => ({ productId, quantity }))
  const over = merged.filter(({ quantity }) => quantity > MAX_QUANTITY)
  return over.length > 0
    ? err({ code: 'quantity-over-limit', productIds: over.map((line) => line.productId) })
    : ok(merged)
}

export type OrderNotCancellable = { code: 'order-not-cancellable'; status: UnderWay['status'] }

/** What a transition makes of an order, and the units that go back into stock with it. */
export type OrderChange = { order: Order; returned: readonly RequestedLine[] }

/** Repeatable: a cancelled order stays as it is and returns nothing twice. */
export function cancel(order: Order, now: Date): Result<OrderChange, OrderNotCancellable> {
  switch (order.status) {
    case 'PLACED':
    case 'PAID':
      return ok({
        order: { ...order, status: 'CANCELLED', version: order.version + 1, updatedAt: now },
        returned: order.lines.map(({ productId, quantity }) => ({ productId, quantity })),
      })
    case 'CANCELLED':
      return ok({ order, returned: [] })
    case 'PACKED':
    case 'OUT_FOR_DELIVERY':
    case 'DELIVERED':
      return err({ code: 'order-not-cancellable', status: order.status })
  }
}
