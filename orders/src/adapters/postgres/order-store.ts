import type pg from 'pg'
import { uuidv7 } from 'uuidv7'
import { claimKey, keepAnswer } from '@shop/platform/idempotency'
import { inTransaction } from '@shop/platform/postgres'
import type { OrderNotFound, OrderStore, Placed, Placement, PlacementRefusal } from '../../application/ports'
import { totalCents, type Order, type OrderChange, type OrderLine, type RequestedLine } from '../../domain/order'
import { err, ok, type Result } from '../../domain/result'
import { ORDER_COLUMNS, toOrder, type OrderRow } from './order-rows'

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
  const { once } = placement
  if (once) {
    const claim = await claimKey(tx, 'orders', once)
    if (claim.kind === 'replay') return ok({ repeated: true, receipt: claim.answer })
    if (claim.kind !== 'claimed') return err({ code: claim.kind })
  }
  const taken = await takeStock(tx, placement.lines)
  if (!taken.ok) return taken
  const { id, buyerId, currency, shippingAddress, notes, placedAt } = placement
  const order: Order = {
    id,
    buyerId,
    status: 'PLACED',
    lines: taken.value,
    currency,
    shippingAddress,
    notes,
    version: 1,
    createdAt: placedAt,
    updatedAt: placedAt,
  }
  await insertOrder(tx, order)
  const receipt = once?.receipt(order)
  if (once && receipt) await keepAnswer(tx, 'orders', once, receipt)
  return ok({ repeated: false, order, receipt })
}

type ProductRow = { id: string; seller_id: string; name: string; price_cents: number; available: number }

/**
 * Locks the products' counters in id order (orders of A and B and of B and A would deadlock otherwise), then lets one
 * conditional UPDATE decide. What it did not change is short; the locked rows say by how much.
 */
async function takeStock(
  tx: pg.PoolClient,
  lines: readonly RequestedLine[],
): Promise<Result<OrderLine[], PlacementRefusal>> {
  const productIds = lines.map((line) => line.productId)
  const locked = await tx.query<ProductRow>({
    name: 'lock-products',
    text: `select p.id, p.seller_id, p.name, p.price_cents, i.available
             from products.products p join products.inventory i on i.product_id = p.id
            where p.id = any ($1::uuid[]) and p.status = 'ACTIVE'
            order by i.product_id
              for update of i`,
    values: [productIds],
  })
  const products = new Map(locked.rows.map((row) => [row.id, row]))
  const unavailable = productIds.filter((id) => !products.has(id))
  if (unavailable.length > 0) return err({ code: 'product-unavailable', productIds: unavailable })

  const updated = await tx.query<{ product_id: string }>({
    name: 'take-stock',
    text: `update products.inventory i set available = i.available - line.quantity
             from unnest($1::uuid[], $2::int[]) as line (product_id, quantity)
            where i.product_id = line.product_id and i.available >= line.quantity
        returning i.product_id`,
    values: [productIds, lines.map((line) => line.quantity)],
  })
  const taken = new Set(updated.rows.map((row) => row.product_id))
  const short = lines.filter((line) => !taken.has(line.productId))
  if (short.length > 0) {
    const shortages = short.map(({ productId, quantity }) => ({
      productId,
      requested: quantity,
      available: productOf(products, productId).available,
    }))
    return err({ code: 'insufficient-stock', shortages })
  }
  return ok(
    lines.map(({ productId, quantity }) => {
      const { seller_id: sellerId, name, price_cents: unitPriceCents } = productOf(products, productId)
      return { productId, quantity, sellerId, name, unitPriceCents }
    }),
  )
}

function productOf(products: Map<string, ProductRow>, id: string): ProductRow {
  const product = products.get(id)
  if (!product) throw new Error(`product ${id} was not read`)
  return product
}

async function insertOrder(tx: pg.PoolClient, order: Order): Promise<void> {
  const { lines } = order
  await tx.query({
    name: 'insert-order',
    text: `insert into orders.orders
             (id, buyer_id, status, total_cents, currency, shipping_address, notes, version, created_at, updated_at)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
    values: [
      order.id,
      order.buyerId,
      order.status,
      totalCents(order),
      order.currency,
      order.shippingAddress,
      order.notes,
      order.version,
      order.createdAt,
      order.updatedAt,
    ],
  })
  await tx.query({
    name: 'insert-order-lines',
    text: `insert into orders.order_lines (order_id, line_no, product_id, seller_id, name, quantity, unit_price_cents)
           select $1, line.no, line.product_id, line.seller_id, line.name, line.quantity, line.unit_price_cents
             from unnest($2::uuid[], $3::uuid[], $4::text[], $5::int[], $6::int[])
                  with ordinality as line (product_id, seller_id, name, quantity, unit_price_cents, no)`,
    values: [
      order.id,
      lines.map((line) => line.productId),
      lines.map((line) => line.sellerId),
      lines.map((line) => line.name),
      lines.map((line) => line.quantity),
      lines.map((line) => line.unitPriceCents),
    ],
  })
  const taken = lines.map(({ productId, quantity }) => ({ productId, delta: -quantity }))
  await insertMovements(tx, order, 'ORDERED', taken, order.buyerId)
}

async function insertMovements(
  tx: pg.PoolClient,
  order: Order,
  reason: 'ORDERED' | 'CANCELLED',
  movements: readonly { productId: string; delta: number }[],
  actorId: string,
): Promise<void> {
  await tx.query({
    name: 'insert-movements',
    text: `insert into products.stock_movements (id, product_id, delta, reason, order_id, actor_id, created_at)
           select movement.id, movement.product_id, movement.delta, $4, $5, $6, $7
             from unnest($1::uuid[], $2::uuid[], $3::int[]) as movement (id, product_id, delta)`,
    values: [
      movements.map(() => uuidv7()),
      movements.map((movement) => movement.productId),
      movements.map((movement) => movement.delta),
      reason,
      order.id,
      actorId,
      order.updatedAt,
    ],
  })
}

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

/** Gives units back, in the same lock order as they are taken. */
async function returnStock(
  tx: pg.PoolClient,
  order: Order,
  returned: readonly RequestedLine[],
  actorId: string,
): Promise<void> {
  const productIds = returned.map((line) => line.productId)
  await tx.query({
    name: 'lock-inventory',
    text: `select product_id from products.inventory where product_id = any ($1::uuid[]) order by product_id for update`,
    values: [productIds],
  })
  const updated = await tx.query({
    name: 'return-stock',
    text: `update products.inventory i set available = i.available + line.quantity
             from unnest($1::uuid[], $2::int[]) as line (product_id, quantity)
            where i.product_id = line.product_id`,
    values: [productIds, returned.map((line) => line.quantity)],
  })
  if (updated.rowCount !== returned.length)
    throw new Error(`order ${order.id} has lines of products without stock rows`)
  const back = returned.map(({ productId, quantity }) => ({ productId, delta: quantity }))
  await insertMovements(tx, order, 'CANCELLED', back, actorId)
}
