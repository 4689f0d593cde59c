import { randomUUID } from 'node:crypto'
import { memoryOrderStore, type MemoryMovement, type MemoryProduct } from '../src/adapters/memory/order-store'
import { orderStoreContract } from './order-store.contract'

orderStoreContract('memory', () => {
  const products = new Map<string, MemoryProduct>()
  const movements: MemoryMovement[] = []
  const get = (id: string) => products.get(id) as MemoryProduct
  return Promise.resolve({
    store: memoryOrderStore(products, movements),
    addProduct: ({ available, priceCents = 100, active = true, name = 'Thing' }) => {
      const product = { id: randomUUID(), sellerId: randomUUID(), name, priceCents, active, available }
      products.set(product.id, product)
      return Promise.resolve(product)
    },
    setPrice: (id, priceCents) => Promise.resolve(void (get(id).priceCents = priceCents)),
    available: (id) => Promise.resolve(get(id).available),
    movements: (id) => Promise.resolve(movements.filter((movement) => movement.productId === id)),
  })
})
