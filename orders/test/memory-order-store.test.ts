import { randomUUID } from 'node:crypto'
import { memoryCartStore } from '../src/adapters/memory/cart-store'
import {
  memoryOrderStore,
  type MemoryCarts,
  type MemoryMovement,
  type MemoryProduct,
} from '../src/adapters/memory/order-store'
import { cartStoreContract } from './cart-store.contract'
import { checkoutContract } from './checkout.contract'
import { orderLifeContract } from './order-life.contract'
import { orderQueriesContract } from './order-queries.contract'
import { orderStoreContract, type World } from './order-store.contract'

function open(): Promise<World> {
  const products = new Map<string, MemoryProduct>()
  const movements: MemoryMovement[] = []
  const carts: MemoryCarts = new Map()
  const get = (id: string) => products.get(id) as MemoryProduct
  return Promise.resolve({
    store: memoryOrderStore(products, movements, carts),
    carts: memoryCartStore(products, carts),
    addProduct: ({ available, priceCents = 100, active = true, name = 'Thing', sellerId = randomUUID() }) => {
      const product = { id: randomUUID(), sellerId, name, priceCents, active, available }
      products.set(product.id, product)
      return Promise.resolve(product)
    },
    setPrice: (id, priceCents) => Promise.resolve(void (get(id).priceCents = priceCents)),
    takeOffSale: (id) => Promise.resolve(void (get(id).active = false)),
    available: (id) => Promise.resolve(get(id).available),
    movements: (id) => Promise.resolve(movements.filter((movement) => movement.productId === id)),
  })
}

for (const contract of [
  orderStoreContract,
  checkoutContract,
  cartStoreContract,
  orderLifeContract,
  orderQueriesContract,
])
  contract('memory', open)
