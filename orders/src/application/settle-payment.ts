import type { Order } from '../domain/order'
import type { AttemptOutcome } from '../domain/payment'
import { finishPayment, finishRefund } from '../domain/transitions'
import type { Clock, OrderStore, PaymentGateway, Receipt } from './ports'

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
const BITE = 100

/**
 * Finds out what came of charges and refunds whose calls ended without an answer: by a lost connection, a crash, a gateway that
 * was away. Any replica, any number of times. Raises what went wrong after having tried all of them, or those before `stopping` says
 * so: a gateway that answers nobody takes 5 s for each.
 */
export const makeSettleOpenPayments =
  ({ orders, gateway, now, settlePayment, refund }: Deps & { settlePayment: SettlePayment; refund: Refund }) =>
  async (stopping?: { readonly aborted: boolean }): Promise<void> => {
    const since = { until: new Date(now().getTime() - CALL_MS), limit: BITE }
    const failures: unknown[] = []
    const attempt = (work: () => Promise<unknown>) => work().catch((error: unknown) => failures.push(error))
    for (const charge of await orders.pendingPayments(since)) {
      if (stopping?.aborted) break
      await attempt(async () => {
        const outcome = await gateway.settle(charge.paymentId)
        if (outcome !== 'UNKNOWN') await settlePayment({ ...charge, outcome })
      })
    }
    for (const { orderId } of await orders.pendingRefunds(since)) {
      if (stopping?.aborted) break
      await attempt(async () => {
        const order = await orders.find(orderId)
        if (order) await refund(order)
      })
    }
    if (failures.length > 0) throw new AggregateError(failures, 'payments could not be settled')
  }
