import type { Order } from '../domain/order'
import type { AttemptOutcome } from '../domain/payment'
import { finishPayment, finishRefund } from '../domain/transitions'
import type { Clock, OrderStore, PaymentGateway, Receipt } from './ports'
import { sweep, type ReportLeftOver, type Stopping } from './sweep'

type Deps = { orders: OrderStore; gateway: PaymentGateway; now: Clock }

/** Gives back what was charged for a cancelled order. While the gateway is away the order stays as it is, for a later try. */
export type Refund = (order: Order) => Promise<Order>

export const makeRefund =
  ({ orders, gateway, now }: Deps): Refund =>
  async (order) => {
    if (order.payment.status !== 'REFUND_PENDING') return order
    if ((await gateway.refund(order.payment.attempt.id)) === 'UNKNOWN') return order
    return kept(await orders.update(order.id, null, (current) => finishRefund(current, now())))
  }

/** Records what came of a charge. A late one, of an order that was cancelled meanwhile, is refunded at once. */
export type SettlePayment = (charge: { orderId: string; paymentId: string; outcome: AttemptOutcome }) => Promise<Order>

/** `paymentReceipt` is what a repeat of the call that paid will get. */
export const makeSettlePayment =
  (deps: Deps & { paymentReceipt: (order: Order) => Receipt; refund: Refund }): SettlePayment =>
  async ({ orderId, paymentId, outcome }) =>
    deps.refund(
      kept(
        await deps.orders.update(
          orderId,
          null,
          (order) => finishPayment(order, paymentId, outcome, deps.now()),
          (order) => (order.payment.status === 'PAID' ? deps.paymentReceipt(order) : undefined),
        ),
      ),
    )

/** An order is never deleted, and what has happened is not refused. */
function kept(updated: { ok: true; value: Order } | { ok: false; error: { code: string } }): Order {
  if (!updated.ok) throw new Error(`what came of a payment could not be kept: ${updated.error.code}`)
  return updated.value
}

/** Longer than a charge can be under way in a call. */
const CALL_MS = 10_000
/** Few, for the gateway's sake; more than one, as a call that nobody answers takes 5 s of everybody behind it. */
const AT_ONCE = 5

/** Finds out what came of charges whose calls ended without an answer: by a lost connection, a crash, a gateway that was away. */
export const makeSettleOpenPayments =
  (deps: Deps & { settlePayment: SettlePayment; reportLeftOver: ReportLeftOver }) =>
  (stopping?: Stopping): Promise<void> =>
    sweep({
      list: deps.orders.pendingPayments,
      until: new Date(deps.now().getTime() - CALL_MS),
      work: async ({ orderId, paymentId }) => {
        const outcome = await deps.gateway.settle(paymentId)
        if (outcome !== 'UNKNOWN') await deps.settlePayment({ orderId, paymentId, outcome })
      },
      atOnce: AT_ONCE,
      reportLeftOver: deps.reportLeftOver,
      stopping,
    })

/** Gives back what the gateway did not confirm when it was asked, in the same way. */
export const makeGiveOpenRefunds =
  (deps: Deps & { refund: Refund; reportLeftOver: ReportLeftOver }) =>
  (stopping?: Stopping): Promise<void> =>
    sweep({
      list: deps.orders.pendingRefunds,
      until: new Date(deps.now().getTime() - CALL_MS),
      work: async ({ orderId }) => {
        const order = await deps.orders.find(orderId)
        if (order) await deps.refund(order)
      },
      atOnce: AT_ONCE,
      reportLeftOver: deps.reportLeftOver,
      stopping,
    })
