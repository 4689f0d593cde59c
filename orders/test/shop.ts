import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import { uuidv7 } from 'uuidv7'
import { openPool } from '@shop/platform/postgres'
import { memoryCartStore } from '../src/adapters/memory/cart-store'
import { memoryOrderStore, type MemoryProduct } from '../src/adapters/memory/order-store'
import { SESSION_SETTINGS } from '../src/adapters/postgres/order-store'
import type { Movement, World } from './order-store.contract'

/** Connections as the service opens them. */
export const poolOf = (connectionString: string, max = 10, settings: Record<string, string> = {}): pg.Pool =>
  openPool({
    connectionString,
    max,
    applicationName: 'orders',
    onError: () => undefined,
    settings: { ...SESSION_SETTINGS, ...settings },
  })

/** A shop in memory with a product for each of these stocks. */
export function aMemoryShop(stocks: readonly number[]) {
  const products = stocks.map((available): MemoryProduct => ({
    id: randomUUID(),
    sellerId: randomUUID(),
    name: 'Thing',
    priceCents: 100,
    active: true,
    available,
  }))
  const [catalogue, inCarts] = [new Map(products.map((product) => [product.id, product])), new Map()]
  return {
    products,
    orders: memoryOrderStore(catalogue, [], inCarts),
    carts: memoryCartStore(catalogue, inCarts),
  }
}

/** Arranges the catalogue's side of the database as its owner, in the way the products service does: stock comes with a movement. */
export function catalogue(owner: pg.Pool): Omit<World, 'store' | 'carts'> {
  return {
    addProduct: async ({ available, priceCents = 100, active = true, name = 'Thing', sellerId = randomUUID() }) => {
      const id = uuidv7()
      await owner.query(
        'insert into products.products (id, seller_id, name, price_cents, status) values ($1, $2, $3, $4, $5)',
        [id, sellerId, name, priceCents, active ? 'ACTIVE' : 'DISABLED'],
      )
      await owner.query('insert into products.inventory (product_id, available) values ($1, $2)', [id, available])
      if (available > 0) {
        await owner.query(
          `insert into products.stock_movements (id, product_id, delta, reason, actor_id) values ($1, $2, $3, 'RECEIVED', $4)`,
          [uuidv7(), id, available, sellerId],
        )
      }
      return { id, sellerId }
    },
    setPrice: async (id, priceCents) => {
      await owner.query('update products.products set price_cents = $2 where id = $1', [id, priceCents])
    },
    takeOffSale: async (id) => {
      await owner.query(`update products.products set status = 'DISABLED' where id = $1`, [id])
    },
    available: async (id) => {
      const { rows } = await owner.query<{ available: number }>(
        'select available from products.inventory where product_id = $1',
        [id],
      )
      return rows[0]?.available ?? NaN
    },
    movements: async (id) => {
      const { rows } = await owner.query<Movement>(
        `select product_id as "productId", order_id as "orderId", delta, reason, actor_id as "actorId"
           from products.stock_movements where product_id = $1 and reason <> 'RECEIVED' order by id`,
        [id],
      )
      return rows
    },
  }
}
