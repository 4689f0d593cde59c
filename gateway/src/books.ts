import { z } from 'zod'
import type { CardFace } from '@shop/platform/cards'
import { err, ok, type Result } from '@shop/platform/result'
import type { Verdict } from './cards'
import type { Journal } from './journal'

/** What is asked for under one payment id. */
export type Charge = { paymentId: string; reference: string; amountCents: number; currency: string; card: CardFace }

/** One payment id in the books. An id that was closed before any charge came has nothing but its status. */
export type Payment = {
  paymentId: string
  charge: Charge | null
  status: 'SUCCEEDED' | 'DECLINED' | 'NOT_CHARGED'
  declineReason: string | null
  createdAt: string
  refundedAt: string | null
}

const at = { at: z.string(), paymentId: z.string() }
export const Entry = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('charge'),
    ...at,
    reference: z.string(),
    amountCents: z.number(),
    currency: z.string(),
    card: z.strictObject({ brand: z.string(), last4: z.string() }),
    status: z.enum(['SUCCEEDED', 'DECLINED', 'NOT_CHARGED']),
    declineReason: z.string().nullable(),
  }),
  z.strictObject({ type: z.literal('close'), ...at }),
  z.strictObject({ type: z.literal('refund'), ...at }),
])
export type Entry = z.infer<typeof Entry>

export type ChargeRefusal = 'payment-closed' | 'payment-id-reused'
export type RefundRefusal = 'payment-not-found' | 'payment-not-charged'

/** Every promise resolves when what it tells is on the disk, so that no crash can take an answer back. */
export type Books = {
  /** Once a payment id: the same charge again gets the same outcome, whatever `verdict` would say now. */
  charge: (charge: Charge, verdict: Verdict) => Promise<Result<Payment, ChargeRefusal>>
  /** What came of an id. One that was never charged is closed: whatever comes for it later is refused. */
  settle: (paymentId: string) => Promise<Payment>
  /** Once a payment id. */
  refund: (paymentId: string) => Promise<Result<Payment, RefundRefusal>>
  find: (paymentId: string) => Promise<Payment | undefined>
  /** In the order in which the ids were first seen; `after` counts those to be left out. */
  list: (query: { reference: string | undefined; after: number; limit: number }) => Promise<Payment[]>
}

/** Everything is decided in one synchronous step and in memory, so that nothing comes between; then it is written. */
export function openBooks(journal: Journal<Entry>, entries: readonly Entry[], now: () => Date): Books {
  const payments = new Map<string, Payment>()
  const ids: string[] = []
  const idsOf = new Map<string, string[]>()
  /** References of which a charge has failed. */
  const failed = new Set<string>()

  function add(payment: Payment): Payment {
    payments.set(payment.paymentId, payment)
    ids.push(payment.paymentId)
    const { charge } = payment
    if (!charge) return payment
    const others = idsOf.get(charge.reference)
    if (others) others.push(charge.paymentId)
    else idsOf.set(charge.reference, [charge.paymentId])
    if (payment.status === 'NOT_CHARGED') failed.add(charge.reference)
    return payment
  }

  /** The same for what happens now and for what is read from the journal. */
  function apply(entry: Entry): Payment {
    const { paymentId, at: createdAt } = entry
    switch (entry.type) {
      case 'charge': {
        const { reference, amountCents, currency, card, status, declineReason } = entry
        const charge = { paymentId, reference, amountCents, currency, card }
        return add({ paymentId, charge, status, declineReason, createdAt, refundedAt: null })
      }
      case 'close':
        return add({ paymentId, charge: null, status: 'NOT_CHARGED', declineReason: null, createdAt, refundedAt: null })
      case 'refund': {
        const payment = payments.get(paymentId)
        if (!payment) throw new Error(`the books refund ${paymentId}, which they do not have`)
        const refunded = { ...payment, refundedAt: entry.at }
        payments.set(paymentId, refunded)
        return refunded
      }
    }
  }

  async function record(entry: Entry): Promise<Payment> {
    const payment = apply(entry)
    await journal.append(entry)
    return payment
  }

  async function read<T>(value: T): Promise<T> {
    await journal.written()
    return value
  }

  for (const entry of entries) apply(entry)
  const at = () => now().toISOString()

  return {
    charge: async (charge, verdict) => {
      const known = payments.get(charge.paymentId)
      if (known?.charge === null) return read(err('payment-closed'))
      if (known) return read(isSame(known.charge, charge) ? ok(known) : err('payment-id-reused'))
      const decided =
        verdict.status === 'FAILS_AT_FIRST'
          ? { status: failed.has(charge.reference) ? ('SUCCEEDED' as const) : ('NOT_CHARGED' as const) }
          : verdict
      return ok(await record({ type: 'charge', at: at(), declineReason: null, ...charge, ...decided }))
    },
    settle: (paymentId) => {
      const known = payments.get(paymentId)
      return known ? read(known) : record({ type: 'close', at: at(), paymentId })
    },
    refund: async (paymentId) => {
      const known = payments.get(paymentId)
      if (!known) return read(err('payment-not-found'))
      if (known.status !== 'SUCCEEDED') return read(err('payment-not-charged'))
      return ok(await (known.refundedAt === null ? record({ type: 'refund', at: at(), paymentId }) : read(known)))
    },
    find: (paymentId) => read(payments.get(paymentId)),
    list: ({ reference, after, limit }) => {
      const wanted = reference === undefined ? ids : (idsOf.get(reference) ?? [])
      return read(wanted.slice(after, after + limit).flatMap((id) => payments.get(id) ?? []))
    },
  }
}

/** As far as the books can tell: of a card they know brand and last four digits. */
const isSame = (a: Charge, b: Charge): boolean =>
  a.reference === b.reference &&
  a.amountCents === b.amountCents &&
  a.currency === b.currency &&
  a.card.brand === b.card.brand &&
  a.card.last4 === b.card.last4
