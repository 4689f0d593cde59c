import { z } from 'zod'
import { CardNumber, Cvc, ExpMonth, ExpYear, faceOf, isExpired } from '@shop/platform/cards'
import { rendererOf } from '@shop/platform/http'
import { reply, routesOf } from '@shop/platform/routes'
import type { PayOrder } from '../../application/pay-order'
import type { Receipt } from '../../application/ports'
import type { Order as DomainOrder } from '../../domain/order'
import { TABLE, refused } from './problems'
import { Order, OrderParams, orderTag, orderView } from './schemas'

export type PaymentDeps = { payOrder: PayOrder }

const PaymentBody = z
  .strictObject({
    cardNumber: CardNumber.meta({ description: 'Sent on to the payment gateway, kept nowhere.' }),
    expMonth: ExpMonth,
    expYear: ExpYear,
    cvc: Cvc,
  })
  .refine((card) => !isExpired(card, new Date()), { path: ['expYear'], message: 'the card has expired' })
  .meta({
    id: 'Payment',
    example: { cardNumber: '4242 4242 4242 4242', expMonth: 12, expYear: 2034, cvc: '123' },
  })

/** A paid order is not held any more, for however long unpaid ones are. */
const paid = (order: DomainOrder) => reply(200, orderView(order, 0), { ETag: orderTag(order) })

const payOrderRoute = routesOf<PaymentDeps>()(TABLE)(
  {
    method: 'post',
    path: '/orders/{id}/payment',
    operationId: 'payOrder',
    tag: 'payment',
    summary: 'Pay one of your orders by card',
    description:
      'Charges the total once, however often it is called. Without an answer from the gateway the payment stays `PENDING` until ' +
      'the shop has found out what came of it. Send an `Idempotency-Key` and a repeat gets the answer of the first call; it is ' +
      'bound to the order, not to the card. Test cards: 4242 4242 4242 4242 succeeds, 4000 0000 0000 0002 is declined, ' +
      '4000 0000 0000 0119 fails at the first try of an order.',
    access: { roles: ['BUYER'] },
    idempotent: true,
    unprinted: ['cardNumber', 'expMonth', 'expYear', 'cvc'],
    params: OrderParams,
    body: PaymentBody,
    responses: { 200: { description: 'The paid order.', body: Order, headers: ['ETag'] } },
    problems: [
      'order-not-found',
      'payment-declined',
      'order-already-paid',
      'payment-in-progress',
      'order-not-payable',
      'gateway-unavailable',
    ],
  },
  async ({ params, body, caller, once }, { payOrder }) => {
    const { cardNumber: number, ...card } = body
    const begun = await payOrder({
      orderId: params.id,
      buyerId: caller.id,
      card: { number, ...card },
      face: faceOf(number),
      once,
    })
    if (!begun.ok) return refused(begun.error)
    return begun.value.repeated ? { answer: begun.value.receipt, replayed: true } : paid(begun.value.order)
  },
)

export const paymentRoutes = [payOrderRoute]

const render = rendererOf(payOrderRoute.spec)
/** What the call that paid has answered, or would have, had it lived to see the outcome. */
export const paymentReceipt = (order: DomainOrder): Receipt => render(paid(order)).answer
