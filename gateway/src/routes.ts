import { z } from 'zod'
import { faceOf } from '@shop/platform/cards'
import { cursors, page } from '@shop/platform/cursors'
import { problem } from '@shop/platform/problems'
import { reply, routesOf } from '@shop/platform/routes'
import type { Books } from './books'
import { verdictOn } from './cards'
import { PROBLEMS } from './problems'
import {
  ChargeBody,
  Charged,
  ListQuery,
  PaymentPage,
  PaymentParams,
  PaymentView,
  Refunded,
  Settled,
  paymentView,
} from './schemas'

const route = routesOf<{ books: Books; now: () => Date }>()(PROBLEMS)

// Whoever reaches this process may make its calls: it stands on the network of the services alone.
const common = { tag: 'payments', access: 'credentials' } as const

export const routes = [
  route(
    {
      ...common,
      method: 'post',
      path: '/charges',
      operationId: 'charge',
      summary: 'Charge a card, once a payment id',
      body: ChargeBody,
      responses: { 200: { description: 'What came of it, now or at the first call.', body: Charged } },
      problems: ['payment-closed', 'payment-id-reused', 'temporarily-unavailable'],
    },
    async ({ body: { card, ...charge } }, { books, now }) => {
      const charged = await books.charge({ ...charge, card: faceOf(card.number) }, verdictOn(card, now()))
      if (!charged.ok) return problem(charged.error)
      const { paymentId, status, declineReason } = charged.value
      return status === 'NOT_CHARGED'
        ? problem('temporarily-unavailable')
        : reply(200, { paymentId, status, declineReason })
    },
  ),
  route(
    {
      ...common,
      method: 'get',
      path: '/charges',
      operationId: 'listPayments',
      summary: 'The books, oldest first',
      query: ListQuery,
      responses: { 200: { description: 'A page of them.', body: PaymentPage } },
      problems: [],
    },
    async ({ query: { limit, cursor, reference } }, { books }) => {
      const { encode, decode } = cursors(['payments', reference ?? null], z.tuple([z.int().min(0)]))
      const [after] = decode(cursor) ?? [0]
      const payments = await books.list({ reference, after, limit: limit + 1 })
      return reply(
        200,
        page(payments, limit, paymentView, () => encode([after + limit])),
      )
    },
  ),
  route(
    {
      ...common,
      method: 'get',
      path: '/charges/{paymentId}',
      operationId: 'getPayment',
      summary: 'One payment of the books',
      params: PaymentParams,
      responses: { 200: { description: 'The payment.', body: PaymentView } },
      problems: ['payment-not-found'],
    },
    async ({ params }, { books }) => {
      const payment = await books.find(params.paymentId)
      return payment ? reply(200, paymentView(payment)) : problem('payment-not-found')
    },
  ),
  route(
    {
      ...common,
      method: 'post',
      path: '/charges/{paymentId}/settle',
      operationId: 'settlePayment',
      summary: 'What came of a payment id, for good',
      description: 'An id under which nothing was charged is closed: a charge that comes later is refused.',
      params: PaymentParams,
      responses: { 200: { description: 'What came of it.', body: Settled } },
      problems: [],
    },
    async ({ params }, { books }) => {
      const { paymentId, status, declineReason } = await books.settle(params.paymentId)
      return reply(200, { paymentId, status, declineReason })
    },
  ),
  route(
    {
      ...common,
      method: 'post',
      path: '/charges/{paymentId}/refund',
      operationId: 'refundPayment',
      summary: 'Give back what was charged, once a payment id',
      params: PaymentParams,
      responses: { 200: { description: 'It was given back, now or at the first call.', body: Refunded } },
      problems: ['payment-not-found', 'payment-not-charged'],
    },
    async ({ params }, { books }) => {
      const refunded = await books.refund(params.paymentId)
      if (!refunded.ok) return problem(refunded.error)
      return reply(200, { paymentId: refunded.value.paymentId, status: 'REFUNDED' as const })
    },
  ),
]
