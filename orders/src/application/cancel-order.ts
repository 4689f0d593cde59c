import type { Order } from '../domain/order'
import { err, type Result } from '../domain/result'
import { cancel, type OrderNotCancellable } from '../domain/transitions'
import type { Clock, OrderNotFound, OrderStore } from './ports'

export type CancelOrderError = OrderNotFound | OrderNotCancellable

export type CancelOrder = (command: { orderId: string; buyerId: string }) => Promise<Result<Order, CancelOrderError>>

/** Another's order is told apart from a missing one by nobody. */
export const makeCancelOrder =
  (deps: { orders: OrderStore; now: Clock }): CancelOrder =>
  ({ orderId, buyerId }) =>
    deps.orders.update<CancelOrderError>(orderId, buyerId, (order) =>
      order.buyerId === buyerId ? cancel(order, deps.now()) : err({ code: 'order-not-found' }),
    )
