import type pg from 'pg'
import type { Order, RequestedLine } from '../../domain/order'

/**
 * Locks the carts of these buyers, in buyer order, and answers whose there are. Keys come before carts, and carts before
 * products: everybody locks in this order. Whoever `skipLocked` gets only those that nobody holds.
 */
export async function lockCarts(
  tx: pg.PoolClient,
  buyerIds: readonly string[],
  { skipLocked = false } = {},
): Promise<Set<string>> {
  const locked = await tx.query<{ buyer_id: string }>({
    name: skipLocked ? 'lock-free-carts' : 'lock-carts',
    text: `select buyer_id from orders.carts where buyer_id = any ($1::uuid[]) order by buyer_id
              for update ${skipLocked ? 'skip locked' : ''}`,
    values: [buyerIds],
  })
  return new Set(locked.rows.map((row) => row.buyer_id))
}

/** The lines of locked carts by buyer. A statement of its own: its snapshot has to be younger than the locks. */
export async function linesInCarts(
  tx: pg.PoolClient,
  buyerIds: readonly string[],
): Promise<Map<string, RequestedLine[]>> {
  const found = await tx.query<{ buyer_id: string; product_id: string; quantity: number }>({
    name: 'find-lines-in-carts',
    text: `select buyer_id, product_id, quantity from orders.cart_items where buyer_id = any ($1::uuid[])
            order by added_at, product_id`,
    values: [buyerIds],
  })
  const lines = new Map<string, RequestedLine[]>()
  for (const { buyer_id: buyerId, product_id: productId, quantity } of found.rows) {
    const ofBuyer = lines.get(buyerId)
    if (ofBuyer) ofBuyer.push({ productId, quantity })
    else lines.set(buyerId, [{ productId, quantity }])
  }
  return lines
}

/** As above, of those carts that nobody holds; `held` are the buyers whose cart somebody does. Never waits. */
export async function linesInFreeCarts(
  tx: pg.PoolClient,
  buyerIds: readonly string[],
): Promise<{ lines: Map<string, RequestedLine[]>; held: ReadonlySet<string> }> {
  const locked = await lockCarts(tx, buyerIds, { skipLocked: true })
  const lines = locked.size > 0 ? await linesInCarts(tx, [...locked]) : new Map<string, RequestedLine[]>()
  const missing = buyerIds.filter((id) => !locked.has(id))
  if (missing.length === 0) return { lines, held: new Set() }
  const there = await tx.query<{ buyer_id: string }>({
    name: 'find-carts',
    text: 'select buyer_id from orders.carts where buyer_id = any ($1::uuid[])',
    values: [missing],
  })
  return { lines, held: new Set(there.rows.map((row) => row.buyer_id)) }
}

/** Takes out of locked carts what these orders were made of. */
export async function emptyCarts(tx: pg.PoolClient, orders: readonly Order[]): Promise<void> {
  const deleted = await tx.query({
    name: 'empty-carts',
    text: 'delete from orders.cart_items where buyer_id = any ($1::uuid[])',
    values: [orders.map((order) => order.buyerId)],
  })
  const placed = orders.reduce((count, order) => count + order.lines.length, 0)
  if (deleted.rowCount !== placed) throw new Error('carts that were locked and read had changed')
}
