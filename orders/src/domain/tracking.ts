import type { Order } from './order'
import type { ShipmentStatus } from './shipment'

/** Something that was reached: by a seller's shipment, or by the order. */
export type TrackingEntry =
  { at: Date; sellerId: null; status: Order['status'] } | { at: Date; sellerId: string; status: ShipmentStatus }

/** How an order's history begins: it follows from the order, and is written nowhere. */
export const firstEntry = (order: Pick<Order, 'createdAt'>): TrackingEntry => ({
  at: order.createdAt,
  sellerId: null,
  status: 'PLACED',
})

/** What a change adds to the history: causes first, that is moved shipments, then the order, then the shipments it has got. */
export function trackingBetween(before: Order, after: Order): TrackingEntry[] {
  const at = after.updatedAt
  const was = new Map(before.shipments.map((shipment) => [shipment.sellerId, shipment.status]))
  const entries = after.shipments
    .filter(({ sellerId, status }) => was.get(sellerId) !== status)
    .map(({ sellerId, status }): TrackingEntry => ({ at, sellerId, status }))
  const order: TrackingEntry[] = after.status === before.status ? [] : [{ at, sellerId: null, status: after.status }]
  return before.shipments.length === 0 ? [...order, ...entries] : [...entries, ...order]
}
