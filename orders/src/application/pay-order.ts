import type { Order } from '../domain/order'
import type { Card } from '../domain/payment'
import { err, ok, type Result } from '../domain/result'
import {
  startPayment,
  type OrderAlreadyPaid,
  type OrderNotPayable,
  type PaymentInProgress,
} from '../domain/transitions'
import type {
  Begun,
  CardDetails,
  Clock,
  KeyClaim,
  KeyRefusal,
  NewId,
  OrderNotFound,
  OrderStore,
  PaymentGateway,
} from './ports'
import type { SettlePayment } from './settle-payment'

export type PaymentDeclined = { code: 'payment-declined'; reason: string }
export type GatewayUnavailable = { code: 'gateway-unavailable' }
export type PayOrderError =
  | OrderNotFound
  | OrderNotPayable
  | OrderAlreadyPaid
  | PaymentInProgress
  | KeyRefusal
  | PaymentDeclined
  | GatewayUnavailable

export type PayOrder = (command: {
  orderId: string
  buyerId: string
  card: CardDetails
  /** What is kept of the card. */
  face: Card
  once: KeyClaim | undefined
}) => Promise<Result<Begun, PayOrderError>>

/**
 * The intent is kept before the gateway is asked, nothing is locked while it is, and what it says is kept after. A charge of which
 * nothing is heard stays pending until it is known what came of it.
 */
export const makePayOrder =
  (deps: {
    orders: OrderStore
    gateway: PaymentGateway
    now: Clock
    newId: NewId
    settlePayment: SettlePayment
  }): PayOrder =>
  async ({ orderId, buyerId, card, face, once }) => {
    const paymentId = deps.newId(deps.now())
    const begun = await deps.orders.begin<OrderNotFound | OrderNotPayable | OrderAlreadyPaid | PaymentInProgress>(
      orderId,
      once,
      (order) =>
        order.buyerId === buyerId
          ? startPayment(order, { id: paymentId, card: face }, deps.now())
          : err({ code: 'order-not-found' }),
    )
    if (!begun.ok || begun.value.repeated) return begun
    const { payment, currency } = begun.value.order
    if (payment.status !== 'PENDING') throw new Error(`payment ${paymentId} did not begin`)

    const { amountCents } = payment.attempt
    const charge = await deps.gateway.charge({ paymentId, reference: orderId, amountCents, currency, card })
    if (charge.outcome === 'UNKNOWN') return err({ code: 'gateway-unavailable' })
    const outcome = charge.outcome === 'UNAVAILABLE' ? 'NOT_CHARGED' : charge.outcome
    const order = await deps.settlePayment({ orderId, paymentId, outcome })
    if (wasPaidBy(order, paymentId)) return ok({ repeated: false, order })
    if (order.status === 'CANCELLED') return err({ code: 'order-not-payable', status: order.status })
    return charge.outcome === 'DECLINED'
      ? err({ code: 'payment-declined', reason: charge.reason })
      : err({ code: 'gateway-unavailable' })
  }

const wasPaidBy = ({ payment }: Order, paymentId: string): boolean =>
  payment.status === 'PAID' && payment.attempt.id === paymentId
