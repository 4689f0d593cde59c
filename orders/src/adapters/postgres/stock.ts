import type pg from 'pg'
import { uuidv7 } from 'uuidv7'
import type { Order, OrderLine, RequestedLine } from '../../domain/order'

/** What a line needs of a product that is for sale, its counter locked until the end of the transaction. */
export type LockedProduct = Pick<OrderLine, 'sellerId' | 'name' | 'unitPriceCents'> & { available: number }

type ProductRow = { id: string; seller_id: string; name: string; price_cents: number; available: number }

/**
 * Locks the counters of the products that are for sale, in id order: orders of A and B and of B and A would deadlock otherwise.
 * Whoever `skipLocked` gets only those that nobody holds.
 */
export async function lockProducts(
  tx: pg.PoolClient,
  productIds: readonly string[],
  { skipLocked = false } = {},
): Promise<Map<string, LockedProduct>> {
  const locked = await tx.query<ProductRow>({
    name: skipLocked ? 'lock-free-products' : 'lock-products',
    text: `select p.id, p.seller_id, p.name, p.price_cents, i.available
             from products.products p join products.inventory i on i.product_id = p.id
            where p.id = any ($1::uuid[]) and i.product_id = any ($1::uuid[]) and p.status = 'ACTIVE'
            order by i.product_id
              for update of i ${skipLocked ? 'skip locked' : ''}`,
    values: [productIds],
  })
  return new Map(
    locked.rows.map(({ id, seller_id: sellerId, name, price_cents: unitPriceCents, available }) => [
      id,
      { sellerId, name, unitPriceCents, available },
    ]),
  )
}

/** Gives an order's units back, in the same lock order as they are taken, with their ledger rows. */
export async function returnStock(
  tx: pg.PoolClient,
  order: Order,
  returned: readonly RequestedLine[],
  actorId: string | null,
): Promise<void> {
  const productIds = returned.map((line) => line.productId)
  await tx.query({
    name: 'lock-inventory',
    text: `select product_id from products.inventory where product_id = any ($1::uuid[]) order by product_id for update`,
    values: [productIds],
  })
  const updated = await tx.query({
    name: 'return-stock',
    text: `with line as (select * from unnest($1::uuid[], $2::int[], $3::uuid[]) as line (product_id, quantity, movement_id)),
           ledger as (
             insert into products.stock_movements (id, product_id, delta, reason, order_id, actor_id, created_at)
             select movement_id, product_id, quantity, 'CANCELLED', $4, $5, $6 from line
           )
           update products.inventory i set available = i.available + line.quantity
             from line where i.product_id = line.product_id and i.product_id = any ($1::uuid[])`,
    values: [
      productIds,
      returned.map((line) => line.quantity),
      returned.map(() => uuidv7()),
      order.id,
      actorId,
      order.updatedAt,
    ],
  })
  if (updated.rowCount !== returned.length)
    throw new Error(`order ${order.id} has lines of products without stock rows`)
}
