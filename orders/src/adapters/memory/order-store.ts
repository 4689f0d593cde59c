import type {
  KeyClaim,
  KeyRefusal,
  OrderStore,
  Placement,
  PlacementRefusal,
  Receipt,
  Shortage,
} from '../../application/ports'
import { placedOrder, type Order, type RequestedLine } from '../../domain/order'
import type { Payment } from '../../domain/payment'
import { err, ok, type Result } from '../../domain/result'
import { trackingBetween, type TrackingEntry } from '../../domain/tracking'
import type { OrderChange, PaymentStarted } from '../../domain/transitions'
import { orderQueries } from './order-queries'

export type MemoryProduct = {
  id: string
  sellerId: string
  name: string
  priceCents: number
  active: boolean
  available: number
}
export type MemoryMovement = {
  productId: string
  orderId: string
  delta: number
  reason: 'ORDERED' | 'CANCELLED'
  actorId: string | null
}
/** Lines by product, of each buyer. */
export type MemoryCarts = Map<string, Map<string, { quantity: number; seenPriceCents: number }>>

type Decide<E> = (order: Order) => Result<OrderChange, E>

/** Orders and stock of one process: every call is one synchronous step, so nothing can come between. Copies go in and out. */
export function memoryOrderStore(
  products: Map<string, MemoryProduct>,
  movements: MemoryMovement[],
  carts: MemoryCarts = new Map(),
): OrderStore {
  const orders = new Map<string, Order>()
  const history = new Map<string, TrackingEntry[]>()
  /** Without a receipt: the effect is under way. */
  const receipts = new Map<string, { fingerprint: string; receipt: Receipt | undefined }>()
  /** Of payments under way, by their ids. */
  const keys = new Map<string, string>()
  const keyOf = ({ callerId, route, key }: KeyClaim) => JSON.stringify([callerId, route, key])

  const claim = (once: KeyClaim | undefined): Result<Receipt | undefined, KeyRefusal> => {
    const kept = once && receipts.get(keyOf(once))
    if (!kept) return ok(undefined)
    if (kept.fingerprint !== once.fingerprint) return err({ code: 'idempotency-key-reused' })
    return kept.receipt ? ok({ ...kept.receipt }) : err({ code: 'request-in-progress' })
  }

  const move = (
    productId: string,
    delta: number,
    orderId: string,
    reason: MemoryMovement['reason'],
    actorId: string | null,
  ) => {
    const product = products.get(productId)
    if (!product || product.available + delta < 0) throw new Error(`stock of ${productId} would be negative`)
    product.available += delta
    movements.push({ productId, orderId, delta, reason, actorId })
  }

  const linesOf = ({ lines, buyerId }: Placement): readonly RequestedLine[] =>
    lines === 'cart'
      ? [...(carts.get(buyerId) ?? [])].map(([productId, { quantity }]) => ({ productId, quantity }))
      : lines

  const refusalOf = (lines: readonly RequestedLine[]): PlacementRefusal | undefined => {
    if (lines.length === 0) return { code: 'cart-empty' }
    const productIds = lines.map((line) => line.productId).filter((id) => !products.get(id)?.active)
    if (productIds.length > 0) return { code: 'product-unavailable', productIds }
    const shortages: Shortage[] = lines
      .map(({ productId, quantity }) => ({
        productId,
        requested: quantity,
        available: products.get(productId)?.available ?? 0,
      }))
      .filter(({ requested, available }) => requested > available)
    return shortages.length > 0 ? { code: 'insufficient-stock', shortages } : undefined
  }

  const soldLine = ({ productId, quantity }: RequestedLine) => {
    const product = products.get(productId)
    if (!product) throw new Error(`no product ${productId}`)
    return { productId, quantity, sellerId: product.sellerId, name: product.name, unitPriceCents: product.priceCents }
  }

  const settle = (payment: Payment, receipt: Receipt | undefined) => {
    if (payment.status === 'UNPAID' || payment.status === 'PENDING') return
    const key = keys.get(payment.attempt.id)
    const kept = key === undefined ? undefined : receipts.get(key)
    if (key === undefined || !kept) return
    keys.delete(payment.attempt.id)
    if (receipt) receipts.set(key, { ...kept, receipt: { ...receipt } })
    else receipts.delete(key)
  }

  function changeKnown<E>(
    current: Order,
    actorId: string | null,
    decide: Decide<E>,
    receipt?: (order: Order) => Receipt | undefined,
  ): Result<Order, E> {
    const before = structuredClone(current)
    const decided = decide(before)
    if (!decided.ok) return decided
    const { order, returned } = decided.value
    for (const { productId, quantity } of returned) move(productId, quantity, order.id, 'CANCELLED', actorId)
    orders.set(order.id, structuredClone(order))
    history.set(order.id, [...(history.get(order.id) ?? []), ...trackingBetween(before, order)])
    settle(order.payment, receipt?.(structuredClone(order)))
    return ok(order)
  }

  const change = <E>(id: string, ...how: [string | null, Decide<E>, ((order: Order) => Receipt | undefined)?]) => {
    const current = orders.get(id)
    return current ? changeKnown(current, ...how) : err({ code: 'order-not-found' as const })
  }

  return {
    place: (placement) => {
      const { once } = placement
      const claimed = claim(once)
      if (!claimed.ok) return Promise.resolve(claimed)
      if (claimed.value) return Promise.resolve(ok({ repeated: true, receipt: claimed.value }))
      const lines = linesOf(placement)
      const refusal = refusalOf(lines)
      if (refusal) return Promise.resolve(err(refusal))
      const { id, buyerId, currency, shippingAddress, notes, placedAt } = placement
      const order = placedOrder({
        id,
        buyerId,
        lines: lines.map(soldLine),
        currency,
        shippingAddress,
        notes,
        createdAt: placedAt,
      })
      for (const line of order.lines) move(line.productId, -line.quantity, id, 'ORDERED', buyerId)
      orders.set(id, structuredClone(order))
      if (placement.lines === 'cart') carts.delete(buyerId)
      const receipt = once?.receipt(structuredClone(order))
      if (once && receipt) receipts.set(keyOf(once), { fingerprint: once.fingerprint, receipt: { ...receipt } })
      return Promise.resolve(ok({ repeated: false, order, receipt }))
    },

    update: <E>(
      id: string,
      actorId: string | null,
      decide: Decide<E>,
      receipt?: (order: Order) => Receipt | undefined,
    ) => Promise.resolve(change(id, actorId, decide, receipt)),

    begin: <E>(id: string, once: KeyClaim | undefined, decide: (order: Order) => Result<PaymentStarted, E>) => {
      const claimed = claim(once)
      if (!claimed.ok) return Promise.resolve(claimed)
      if (claimed.value) return Promise.resolve(ok({ repeated: true as const, receipt: claimed.value }))
      const begun = change(id, null, decide)
      if (!begun.ok) return Promise.resolve(begun)
      const { payment } = begun.value
      if (once && payment.status === 'PENDING') {
        keys.set(payment.attempt.id, keyOf(once))
        receipts.set(keyOf(once), { fingerprint: once.fingerprint, receipt: undefined })
      }
      return Promise.resolve(ok({ repeated: false as const, order: begun.value }))
    },

    updateIfFree: <E>(id: string, decide: Decide<E>) => {
      const current = orders.get(id)
      return Promise.resolve(current ? changeKnown(current, null, decide) : ok(undefined))
    },

    ...orderQueries(orders, history),
  }
}
