import {
  asOrder,
  holdUntil,
  sellersOf,
  totalCents,
  type Order,
  type PaidOrder,
  type PlacedOrder,
  type RequestedLine,
} from './order'
import type { AttemptOutcome, Card, Payment, Pending } from './payment'
import { err, ok, type Result } from './result'
import { isUnpacked, nextStep, statusOf, type Shipment, type ShipmentStatus } from './shipment'

/**
 * What a transition makes of an order, and the units that go back into stock with it. A part that is the same object as
 * before has not changed, nor has an order.
 */
export type OrderChange = { order: Order; returned: readonly RequestedLine[] }

const same = (order: Order): OrderChange => ({ order, returned: [] })
const changed = (
  { status, payment, shipments, ...terms }: Order,
  parts: Partial<{ status: Order['status']; payment: Payment; shipments: readonly Shipment[] }>,
  now: Date,
): Order => asOrder({ ...terms, version: terms.version + 1, updatedAt: now }, { status, payment, shipments, ...parts })

export type OrderNotPayable = { code: 'order-not-payable'; status: 'CANCELLED' }
export type OrderAlreadyPaid = { code: 'order-already-paid'; status: PaidOrder['status'] }
export type PaymentInProgress = { code: 'payment-in-progress'; status: 'PLACED' }

/** An order with a charge that the gateway is to be asked for. */
export type PaymentStarted = { order: PlacedOrder & { payment: Pending }; returned: readonly [] }

/** To be kept before the gateway is asked to charge: `attempt.id` is what it will know the charge by. */
export function startPayment(
  order: Order,
  attempt: { id: string; card: Card },
  now: Date,
): Result<PaymentStarted, OrderNotPayable | OrderAlreadyPaid | PaymentInProgress> {
  if (order.status === 'CANCELLED') return err({ code: 'order-not-payable', status: order.status })
  if (order.status !== 'PLACED') return err({ code: 'order-already-paid', status: order.status })
  if (order.payment.status === 'PENDING') return err({ code: 'payment-in-progress', status: order.status })
  const { id, card } = attempt
  const pending = { id, card, amountCents: totalCents(order), requestedAt: now }
  const payment: Pending = { status: 'PENDING', attempt: pending }
  return ok({ order: { ...order, payment, version: order.version + 1, updatedAt: now }, returned: [] })
}

/**
 * What the gateway says of a charge. A paid order gets its shipments; a charge that comes after the order was cancelled is to be
 * refunded. Repeatable: what is settled stays, whatever is said of it again.
 */
export function finishPayment(
  order: Order,
  attemptId: string,
  outcome: AttemptOutcome,
  now: Date,
): Result<OrderChange, never> {
  if (order.payment.status !== 'PENDING' || order.payment.attempt.id !== attemptId) return ok(same(order))
  const settled = { attempt: order.payment.attempt, settledAt: now }
  if (outcome !== 'SUCCEEDED')
    return ok({ order: changed(order, { payment: { ...settled, status: 'FAILED', outcome } }, now), returned: [] })
  if (order.status === 'CANCELLED') {
    const payment: Payment = { ...settled, status: 'REFUND_PENDING', refundRequestedAt: now }
    return ok({ order: changed(order, { payment }, now), returned: [] })
  }
  const shipments = sellersOf(order).map((sellerId): Shipment => ({
    sellerId,
    status: 'PENDING',
    createdAt: now,
    updatedAt: now,
  }))
  const parts = { status: 'PAID', payment: { ...settled, status: 'PAID' }, shipments } as const
  return ok({ order: changed(order, parts, now), returned: [] })
}

/** The gateway has given the money back. Repeatable. */
export function finishRefund(order: Order, now: Date): Result<OrderChange, never> {
  if (order.payment.status !== 'REFUND_PENDING') return ok(same(order))
  return ok({
    order: changed(order, { payment: { ...order.payment, status: 'REFUNDED', refundedAt: now } }, now),
    returned: [],
  })
}

export type OrderNotCancellable = { code: 'order-not-cancellable'; status: PaidOrder['status'] }

/**
 * Possible until the first shipment is packed; what was paid is to be refunded, and a charge under way stays to be settled.
 * Repeatable: a cancelled order stays as it is and returns nothing twice.
 */
export function cancel(order: Order, now: Date): Result<OrderChange, OrderNotCancellable> {
  if (order.status === 'CANCELLED') return ok(same(order))
  if (order.status === 'PLACED') return ok(cancelled(order, order.payment, now))
  if (!order.shipments.every(isUnpacked)) return err({ code: 'order-not-cancellable', status: order.status })
  return ok(cancelled(order, { ...order.payment, status: 'REFUND_PENDING', refundRequestedAt: now }, now))
}

export type HoldNotOver = { code: 'hold-not-over'; status: Order['status'] }

/** Cancels an order that was not paid in time, also when a charge is under way: should that succeed, it is refunded. */
export function expire(order: Order, holdMinutes: number, now: Date): Result<OrderChange, HoldNotOver> {
  const until = holdUntil(order, holdMinutes)
  if (order.status !== 'PLACED' || until === null || until > now)
    return err({ code: 'hold-not-over', status: order.status })
  return ok(cancelled(order, order.payment, now))
}

const cancelled = (order: PlacedOrder | PaidOrder, payment: Payment, now: Date): OrderChange => ({
  order: changed(order, { status: 'CANCELLED', payment }, now),
  returned: order.lines.map(({ productId, quantity }) => ({ productId, quantity })),
})

/** `from` is the shipment's state, or the order's when it has no shipments to move. */
export type InvalidTransition = {
  code: 'invalid-transition'
  from: ShipmentStatus | 'PLACED' | 'CANCELLED'
  to: ShipmentStatus
}

/** Moves the shipment of one of the order's sellers one step; a step that was made is none. */
export function moveShipment(
  order: Order,
  sellerId: string,
  to: ShipmentStatus,
  now: Date,
): Result<OrderChange, InvalidTransition> {
  if (order.status === 'PLACED' || order.status === 'CANCELLED')
    return err({ code: 'invalid-transition', from: order.status, to })
  const current = order.shipments.find((shipment) => shipment.sellerId === sellerId)
  if (!current) throw new Error(`${sellerId} sells nothing of order ${order.id}`)
  if (nextStep(current.status) !== to) return err({ code: 'invalid-transition', from: current.status, to })
  const move = (shipment: Shipment): Shipment =>
    shipment === current ? { ...current, status: to, updatedAt: now } : shipment
  const [first, ...rest] = order.shipments
  const shipments = [move(first), ...rest.map(move)] as const
  return ok({ order: changed(order, { status: statusOf(shipments), shipments }, now), returned: [] })
}
