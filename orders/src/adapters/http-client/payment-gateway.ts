import { z } from 'zod'
import type { PaymentGateway } from '../../application/ports'

const Charged = z.discriminatedUnion('status', [
  z.object({ status: z.literal('SUCCEEDED') }),
  z.object({ status: z.literal('DECLINED'), declineReason: z.string() }),
])
const Settled = z.object({ status: z.enum(['SUCCEEDED', 'DECLINED', 'NOT_CHARGED']) })
const Refunded = z.object({ status: z.literal('REFUNDED') })
const Problem = z.object({ code: z.string() })

/** Refusals after which nothing was charged under the payment id and nothing will be. */
const NOTHING_CHARGED = ['temporarily-unavailable', 'payment-closed']

/** How a connection fails before anything was sent on it. */
const NEVER_SENT = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT']

/**
 * The gateway's HTTP API, on Node's own client, which keeps its connections open. A call is sent once: whoever wants to know
 * more asks `settle`. `timeoutMs` bounds all of it, from the connection to the last byte of the answer.
 */
export function httpPaymentGateway({ url, timeoutMs = 5_000 }: { url: string; timeoutMs?: number }): PaymentGateway {
  async function post(path: string, body: object): Promise<{ status: number; body: unknown } | 'never sent' | 'lost'> {
    const target = new URL(path, url)
    const text = JSON.stringify(body)
    try {
      const response = await fetch(target, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: text,
        redirect: 'error', // card data goes nowhere else
        signal: AbortSignal.timeout(timeoutMs),
      })
      return { status: response.status, body: await response.json() }
    } catch (error) {
      // Whatever else broke the exchange (time, connection, an answer that is no JSON), the gateway may have done its part.
      const { code } = ((error as Error).cause ?? {}) as { code?: string }
      return code !== undefined && NEVER_SENT.includes(code) ? 'never sent' : 'lost'
    }
  }

  /** A refusal that nobody expects is a fault of ours. Its text stays out: it could quote what was sent. */
  function unexpected(call: string, status: number, code: string): never {
    throw new Error(`the payment gateway refused to ${call}: ${status} ${code}`)
  }
  const codeOf = (body: unknown): string => Problem.safeParse(body).data?.code ?? 'unknown'

  /** Asks for what has one good answer, and is asked for again until it comes. */
  async function ask<Status>(
    call: 'settle' | 'refund',
    paymentId: string,
    answer: z.ZodType<{ status: Status }>,
  ): Promise<Status | 'UNKNOWN'> {
    const reply = await post(`/charges/${paymentId}/${call}`, {})
    if (typeof reply === 'string' || reply.status >= 500) return 'UNKNOWN'
    return reply.status === 200 ? answer.parse(reply.body).status : unexpected(call, reply.status, codeOf(reply.body))
  }

  return {
    charge: async ({ paymentId, reference, amountCents, currency, card: { number, expMonth, expYear, cvc } }) => {
      const card = { number, expMonth, expYear, cvc }
      const reply = await post('/charges', { paymentId, reference, amountCents, currency, card })
      if (reply === 'never sent') return { outcome: 'UNAVAILABLE' }
      if (reply === 'lost') return { outcome: 'UNKNOWN' }
      if (reply.status === 200) {
        const charged = Charged.parse(reply.body)
        return charged.status === 'DECLINED'
          ? { outcome: 'DECLINED', reason: charged.declineReason }
          : { outcome: 'SUCCEEDED' }
      }
      const code = codeOf(reply.body)
      if (NOTHING_CHARGED.includes(code)) return { outcome: 'UNAVAILABLE' }
      return reply.status >= 500 ? { outcome: 'UNKNOWN' } : unexpected('charge', reply.status, code)
    },
    settle: (paymentId) => ask('settle', paymentId, Settled),
    refund: (paymentId) => ask('refund', paymentId, Refunded),
  }
}
