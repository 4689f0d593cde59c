import { saleOf, type Sale } from '../domain/order'
import { err, ok, type Result } from '../domain/result'
import type { ShipmentStatus } from '../domain/shipment'
import { moveShipment, type InvalidTransition } from '../domain/transitions'
import type { Clock, OrderNotFound, OrderStore } from './ports'

export type MoveShipmentError = OrderNotFound | InvalidTransition

export type MoveShipment = (command: {
  orderId: string
  sellerId: string
  to: ShipmentStatus
}) => Promise<Result<Sale, MoveShipmentError>>

/** To a seller without a line in it, an order is as if it did not exist. */
export const makeMoveShipment =
  (deps: { orders: OrderStore; now: Clock }): MoveShipment =>
  async ({ orderId, sellerId, to }) => {
    const moved = await deps.orders.update<MoveShipmentError>(orderId, sellerId, (order) =>
      saleOf(order, sellerId) ? moveShipment(order, sellerId, to, deps.now()) : err({ code: 'order-not-found' }),
    )
    if (!moved.ok) return moved
    const sale = saleOf(moved.value, sellerId)
    return sale ? ok(sale) : err({ code: 'order-not-found' })
  }
