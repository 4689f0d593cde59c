import type pg from 'pg'
import { claimKeys, keepAnswers, type Claim } from '@shop/platform/idempotency'
import type { Placed, Placement, PlacementRefusal, Receipt } from '../../application/ports'
import type { Order, RequestedLine } from '../../domain/order'
import { err, ok, type Result } from '../../domain/result'
import { emptyCarts, linesInFreeCarts } from './cart-lines'
import { orderOf, writeOrders } from './order-rows'
import { lockProducts, type LockedProduct } from './stock'

/** Left out of a batch, because somebody holds what has this id: one of its products, or the cart of this buyer. */
export type LeftOut = { held: string }
export type Outcome = Result<Placed, PlacementRefusal> | LeftOut

/**
 * Places many orders in one transaction, served in the given order: each one all or nothing, a refused one without harm to the
 * others. No two placements may have the same key. Keys are claimed first and carts locked next, and neither ever waits. The
 * products that are locked then say who gets what is left; the conditional UPDATE of each product's sum has to agree.
 */
export async function placeBatch(
  tx: pg.PoolClient,
  placements: readonly Placement[],
  { skipLocked }: { skipLocked: boolean },
): Promise<Outcome[]> {
  const claims = await claimAll(tx, placements)
  const open = placements.filter((placement) => claims.get(placement)?.kind === 'claimed')
  const carts = await cartsOf(tx, open)
  const linesOf = ({ lines, buyerId }: Placement) => (lines === 'cart' ? (carts.lines.get(buyerId) ?? []) : lines)
  const productIds = [...new Set(open.flatMap((placement) => linesOf(placement).map((line) => line.productId)))]
  const products =
    productIds.length > 0 ? await lockProducts(tx, productIds, { skipLocked }) : new Map<string, LockedProduct>()
  const elsewhere = skipLocked ? await heldElsewhere(tx, productIds, products) : new Set<string>()

  const left = new Map([...products].map(([id, { available }]) => [id, available]))
  const placed: PlacedInBatch[] = []
  const outcomes = placements.map((placement): Outcome => {
    const claim = claims.get(placement)
    if (claim?.kind === 'replay') return ok({ repeated: true, receipt: claim.answer })
    if (claim && claim.kind !== 'claimed') return err({ code: claim.kind })
    if (placement.lines === 'cart' && carts.held.has(placement.buyerId)) return { held: placement.buyerId }
    const lines = linesOf(placement)
    const locked = lines.find((line) => elsewhere.has(line.productId))
    if (locked) return { held: locked.productId }
    const refusal = refusalOf(lines, left)
    if (refusal) return err(refusal)
    for (const { productId, quantity } of lines) left.set(productId, (left.get(productId) ?? 0) - quantity)
    if (placement.lines === 'cart') carts.lines.delete(placement.buyerId)
    const order = orderOf(placement, lines, products)
    const receipt = placement.once?.receipt(order)
    placed.push({ placement, order, receipt })
    return ok({ repeated: false, order, receipt })
  })
  if (placed.length > 0) await write(tx, placed)
  return outcomes
}

type PlacedInBatch = { placement: Placement; order: Order; receipt: Receipt | undefined }

async function claimAll(tx: pg.PoolClient, placements: readonly Placement[]): Promise<Map<Placement, Claim>> {
  const withKey = placements.filter((placement) => placement.once)
  const claims = new Map<Placement, Claim>(placements.map((placement) => [placement, { kind: 'claimed' }]))
  if (withKey.length === 0) return claims
  const claimed = await claimKeys(
    tx,
    'orders',
    withKey.flatMap(({ once }) => once ?? []),
  )
  withKey.forEach((placement, i) => claims.set(placement, claimed[i] ?? { kind: 'request-in-progress' }))
  return claims
}

/** The carts that are to be placed; a batch without any asks nothing. */
async function cartsOf(tx: pg.PoolClient, placements: readonly Placement[]) {
  const buyerIds = new Set(placements.flatMap(({ lines, buyerId }) => (lines === 'cart' ? [buyerId] : [])))
  if (buyerIds.size > 0) return linesInFreeCarts(tx, [...buyerIds])
  return { lines: new Map<string, RequestedLine[]>(), held: new Set<string>() }
}

/** Products that were skipped because somebody holds them, rather than because they are not for sale. */
async function heldElsewhere(
  tx: pg.PoolClient,
  productIds: readonly string[],
  locked: ReadonlyMap<string, LockedProduct>,
): Promise<Set<string>> {
  const missing = productIds.filter((id) => !locked.has(id))
  if (missing.length === 0) return new Set()
  const found = await tx.query<{ id: string }>({
    name: 'find-products-for-sale',
    text: `select id from products.products where id = any ($1::uuid[]) and status = 'ACTIVE'`,
    values: [missing],
  })
  return new Set(found.rows.map((row) => row.id))
}

function refusalOf(lines: readonly RequestedLine[], left: ReadonlyMap<string, number>): PlacementRefusal | undefined {
  if (lines.length === 0) return { code: 'cart-empty' }
  const unavailable = lines.filter((line) => !left.has(line.productId))
  if (unavailable.length > 0)
    return { code: 'product-unavailable', productIds: unavailable.map((line) => line.productId) }
  const shortages = lines
    .map(({ productId, quantity }) => ({ productId, requested: quantity, available: left.get(productId) ?? 0 }))
    .filter(({ requested, available }) => requested > available)
  return shortages.length > 0 ? { code: 'insufficient-stock', shortages } : undefined
}

async function write(tx: pg.PoolClient, placed: readonly PlacedInBatch[]): Promise<void> {
  const ordersOf = (some: readonly PlacedInBatch[]) => some.map(({ order }) => order)
  const taken = await writeOrders(tx, ordersOf(placed))
  if (placed.some(({ order }) => order.lines.some((line) => !taken.has(line.productId))))
    throw new Error('stock that was locked and counted could not be taken')
  const fromCarts = placed.filter(({ placement }) => placement.lines === 'cart')
  if (fromCarts.length > 0) await emptyCarts(tx, ordersOf(fromCarts))
  const kept = placed.flatMap(({ placement: { once }, receipt }) =>
    once && receipt ? [{ once, answer: receipt }] : [],
  )
  if (kept.length > 0) await keepAnswers(tx, 'orders', kept)
}
