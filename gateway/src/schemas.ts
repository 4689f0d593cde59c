import { z } from 'zod'
import { Cents, Id, Timestamp, pageOf, pageQuery, text } from '@shop/platform/schemas'
import type { Payment } from './books'
import { Card } from './cards'

const EXAMPLE = {
  paymentId: '01980000-0000-7000-8000-000000001001',
  reference: '01980000-0000-7000-8000-00000000d001',
} as const

const Reference = text(1, 100).meta({
  description: 'What is paid for, in the words of the caller: the id of an order.',
})
const CurrencyCode = z.string().regex(/^[A-Z]{3}$/, 'must be an ISO 4217 code')

export const ChargeBody = z
  .strictObject({
    paymentId: Id.meta({ description: 'Made by the caller, one an attempt to pay; the call may be repeated with it.' }),
    reference: Reference,
    amountCents: Cents,
    currency: CurrencyCode,
    card: Card,
  })
  .meta({
    id: 'Charge',
    example: {
      ...EXAMPLE,
      amountCents: 2400,
      currency: 'USD',
      card: { number: '4242424242424242', expMonth: 12, expYear: 2034, cvc: '123' },
    },
  })

export const PaymentParams = z.strictObject({ paymentId: Id.meta({ example: EXAMPLE.paymentId }) })

export const ListQuery = z.strictObject({ ...pageQuery, reference: Reference.optional() })

const CardFace = z.object({ brand: z.string(), last4: z.string().length(4) }).meta({ id: 'CardFace' })
const Status = z.enum(['SUCCEEDED', 'DECLINED', 'NOT_CHARGED']).meta({ id: 'PaymentStatus' })

export const Charged = z
  .object({
    paymentId: Id,
    status: Status.extract(['SUCCEEDED', 'DECLINED']),
    declineReason: z.string().nullable(),
  })
  .meta({ id: 'Charged' })

export const Settled = z
  .object({ paymentId: Id, status: Status, declineReason: z.string().nullable() })
  .meta({ id: 'Settled' })

export const Refunded = z.object({ paymentId: Id, status: z.literal('REFUNDED') }).meta({ id: 'Refunded' })

export const PaymentView = z
  .object({
    paymentId: Id,
    reference: Reference.nullable(),
    amountCents: Cents.nullable(),
    currency: CurrencyCode.nullable(),
    card: CardFace.nullable(),
    status: Status,
    declineReason: z.string().nullable(),
    refunded: z.boolean(),
    createdAt: Timestamp,
    refundedAt: Timestamp.nullable(),
  })
  .meta({ id: 'Payment', description: 'An id that was closed before a charge came has no reference, amount or card.' })

export const PaymentPage = pageOf(PaymentView).meta({ id: 'PaymentPage' })

export const paymentView = ({ charge, ...payment }: Payment): z.input<typeof PaymentView> => ({
  ...payment,
  reference: charge?.reference ?? null,
  amountCents: charge?.amountCents ?? null,
  currency: charge?.currency ?? null,
  card: charge?.card ?? null,
  refunded: payment.refundedAt !== null,
})
