import type { ChargeOutcome, ChargeRequest, PaymentGateway } from '../../application/ports'

export type MemoryPayment = {
  /** Undefined when the id was closed before a charge came. */
  charge: (Omit<ChargeRequest, 'paymentId' | 'card'> & { last4: string }) | undefined
  status: 'SUCCEEDED' | 'DECLINED' | 'NOT_CHARGED'
  refunds: number
}

const SUCCEEDS = '4242424242424242'
const FAILS_AT_FIRST = '4000000000000119'

const OUTCOMES: Record<MemoryPayment['status'], ChargeOutcome> = {
  SUCCEEDED: { outcome: 'SUCCEEDED' },
  DECLINED: { outcome: 'DECLINED', reason: 'card-declined' },
  NOT_CHARGED: { outcome: 'UNAVAILABLE' },
}

/** One synchronous step, so that nothing can come between; what it raises is a rejection all the same. */
const step = <T>(work: () => T): Promise<T> => new Promise((resolve) => resolve(work()))

/** A gateway in this process, over books by payment id that tests arrange and inspect. It knows the test cards. */
export function memoryPaymentGateway(books: Map<string, MemoryPayment>): PaymentGateway {
  const decide = ({ reference, card }: ChargeRequest): MemoryPayment['status'] => {
    if (card.number !== FAILS_AT_FIRST) return card.number === SUCCEEDS ? 'SUCCEEDED' : 'DECLINED'
    const failed = [...books.values()].some(
      ({ charge, status }) => charge?.reference === reference && status === 'NOT_CHARGED',
    )
    return failed ? 'SUCCEEDED' : 'NOT_CHARGED'
  }

  const add = (paymentId: string, payment: Omit<MemoryPayment, 'refunds'>): MemoryPayment => {
    const added = { ...payment, refunds: 0 }
    books.set(paymentId, added)
    return added
  }

  return {
    charge: (request) =>
      step(() => {
        const { paymentId, reference, amountCents, currency, card } = request
        const charge = { reference, amountCents, currency, last4: card.number.slice(-4) }
        const payment = books.get(paymentId) ?? add(paymentId, { charge, status: decide(request) })
        if (payment.charge && JSON.stringify(payment.charge) !== JSON.stringify(charge))
          throw new Error(`another charge was asked for under ${paymentId}`)
        return OUTCOMES[payment.status]
      }),

    settle: (paymentId) =>
      step(() => (books.get(paymentId) ?? add(paymentId, { charge: undefined, status: 'NOT_CHARGED' })).status),

    refund: (paymentId) =>
      step(() => {
        const payment = books.get(paymentId)
        if (payment?.status !== 'SUCCEEDED') throw new Error(`nothing was charged under ${paymentId}`)
        payment.refunds = 1
        return 'REFUNDED'
      }),
  }
}
