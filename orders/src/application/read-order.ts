import type { Order } from '../domain/order'
import { err, ok, type Result } from '../domain/result'
import type { OrderNotFound, OrderStore } from './ports'

export type Reader = { buyerId: string } | 'admin'

export type ReadOrder = (query: { orderId: string; reader: Reader }) => Promise<Result<Order, OrderNotFound>>

/** A buyer's own order, to an admin any; another's is as if it did not exist. */
export const makeReadOrder =
  (deps: { orders: OrderStore }): ReadOrder =>
  async ({ orderId, reader }) => {
    const order = await deps.orders.find(orderId)
    return order && (reader === 'admin' || order.buyerId === reader.buyerId)
      ? ok(order)
      : err({ code: 'order-not-found' })
  }
