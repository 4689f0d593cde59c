import type { Order } from '../domain/order'
import { err, ok, type Result } from '../domain/result'
import type { OrderNotFound, OrderStore } from './ports'

export type ReadOrder = (query: { orderId: string; buyerId: string }) => Promise<Result<Order, OrderNotFound>>

/** A buyer's own order; another's is as if it did not exist. */
export const makeReadOrder =
  (deps: { orders: OrderStore }): ReadOrder =>
  async ({ orderId, buyerId }) => {
    const order = await deps.orders.find(orderId)
    return order?.buyerId === buyerId ? ok(order) : err({ code: 'order-not-found' })
  }
