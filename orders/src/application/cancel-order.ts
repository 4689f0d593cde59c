import type { Order } from '../domain/order'
import { err, ok, type Result } from '../domain/result'
import { cancel, type OrderNotCancellable } from '../domain/transitions'
import type { Clock, OrderNotFound, OrderStore } from './ports'
import type { Refund } from './settle-payment'

export type CancelOrderError = OrderNotFound | OrderNotCancellable

export type CancelOrder = (command: { orderId: string; buyerId: string }) => Promise<Result<Order, CancelOrderError>>

/**
 * Another's order is told apart from a missing one by nobody. What was paid is refunded after the cancellation is kept; should the
 * gateway be away, a sweep or a repeat finishes.
 */
export const makeCancelOrder =
  (deps: { orders: OrderStore; now: Clock; refund: Refund }): CancelOrder =>
  async ({ orderId, buyerId }) => {
    const cancelled = await deps.orders.update<CancelOrderError>(orderId, buyerId, (order) =>
      order.buyerId === buyerId ? cancel(order, deps.now()) : err({ code: 'order-not-found' }),
    )
    return cancelled.ok ? ok(await deps.refund(cancelled.value)) : cancelled
  }
