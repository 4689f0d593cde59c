import { z } from 'zod'
import { PLATFORM_PROBLEMS, problem, type ProblemReply, type ProblemTable } from '@shop/platform/problems'
import type { CancelOrderError } from '../../application/cancel-order'
import type { MoveShipmentError } from '../../application/move-shipment'
import type { PayOrderError } from '../../application/pay-order'
import type { PlaceOrderError } from '../../application/place-order'
import type { CartFull } from '../../application/ports'
import { MAX_LINES, MAX_QUANTITY } from '../../domain/order'

export type OrdersError = PlaceOrderError | CancelOrderError | CartFull | PayOrderError | MoveShipmentError

const Shortage = z
  .object({
    productId: z.uuid(),
    requested: z.int(),
    available: z.int().meta({ description: 'Units that could be had at that moment.' }),
  })
  .meta({ id: 'Shortage' })

/** The problems of this service; those of every service are the platform's. */
export const PROBLEMS = {
  'order-not-found': {
    status: 404,
    title: 'No such order',
    description: 'There is no order of yours with this id.',
  },
  'insufficient-stock': {
    status: 409,
    title: 'Insufficient stock',
    description:
      'Less is available than was asked for; nothing was changed. `shortages` lists every product that is short.',
    members: {
      shortages: z
        .array(Shortage)
        .min(1)
        .meta({ example: [{ productId: '01980000-0000-7000-8000-00000000c001', requested: 3, available: 2 }] }),
    },
  },
  'order-not-cancellable': {
    status: 409,
    title: 'Too late to cancel',
    description: 'An order can be cancelled until its first shipment is packed. `orderStatus` says how far it is.',
    members: { orderStatus: z.string().meta({ example: 'PACKED' }) },
  },
  'cart-empty': {
    status: 409,
    title: 'Empty cart',
    description: 'There is nothing in the cart that could be ordered. It may have become an order a moment ago.',
  },
  'cart-full': {
    status: 409,
    title: 'Full cart',
    description: `A cart has at most ${MAX_LINES} products. Take one out before you put in another one.`,
  },
  'payment-declined': {
    status: 402,
    title: 'Payment declined',
    description: 'The card was declined and nothing was charged. Try again with another one; `reason` says why.',
    members: { reason: z.string().meta({ example: 'card-declined' }) },
  },
  'order-already-paid': {
    status: 409,
    title: 'Already paid',
    description: 'The order is paid; nothing was charged again. `orderStatus` says how far it is.',
    members: { orderStatus: z.string().meta({ example: 'PAID' }) },
  },
  'payment-in-progress': {
    status: 409,
    title: 'Payment in progress',
    description: 'Another charge for this order is under way. Read the order again: it says what came of it.',
    retryAfter: 1,
    members: { paymentStatus: z.literal('PENDING').meta({ example: 'PENDING' }) },
  },
  'order-not-payable': {
    status: 409,
    title: 'Not payable',
    description: 'The order was cancelled. What was charged for it nevertheless is refunded. `orderStatus` says so.',
    members: { orderStatus: z.string().meta({ example: 'CANCELLED' }) },
  },
  'invalid-transition': {
    status: 409,
    title: 'Not the next step',
    description:
      'A shipment of a paid order moves one step at a time, never back. `currentStatus` is where it is, or the order when it has no shipment to move.',
    members: { currentStatus: z.string().meta({ example: 'PENDING' }) },
  },
  'gateway-unavailable': {
    status: 503,
    title: 'Payment gateway unavailable',
    description:
      'The payment gateway did not do it, or did not answer. While `paymentStatus` is `PENDING` the shop is finding out; nothing is charged twice.',
    retryAfter: 1,
  },
  'product-unavailable': {
    status: 422,
    title: 'Product unavailable',
    description: 'Some products do not exist or are not for sale; nothing was changed. `productIds` lists them.',
    members: {
      productIds: z
        .array(z.uuid())
        .min(1)
        .meta({ example: ['01980000-0000-7000-8000-00000000cfff'] }),
    },
  },
} as const satisfies ProblemTable

type Refusals = {
  [Code in OrdersError['code']]: (
    error: Extract<OrdersError, { code: Code }>,
    productIds: readonly string[],
  ) => ProblemReply
}

/** How each refusal of the core is told; a new one without a row does not compile. */
const REFUSALS = {
  'order-not-found': () => problem('order-not-found'),
  'insufficient-stock': ({ shortages }) => problem('insufficient-stock', { members: { shortages } }),
  'order-not-cancellable': ({ status }) => problem('order-not-cancellable', { members: { orderStatus: status } }),
  'cart-empty': () => problem('cart-empty'),
  'cart-full': () => problem('cart-full'),
  'product-unavailable': ({ productIds }) => problem('product-unavailable', { members: { productIds } }),
  'payment-declined': ({ reason }) => problem('payment-declined', { members: { reason } }),
  'order-already-paid': ({ status }) => problem('order-already-paid', { members: { orderStatus: status } }),
  'payment-in-progress': () => problem('payment-in-progress', { members: { paymentStatus: 'PENDING' } }),
  'order-not-payable': ({ status }) => problem('order-not-payable', { members: { orderStatus: status } }),
  'invalid-transition': ({ from }) => problem('invalid-transition', { members: { currentStatus: from } }),
  'gateway-unavailable': () => problem('gateway-unavailable'),
  'idempotency-key-reused': () => problem('idempotency-key-reused'),
  'request-in-progress': () => problem('request-in-progress'),
  'quantity-over-limit': ({ productIds }, asked) =>
    problem('validation-failed', {
      members: {
        errors: productIds.map((id) => ({
          in: 'body',
          path: `items.${asked.lastIndexOf(id)}.quantity`,
          message: `the lines of product ${id} add up to more than ${MAX_QUANTITY}`,
        })),
      },
    }),
} satisfies Refusals

/** The problem for a refusal; `asked` are the product ids of the request's lines, in their order. */
export function refused<E extends OrdersError>(
  error: E,
  asked: readonly string[] = [],
): ProblemReply<E['code'] & keyof typeof TABLE> {
  const tell = REFUSALS[error.code] as (error: OrdersError, asked: readonly string[]) => ProblemReply
  return tell(error, asked) as ProblemReply<E['code'] & keyof typeof TABLE>
}

export const TABLE = { ...PLATFORM_PROBLEMS, ...PROBLEMS }
