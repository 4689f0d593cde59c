/** What is known of a card: never its number. */
export type Card = { brand: string; last4: string }

/** One try to charge the order's total; its id names it to the gateway, so that no try is ever charged twice. */
export type Attempt = { id: string; amountCents: number; card: Card; requestedAt: Date }

/** What came of a try. NOT_CHARGED: the gateway never had it, or could not do it, and never will. */
export type AttemptOutcome = 'SUCCEEDED' | 'DECLINED' | 'NOT_CHARGED'

type Settled = { attempt: Attempt; settledAt: Date }

export type Unpaid = { status: 'UNPAID' }
/** A charge is under way: what came of it is not known yet. */
export type Pending = { status: 'PENDING'; attempt: Attempt }
/** May be tried again. */
export type Failed = Settled & { status: 'FAILED'; outcome: Exclude<AttemptOutcome, 'SUCCEEDED'> }
export type Paid = Settled & { status: 'PAID' }
export type RefundPending = Settled & { status: 'REFUND_PENDING'; refundRequestedAt: Date }
export type Refunded = Settled & { status: 'REFUNDED'; refundRequestedAt: Date; refundedAt: Date }

/** The last try of an order, if there was one: the ones before it have failed. */
export type Payment = Unpaid | Pending | Failed | Paid | RefundPending | Refunded

export const PAYMENT_STATUSES = [
  'UNPAID',
  'PENDING',
  'PAID',
  'FAILED',
  'REFUND_PENDING',
  'REFUNDED',
] as const satisfies readonly Payment['status'][]

export const UNPAID: Unpaid = { status: 'UNPAID' }

/** Nothing has been charged, as far as is known. */
export const isUncharged = (payment: Payment): payment is Unpaid | Pending | Failed =>
  payment.status === 'UNPAID' || payment.status === 'PENDING' || payment.status === 'FAILED'

export const isRefund = (payment: Payment): payment is RefundPending | Refunded =>
  payment.status === 'REFUND_PENDING' || payment.status === 'REFUNDED'
