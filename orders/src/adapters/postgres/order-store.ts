import type pg from 'pg'
import { claimKey, keepAnswers } from '@shop/platform/idempotency'
import { DatabaseOutage, asOutage, inTransaction } from '@shop/platform/postgres'
import type {
  Begun,
  KeyClaim,
  KeyRefusal,
  OrderNotFound,
  OrderStore,
  Placed,
  Placement,
  PlacementRefusal,
  Shortage,
} from '../../application/ports'
import type { Order, RequestedLine } from '../../domain/order'
import { err, ok, type Result } from '../../domain/result'
import type { OrderChange, PaymentStarted } from '../../domain/transitions'
import { emptyCarts, linesInCarts, lockCarts } from './cart-lines'
import { keepChange, type ChangedBy } from './order-changes'
import { findOrder, orderQueries } from './order-queries'
import { writeOrders, orderOf } from './order-rows'
import { lockProducts, type LockedProduct } from './stock'

/**
 * Every statement here, and every foreign key's check below it, goes by an index. A session keeps the plans
 * that it made while a table was small, and small tables are scanned, or read whole and sorted: without this a young shop would read
 * all of its orders for each new one, until the next ANALYZE.
 */
export const SESSION_SETTINGS = { enable_seqscan: 'off', enable_bitmapscan: 'off' }

/** One transaction an order: the reference that any faster way of placing is held to. */
export function postgresOrderStore(pool: pg.Pool): OrderStore {
  return {
    place: (placement) => inTransaction<Placed, PlacementRefusal>(pool, (tx) => place(tx, placement)),

    update: <E>(id: string, actorId: string | null, decide: Decide<E>, receipt?: ChangedBy['receipt']) => {
      const updated = inTransaction<Order, E | OrderNotFound>(pool, (tx) =>
        change(tx, id, decide, { actorId, receipt }),
      )
      return actorId === null ? updated.catch(leaveOpen) : updated
    },

    begin: <E>(id: string, once: KeyClaim | undefined, decide: (order: Order) => Result<PaymentStarted, E>) =>
      inTransaction<Begun, E | OrderNotFound | KeyRefusal>(pool, async (tx) => {
        if (once) {
          const claim = await claimKey(tx, 'orders', once)
          if (claim.kind === 'replay') return ok({ repeated: true, receipt: claim.answer })
          if (claim.kind !== 'claimed') return err({ code: claim.kind })
          await keepAnswers(tx, 'orders', [{ once, answer: undefined }])
        }
        const begun = await change(tx, id, decide, { actorId: null, once })
        return begun.ok ? ok({ repeated: false, order: begun.value }) : begun
      }),

    updateIfFree: <E>(id: string, decide: Decide<E>) =>
      inTransaction<Order | undefined, E>(pool, async (tx) => {
        const locked = await tx.query({
          name: 'lock-order-if-free',
          text: 'select 1 from orders.orders where id = $1 for update skip locked',
          values: [id],
        })
        return locked.rowCount === 0 ? ok(undefined) : changeLocked(tx, id, decide, { actorId: null })
      }),

    ...orderQueries(pool),
  }
}

/** Nothing of this transaction was done, but of the call that it finishes a part is kept, and the gateway has been asked. */
function leaveOpen(error: unknown): never {
  throw asOutage(error) ? new DatabaseOutage('outcome-unknown', error) : error
}

type Decide<E> = (order: Order) => Result<OrderChange, E>

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

/** The lines of the buyer's cart. Who has none yet may get one at this moment: it was not locked, so it is not read. */
async function lockCart(tx: pg.PoolClient, buyerId: string): Promise<readonly RequestedLine[]> {
  const locked = await lockCarts(tx, [buyerId])
  return locked.has(buyerId) ? ((await linesInCarts(tx, [buyerId])).get(buyerId) ?? []) : []
}

const shortage = ({ productId, quantity }: RequestedLine, products: ReadonlyMap<string, LockedProduct>): Shortage => ({
  productId,
  requested: quantity,
  available: products.get(productId)?.available ?? 0,
})

async function change<E>(
  tx: pg.PoolClient,
  id: string,
  decide: Decide<E>,
  by: ChangedBy,
): Promise<Result<Order, E | OrderNotFound>> {
  const locked = await tx.query({
    name: 'lock-order',
    text: 'select 1 from orders.orders where id = $1 for update',
    values: [id],
  })
  return locked.rowCount === 0 ? err({ code: 'order-not-found' }) : changeLocked(tx, id, decide, by)
}

/** A statement after that of the lock: the subqueries of one that waited would still see what was there before. */
async function changeLocked<E>(
  tx: pg.PoolClient,
  id: string,
  decide: Decide<E>,
  by: ChangedBy,
): Promise<Result<Order, E>> {
  const before = await findOrder(tx, id)
  if (!before) throw new Error(`order ${id} was locked, and is not there`)
  const decided = decide(before)
  if (!decided.ok) return decided
  const { order } = decided.value
  if (order !== before) await keepChange(tx, before, decided.value, by)
  return ok(order)
}
