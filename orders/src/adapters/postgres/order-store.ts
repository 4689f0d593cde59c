import type pg from 'pg'
import { claimKey, keepAnswers } from '@shop/platform/idempotency'
import { inTransaction } from '@shop/platform/postgres'
import type { OrderNotFound, OrderStore, Placed, Placement, PlacementRefusal, Shortage } from '../../application/ports'
import type { Order, RequestedLine } from '../../domain/order'
import { err, ok, type Result } from '../../domain/result'
import type { OrderChange } from '../../domain/transitions'
import { emptyCarts, linesInCarts, lockCarts } from './cart-lines'
import { ORDER_COLUMNS, writeOrders, orderOf, toOrder, type OrderRow } from './order-rows'
import { lockProducts, returnStock, type LockedProduct } from './stock'

/**
 * Every statement here, and every foreign key's check below it, goes by an index. A session keeps the plans that it made while
 * a table was small, and small tables are scanned: without this a young shop would read all of its orders for each new one,
 * until the next ANALYZE.
 */
export const SESSION_SETTINGS = { enable_seqscan: 'off' }

/** One transaction an order: the reference that any faster way of placing is held to. */
export function postgresOrderStore(pool: pg.Pool): OrderStore {
  return {
    place: (placement) => inTransaction<Placed, PlacementRefusal>(pool, (tx) => place(tx, placement)),
    update: <E>(id: string, actorId: string, decide: (order: Order) => Result<OrderChange, E>) =>
      inTransaction<Order, E | OrderNotFound>(pool, async (tx) => {
        const current = await lockOrder(tx, id)
        if (!current) return err({ code: 'order-not-found' })
        const decided = decide(current)
        if (!decided.ok) return decided
        const { order } = decided.value
        if (order !== current) await keepChange(tx, decided.value, actorId)
        return ok(order)
      }),
    find: async (id) => {
      const found = await pool.query<OrderRow>({
        name: 'find-order',
        text: `select ${ORDER_COLUMNS} from orders.orders o where o.id = $1`,
        values: [id],
      })
      return found.rows[0] && toOrder(found.rows[0])
    },
    list: async ({ buyerId, status, after, limit }) => {
      const conditions = [
        'o.buyer_id = $1',
        ...(status ? ['o.status = $3'] : []),
        ...(after ? [`o.id < $${status ? 4 : 3}`] : []),
      ]
      const listed = await pool.query<OrderRow>({
        name: `list-orders${status ? '-status' : ''}${after ? '-after' : ''}`,
        text: `select ${ORDER_COLUMNS} from orders.orders o where ${conditions.join(' and ')} order by o.id desc limit $2`,
        values: [buyerId, limit, ...(status ? [status] : []), ...(after ? [after] : [])],
      })
      return listed.rows.map(toOrder)
    },
  }
}

async function place(tx: pg.PoolClient, placement: Placement): Promise<Result<Placed, PlacementRefusal>> {
  const { once, buyerId } = placement
  if (once) {
    const claim = await claimKey(tx, 'orders', once)
    if (claim.kind === 'replay') return ok({ repeated: true, receipt: claim.answer })
    if (claim.kind !== 'claimed') return err({ code: claim.kind })
  }
  const lines = placement.lines === 'cart' ? await lockCart(tx, buyerId) : placement.lines
  if (lines.length === 0) return err({ code: 'cart-empty' })
  const productIds = lines.map((line) => line.productId)
  const products = await lockProducts(tx, productIds)
  const unavailable = productIds.filter((id) => !products.has(id))
  if (unavailable.length > 0) return err({ code: 'product-unavailable', productIds: unavailable })

  const order = orderOf(placement, lines, products)
  const taken = await writeOrders(tx, [order])
  const short = lines.filter((line) => !taken.has(line.productId))
  if (short.length > 0)
    return err({ code: 'insufficient-stock', shortages: short.map((line) => shortage(line, products)) })
  if (placement.lines === 'cart') await emptyCarts(tx, [order])
  const receipt = once?.receipt(order)
  if (once && receipt) await keepAnswers(tx, 'orders', [{ once, answer: receipt }])
  return ok({ repeated: false, order, receipt })
}

async function lockCart(tx: pg.PoolClient, buyerId: string): Promise<readonly RequestedLine[]> {
  await lockCarts(tx, [buyerId])
  return (await linesInCarts(tx, [buyerId])).get(buyerId) ?? []
}

const shortage = ({ productId, quantity }: RequestedLine, products: ReadonlyMap<string, LockedProduct>): Shortage => ({
  productId,
  requested: quantity,
  available: products.get(productId)?.available ?? 0,
})

async function lockOrder(tx: pg.PoolClient, id: string): Promise<Order | undefined> {
  // Two statements: the lines' subquery would still see what was there before the wait for the lock.
  const locked = await tx.query({
    name: 'lock-order',
    text: 'select 1 from orders.orders where id = $1 for update',
    values: [id],
  })
  if (locked.rowCount === 0) return undefined
  const found = await tx.query<OrderRow>({
    name: 'find-order',
    text: `select ${ORDER_COLUMNS} from orders.orders o where o.id = $1`,
    values: [id],
  })
  return found.rows[0] && toOrder(found.rows[0])
}

async function keepChange(tx: pg.PoolClient, { order, returned }: OrderChange, actorId: string): Promise<void> {
  await tx.query({
    name: 'change-order',
    text: 'update orders.orders set status = $2, version = $3, updated_at = $4 where id = $1',
    values: [order.id, order.status, order.version, order.updatedAt],
  })
  if (returned.length > 0) await returnStock(tx, order, returned, actorId)
}
