import {
  UNPAID,
  isRefund,
  isUncharged,
  type Failed,
  type Paid,
  type Payment,
  type Pending,
  type RefundPending,
  type Refunded,
  type Unpaid,
} from './payment'
import { err, ok, type Result } from './result'
import { isUnpacked, statusOf, type Shipment, type Shipments, type UnpackedShipment } from './shipment'

/** What a buyer asks for. */
export type RequestedLine = { productId: string; quantity: number }

/** What was sold: name, price (integer minor units) and seller as they were when the order was placed. */
export type OrderLine = RequestedLine & { sellerId: string; name: string; unitPriceCents: number }

export type Terms = {
  id: string
  buyerId: string
  lines: readonly OrderLine[]
  currency: string
  shippingAddress: string | null
  notes: string | null
  /** Counts changes, from 1. */
  version: number
  createdAt: Date
  updatedAt: Date
}

type Uncharged = { payment: Unpaid | Pending | Failed; shipments: readonly [] }
/** Nothing of it was packed when it was cancelled; a charge that came after that brought no shipments. */
type ToRefund = { payment: RefundPending | Refunded; shipments: readonly UnpackedShipment[] }

export type PlacedOrder = Terms & { status: 'PLACED' } & Uncharged
export type PaidOrder = Terms & { status: ReturnType<typeof statusOf>; payment: Paid; shipments: Shipments }
export type CancelledOrder = Terms & { status: 'CANCELLED' } & (Uncharged | ToRefund)
export type Order = PlacedOrder | PaidOrder | CancelledOrder

export const ORDER_STATUSES = [
  'PLACED',
  'PAID',
  'PACKED',
  'OUT_FOR_DELIVERY',
  'DELIVERED',
  'CANCELLED',
] as const satisfies readonly Order['status'][]

export const placedOrder = (terms: Omit<Terms, 'version' | 'updatedAt'>): PlacedOrder => ({
  ...terms,
  status: 'PLACED',
  payment: UNPAID,
  shipments: [],
  version: 1,
  updatedAt: terms.createdAt,
})

/** An order of parts that were kept apart. Raises when no transition leads there. */
export function asOrder(
  terms: Terms,
  parts: { status: Order['status']; payment: Payment; shipments: readonly Shipment[] },
): Order {
  const { status, payment, shipments } = parts
  const [first, ...rest] = shipments
  if (isUncharged(payment) && !first) {
    if (status === 'PLACED') return { ...terms, status, payment, shipments: [] }
    if (status === 'CANCELLED') return { ...terms, status, payment, shipments: [] }
  } else if (payment.status === 'PAID' && first) {
    const paid = statusOf([first, ...rest])
    if (status === paid) return { ...terms, status, payment, shipments: [first, ...rest] }
  } else if (isRefund(payment) && status === 'CANCELLED' && shipments.every(isUnpacked)) {
    return { ...terms, status, payment, shipments }
  }
  throw new Error(`order ${terms.id} can't be ${status} and ${payment.status} with ${shipments.length} shipments`)
}

type Lines = Pick<Order, 'lines'>
export const lineTotalCents = (line: OrderLine): number => line.quantity * line.unitPriceCents
export const totalCents = ({ lines }: Lines): number => lines.reduce((sum, line) => sum + lineTotalCents(line), 0)

/** Each seller once, by id. */
export const sellersOf = ({ lines }: Lines): string[] => [...new Set(lines.map((line) => line.sellerId))].sort()

/** Until when an order waits for its payment; null when it does not, or for ever (a hold of 0 minutes). */
export const holdUntil = (order: Pick<Order, 'status' | 'createdAt'>, holdMinutes: number): Date | null =>
  order.status === 'PLACED' && holdMinutes > 0 ? new Date(order.createdAt.getTime() + holdMinutes * 60_000) : null

/** What a seller is shown of an order: their own lines and their own shipment. */
export type Sale = Omit<Terms, 'lines'> & {
  status: Order['status']
  paymentStatus: Payment['status']
  lines: readonly OrderLine[]
  /** Undefined until the order is paid. */
  shipment: Shipment | undefined
}

/** Undefined for somebody who has sold nothing of it. */
export function saleOf({ payment, shipments, ...order }: Order, sellerId: string): Sale | undefined {
  const lines = order.lines.filter((line) => line.sellerId === sellerId)
  const shipment = shipments.find((each) => each.sellerId === sellerId)
  return lines.length === 0 ? undefined : { ...order, paymentStatus: payment.status, lines, shipment }
}

export const MAX_LINES = 100
export const MAX_QUANTITY = 1000

export type QuantityOverLimit = { code: 'quantity-over-limit'; productIds: string[] }

/**
 * One line a product, in the order of first mention: an UPDATE joined to two rows of one product would take only one of
 * them. The limit of a line holds for the sum.
 */
export function mergeLines(lines: readonly RequestedLine[]): Result<RequestedLine[], QuantityOverLimit> {
  const quantities = new Map<string, number>()
  for (const { productId, quantity } of lines) quantities.set(productId, (quantities.get(productId) ?? 0) + quantity)
  const merged = [...quantities].map(([productId, quantity]) => ({ productId, quantity }))
  const over = merged.filter(({ quantity }) => quantity > MAX_QUANTITY)
  return over.length > 0
    ? err({ code: 'quantity-over-limit', productIds: over.map((line) => line.productId) })
    : ok(merged)
}
