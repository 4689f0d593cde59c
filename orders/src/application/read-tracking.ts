import { saleOf } from '../domain/order'
import { err, ok, type Result } from '../domain/result'
import type { NumberedEntry, OrderNotFound, OrderStore, TrackingQuery } from './ports'

export type ReadTracking = (
  query: { callerId: string } & Omit<TrackingQuery, 'sellerId'>,
) => Promise<Result<NumberedEntry[], OrderNotFound>>

/** The buyer sees everything; a seller of the order sees what it has reached, and the own shipment; nobody else sees it. */
export const makeReadTracking =
  ({ orders }: { orders: OrderStore }): ReadTracking =>
  async ({ callerId, ...query }) => {
    const order = await orders.find(query.orderId)
    if (order?.buyerId === callerId) return ok(await orders.tracking({ ...query, sellerId: undefined }))
    return order && saleOf(order, callerId)
      ? ok(await orders.tracking({ ...query, sellerId: callerId }))
      : err({ code: 'order-not-found' })
  }
