import type { CartStore } from '../../application/ports'
import type { Cart } from '../../domain/cart'
import { MAX_LINES } from '../../domain/order'
import { err, ok } from '../../domain/result'
import type { MemoryCarts, MemoryProduct } from './order-store'

/** The carts that an order store of the same maps places. */
export function memoryCartStore(products: ReadonlyMap<string, MemoryProduct>, carts: MemoryCarts): CartStore {
  const cartOf = (buyerId: string): Cart => ({
    lines: [...(carts.get(buyerId) ?? [])].map(([productId, line]) => {
      const product = products.get(productId)
      if (!product) throw new Error(`no product ${productId}`)
      const { name, priceCents: unitPriceCents, active: forSale, available } = product
      return { ...line, productId, name, unitPriceCents, forSale, available: forSale ? available : 0 }
    }),
  })

  return {
    read: (buyerId) => Promise.resolve(cartOf(buyerId)),

    put: (buyerId, { productId, quantity }) => {
      const product = products.get(productId)
      if (!product?.active) return Promise.resolve(err({ code: 'product-unavailable', productIds: [productId] }))
      const lines = carts.get(buyerId) ?? new Map<string, never>()
      if (!lines.has(productId) && lines.size === MAX_LINES) return Promise.resolve(err({ code: 'cart-full' }))
      carts.set(buyerId, lines.set(productId, { quantity, seenPriceCents: product.priceCents }))
      return Promise.resolve(ok(cartOf(buyerId)))
    },

    remove: (buyerId, productId) => Promise.resolve(void carts.get(buyerId)?.delete(productId)),
    clear: (buyerId) => Promise.resolve(void carts.delete(buyerId)),
  }
}
