import type pg from 'pg'
import { inTransaction } from '@shop/platform/postgres'
import type { CartFull, CartStore, ProductUnavailable } from '../../application/ports'
import type { Cart } from '../../domain/cart'
import { MAX_LINES } from '../../domain/order'
import { err, ok } from '../../domain/result'
import { lockCarts } from './cart-lines'

type LineRow = {
  product_id: string
  quantity: number
  seen_price_cents: number
  name: string
  price_cents: number
  for_sale: boolean
  available: number
}

/** Every change locks the cart's row first, so that changes of one cart, and the placing of it, come one after another. */
export function postgresCartStore(pool: pg.Pool): CartStore {
  return {
    read: (buyerId) => readCart(pool, buyerId),

    put: (buyerId, { productId, quantity }) =>
      inTransaction<Cart, ProductUnavailable | CartFull>(pool, async (tx) => {
        await tx.query({
          name: 'open-cart',
          text: `insert into orders.carts (buyer_id) values ($1)
                     on conflict (buyer_id) do update set updated_at = excluded.updated_at`,
          values: [buyerId],
        })
        const put = await tx.query({
          name: 'put-into-cart',
          // The time at which it has the cart, not that at which it began to wait for it: lines stand in the order in which they came in.
          text: `insert into orders.cart_items (buyer_id, product_id, quantity, seen_price_cents, added_at)
                 select $1, id, $3, price_cents, clock_timestamp() from products.products where id = $2 and status = 'ACTIVE'
                     on conflict (buyer_id, product_id) do update
                    set quantity = excluded.quantity, seen_price_cents = excluded.seen_price_cents`,
          values: [buyerId, productId, quantity],
        })
        if (put.rowCount === 0) return err({ code: 'product-unavailable', productIds: [productId] })
        const cart = await readCart(tx, buyerId)
        return cart.lines.length > MAX_LINES ? err({ code: 'cart-full' }) : ok(cart)
      }),

    remove: (buyerId, productId) =>
      changeCart(pool, buyerId, {
        name: 'remove-from-cart',
        text: 'delete from orders.cart_items where buyer_id = $1 and product_id = $2',
        values: [buyerId, productId],
      }),

    clear: (buyerId) =>
      changeCart(pool, buyerId, {
        name: 'clear-cart',
        text: 'delete from orders.cart_items where buyer_id = $1',
        values: [buyerId],
      }),
  }
}

async function changeCart(pool: pg.Pool, buyerId: string, change: pg.QueryConfig): Promise<void> {
  await inTransaction<void, never>(pool, async (tx) => {
    const locked = await lockCarts(tx, [buyerId])
    if (locked.size > 0) await tx.query(change)
    return ok(undefined)
  })
}

async function readCart(client: Pick<pg.ClientBase, 'query'>, buyerId: string): Promise<Cart> {
  const found = await client.query<LineRow>({
    name: 'read-cart',
    // Products are disabled, never deleted. The limits keep it one look-up a line: a join's plan, made while there were few
    // products, would read all of them.
    text: `select c.product_id, c.quantity, c.seen_price_cents, p.name, p.price_cents, p.status = 'ACTIVE' as for_sale,
                  case p.status when 'ACTIVE' then i.available else 0 end as available
             from orders.cart_items c,
                  lateral (select name, price_cents, status from products.products where id = c.product_id limit 1) p,
                  lateral (select available from products.inventory where product_id = c.product_id limit 1) i
            where c.buyer_id = $1 order by c.added_at, c.product_id`,
    values: [buyerId],
  })
  return {
    lines: found.rows.map((row) => ({
      productId: row.product_id,
      quantity: row.quantity,
      name: row.name,
      unitPriceCents: row.price_cents,
      seenPriceCents: row.seen_price_cents,
      available: row.available,
      forSale: row.for_sale,
    })),
  }
}
