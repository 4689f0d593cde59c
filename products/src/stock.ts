import type pg from 'pg'
import { uuidv7 } from 'uuidv7'
import { z } from 'zod'
import { cursors, LAST_ID, page, type Page } from '@shop/platform/cursors'
import { err, ok, type Result } from '@shop/platform/result'
import { Id } from '@shop/platform/schemas'
import { findOwnProduct, type OwnershipRefusal } from './catalogue'
import { MAX_STOCK, type StockChange, type StockMovement } from './schemas'

/** A row of the ledger as it is shown. */
type Movement = z.input<typeof StockMovement>
type MovementRow = Omit<Movement, 'createdAt'> & { createdAt: Date }

const MOVEMENT_COLUMNS = `id, product_id as "productId", delta, reason, note, order_id as "orderId", actor_id as "actorId",
  created_at as "createdAt"`
const movementView = (row: MovementRow): Movement => ({ ...row, createdAt: row.createdAt.toISOString() })

type Moved = { available: number; movement: Movement }
type StockRefusal = OwnershipRefusal | { code: 'insufficient-stock' | 'stock-limit-exceeded'; available: number }

/** Changes the stock of an own product by a delta. Strangers are refused before they hold anything. */
export async function changeStock(
  tx: pg.PoolClient,
  change: StockChange & { productId: string; callerId: string },
): Promise<Result<Moved, StockRefusal>> {
  const product = await findOwnProduct(tx, change.productId, change.callerId)
  if (!product.ok) return product
  const moved = await moveStock(tx, change)
  if (moved.ok) return moved
  return err({ ...moved.error, code: change.delta < 0 ? 'insufficient-stock' : 'stock-limit-exceeded' })
}

/**
 * Changes the stock by a delta, with its line in the ledger, or refuses and tells what there is: below zero, or above the limit
 * (what goes out is never refused for that: orders that were cancelled may have lifted the stock over it). `held` waits for
 * whoever else is changing it, so that a refusal tells what it was decided by.
 */
export async function moveStock(
  tx: pg.PoolClient,
  change: StockChange & { productId: string; callerId: string },
): Promise<Result<Moved, { available: number }>> {
  const { productId, callerId, delta, reason, note } = change
  const { rows } = await tx.query<{ before: number; available: number | null } & MovementRow>({
    name: 'change-stock',
    text: `
      with held as (
        select product_id, available from products.inventory where product_id = $1 for no key update
      ), changed as (
        update products.inventory i set available = i.available + $2::int
          from held
         where i.product_id = held.product_id and i.available + $2::bigint >= 0
           and ($2::int < 0 or i.available + $2::bigint <= ${MAX_STOCK})
        returning i.product_id, i.available
      ), recorded as (
        insert into products.stock_movements (id, product_id, delta, reason, note, actor_id)
        select $3::uuid, product_id, $2::int, $4, $5, $6::uuid from changed
        returning ${MOVEMENT_COLUMNS}
      )
      select held.available as before, changed.available, recorded.*
        from held left join changed on true left join recorded on true`,
    values: [productId, delta, uuidv7(), reason, note, callerId],
  })
  const [row] = rows
  if (!row) throw new Error(`product ${productId} has no stock row`)
  const { before, available, ...movement } = row
  return available === null ? err({ available: before }) : ok({ available, movement: movementView(movement) })
}

/** The ledger of an own product, newest first. */
export async function listMovements(
  pool: pg.Pool,
  asked: { productId: string; callerId: string; limit: number; cursor?: string | undefined },
): Promise<Result<Page<Movement>, OwnershipRefusal>> {
  const { productId, callerId, limit, cursor } = asked
  const { encode, decode } = cursors(['movements', productId], z.tuple([Id]))
  const after = decode(cursor)?.[0] ?? LAST_ID
  const product = await findOwnProduct(pool, productId, callerId)
  if (!product.ok) return product
  const { rows } = await pool.query<MovementRow>({
    name: 'list-movements',
    text: `select ${MOVEMENT_COLUMNS} from products.stock_movements
            where product_id = $1 and id < $2 order by id desc limit $3`,
    values: [productId, after, limit + 1],
  })
  return ok(page(rows, limit, movementView, (last) => encode([last.id])))
}
