import type { Once, OrderStore, Placement, PlacementRefusal, Receipt, Shortage } from '../../application/ports'
import { placedOrder, type Order, type RequestedLine } from '../../domain/order'
import { err, ok } from '../../domain/result'

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
  actorId: string
}
/** Lines by product, of each buyer. */
export type MemoryCarts = Map<string, Map<string, { quantity: number; seenPriceCents: number }>>

/** Orders and stock of one process: every call is one synchronous step, so nothing can come between. Copies go in and out. */
export function memoryOrderStore(
  products: Map<string, MemoryProduct>,
  movements: MemoryMovement[],
  carts: MemoryCarts = new Map(),
): OrderStore {
  const orders = new Map<string, Order>()
  const receipts = new Map<string, { fingerprint: string; receipt: Receipt }>()
  const keyOf = ({ callerId, route, key }: Once) => JSON.stringify([callerId, route, key])

  const move = (
    productId: string,
    delta: number,
    orderId: string,
    reason: MemoryMovement['reason'],
    actorId: string,
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

  return {
    place: (placement) => {
      const { once } = placement
      const kept = once && receipts.get(keyOf(once))
      if (kept) {
        const reused = kept.fingerprint !== once.fingerprint
        return Promise.resolve(
          reused ? err({ code: 'idempotency-key-reused' }) : ok({ repeated: true, receipt: { ...kept.receipt } }),
        )
      }
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

    update: (id, actorId, decide) => {
      const current = orders.get(id)
      if (!current) return Promise.resolve(err({ code: 'order-not-found' }))
      const decided = decide(structuredClone(current))
      if (!decided.ok) return Promise.resolve(decided)
      const { order, returned } = decided.value
      for (const { productId, quantity } of returned) move(productId, quantity, id, 'CANCELLED', actorId)
      orders.set(id, structuredClone(order))
      return Promise.resolve(ok(structuredClone(order)))
    },

    find: (id) => Promise.resolve(structuredClone(orders.get(id))),

    list: ({ buyerId, status, after, limit }) => {
      const own = [...orders.values()]
        .filter((order) => order.buyerId === buyerId && (status === undefined || order.status === status))
        .filter((order) => after === undefined || order.id < after)
        .sort((a, b) => (a.id < b.id ? 1 : -1))
      return Promise.resolve(structuredClone(own.slice(0, limit)))
    },
  }
}
