import type pg from 'pg'
import { claimKeys, keepAnswers, type Claim } from '@shop/platform/idempotency'
import type { Placed, Placement, PlacementRefusal } from '../../application/ports'
import { err, ok, type Result } from '../../domain/result'
import { orderOf, writeOrders } from './order-rows'
import { lockProducts, type LockedProduct } from './stock'

/** What came of a placement in a batch; `locked`: somebody holds one of its products, so that it was left out. */
export type Outcome = Result<Placed, PlacementRefusal> | 'locked'

/**
 * Places many orders in one transaction, served in the given order: each one all or nothing, a refused one without harm to the
 * others. No two placements may have the same key. Keys are claimed before any product is locked, and claiming never waits.
 * The rows that are locked say who gets what is left; the conditional UPDATE of each product's sum then has to agree.
 */
export async function placeBatch(
  tx: pg.PoolClient,
  placements: readonly Placement[],
  { skipLocked }: { skipLocked: boolean },
): Promise<Outcome[]> {
  const claims = await claimAll(tx, placements)
  const open = placements.filter((placement) => claims.get(placement)?.kind === 'claimed')
  const productIds = [...new Set(open.flatMap((placement) => placement.lines.map((line) => line.productId)))]
  const products =
    productIds.length > 0 ? await lockProducts(tx, productIds, { skipLocked }) : new Map<string, LockedProduct>()
  const elsewhere = skipLocked ? await heldElsewhere(tx, productIds, products) : new Set<string>()

  const left = new Map([...products].map(([id, { available }]) => [id, available]))
  const placed: { placement: Placement; outcome: Extract<Outcome, { ok: true }> }[] = []
  const outcomes = placements.map((placement): Outcome => {
    const claim = claims.get(placement)
    if (claim?.kind === 'replay') return ok({ repeated: true, receipt: claim.answer })
    if (claim && claim.kind !== 'claimed') return err({ code: claim.kind })
    if (placement.lines.some((line) => elsewhere.has(line.productId))) return 'locked'
    const refusal = refusalOf(placement, left)
    if (refusal) return err(refusal)
    for (const { productId, quantity } of placement.lines) left.set(productId, (left.get(productId) ?? 0) - quantity)
    const order = orderOf(placement, products)
    const outcome = ok({ repeated: false as const, order, receipt: placement.once?.receipt(order) })
    placed.push({ placement, outcome })
    return outcome
  })
  if (placed.length > 0) await write(tx, placed)
  return outcomes
}

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

function refusalOf({ lines }: Placement, left: ReadonlyMap<string, number>): PlacementRefusal | undefined {
  const unavailable = lines.filter((line) => !left.has(line.productId))
  if (unavailable.length > 0)
    return { code: 'product-unavailable', productIds: unavailable.map((line) => line.productId) }
  const shortages = lines
    .map(({ productId, quantity }) => ({ productId, requested: quantity, available: left.get(productId) ?? 0 }))
    .filter(({ requested, available }) => requested > available)
  return shortages.length > 0 ? { code: 'insufficient-stock', shortages } : undefined
}

async function write(
  tx: pg.PoolClient,
  placed: readonly { placement: Placement; outcome: Extract<Outcome, { ok: true }> }[],
): Promise<void> {
  const orders = placed.flatMap(({ outcome }) => (outcome.value.repeated ? [] : [outcome.value.order]))
  const taken = await writeOrders(tx, orders)
  if (orders.some((order) => order.lines.some((line) => !taken.has(line.productId))))
    throw new Error('stock that was locked and counted could not be taken')
  const kept = placed.flatMap(({ placement: { once }, outcome: { value } }) =>
    once && value.receipt ? [{ once, answer: value.receipt }] : [],
  )
  if (kept.length > 0) await keepAnswers(tx, 'orders', kept)
}
