import { z } from 'zod'
import { Cents, Id, Timestamp, pageOf, pageQuery, text } from '@shop/platform/schemas'
import {
  MAX_LINES,
  MAX_QUANTITY,
  ORDER_STATUSES,
  holdUntil,
  lineTotalCents,
  totalCents,
  type Order as DomainOrder,
} from '../../domain/order'
import { PAYMENT_STATUSES } from '../../domain/payment'

/** What the examples name is in the demo data: they can be executed as they are. */
export const EXAMPLE = {
  productId: '01980000-0000-7000-8000-00000000c001',
  sellerId: '01980000-0000-7000-8000-00000000a001',
  buyerId: '01980000-0000-7000-8000-00000000b001',
  orderId: '01980000-0000-7000-8000-00000000d001',
} as const

export const Quantity = z.int().min(1).max(MAX_QUANTITY)
const ShippingAddress = text(1, 500)
const Notes = text(1, 1000)

export const PlaceOrderBody = z
  .strictObject({
    items: z
      .array(z.strictObject({ productId: Id, quantity: Quantity }))
      .min(1)
      .max(MAX_LINES)
      .meta({ description: 'Lines of one product are summed; the sum has the same limit as a line.' }),
    shippingAddress: ShippingAddress.optional(),
    notes: Notes.optional(),
  })
  .meta({
    id: 'PlaceOrder',
    example: {
      items: [{ productId: EXAMPLE.productId, quantity: 1 }],
      shippingAddress: '1 Market Street, Springfield',
    },
  })

export const CheckoutBody = z
  .strictObject({ shippingAddress: ShippingAddress.optional(), notes: Notes.optional() })
  .meta({ id: 'Checkout', example: { shippingAddress: '1 Market Street, Springfield' } })

export const OrderParams = z.strictObject({ id: Id.meta({ example: EXAMPLE.orderId }) })

export const OrderStatus = z.enum(ORDER_STATUSES).meta({ id: 'OrderStatus' })

export const ListQuery = z.strictObject({
  ...pageQuery,
  status: OrderStatus.optional().meta({ description: 'Orders in this state only.' }),
})

export const AllOrdersQuery = ListQuery.extend({
  buyerId: Id.optional().meta({ description: 'Orders of this buyer only.' }),
})

const OrderLine = z
  .object({
    productId: Id,
    sellerId: Id,
    name: z.string(),
    quantity: Quantity,
    unitPriceCents: Cents,
    lineTotalCents: Cents,
  })
  .meta({ id: 'OrderLine', description: 'Name, price and seller are those of the moment of the order.' })

export const Order = z
  .object({
    id: Id,
    buyerId: Id,
    status: OrderStatus,
    paymentStatus: z.enum(PAYMENT_STATUSES),
    items: z.array(OrderLine).min(1),
    totalCents: Cents,
    currency: z.string().length(3),
    shippingAddress: ShippingAddress.nullable(),
    notes: Notes.nullable(),
    holdUntil: Timestamp.nullable().meta({
      description: 'When an order that is still unpaid is cancelled by itself; `null` is never.',
    }),
    createdAt: Timestamp,
    updatedAt: Timestamp,
  })
  .meta({
    id: 'Order',
    example: {
      id: EXAMPLE.orderId,
      buyerId: EXAMPLE.buyerId,
      status: 'PLACED',
      paymentStatus: 'UNPAID',
      items: [
        {
          productId: EXAMPLE.productId,
          sellerId: EXAMPLE.sellerId,
          name: 'Pour-over coffee dripper',
          quantity: 1,
          unitPriceCents: 2400,
          lineTotalCents: 2400,
        },
      ],
      totalCents: 2400,
      currency: 'USD',
      shippingAddress: '1 Market Street, Springfield',
      notes: null,
      holdUntil: '2026-11-21T09:00:00.000Z',
      createdAt: '2026-11-21T08:30:00.000Z',
      updatedAt: '2026-11-21T08:30:00.000Z',
    },
  })

export const OrderPage = pageOf(Order).meta({ id: 'OrderPage' })

export const orderView = (order: DomainOrder, holdMinutes: number): z.input<typeof Order> => ({
  id: order.id,
  buyerId: order.buyerId,
  status: order.status,
  paymentStatus: order.payment.status,
  items: order.lines.map((line) => ({ ...line, lineTotalCents: lineTotalCents(line) })),
  totalCents: totalCents(order),
  currency: order.currency,
  shippingAddress: order.shippingAddress,
  notes: order.notes,
  holdUntil: holdUntil(order, holdMinutes)?.toISOString() ?? null,
  createdAt: order.createdAt.toISOString(),
  updatedAt: order.updatedAt.toISOString(),
})

export const orderTag = (order: DomainOrder): string => `"${order.version}"`
