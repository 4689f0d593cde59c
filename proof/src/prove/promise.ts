import type { Party } from '../accounts'
import type { Answer } from '../client'
import type { Random } from '../random'
import type { Tally } from '../report'
import { told, type Lines, type Order, type Shop, type Shortage } from '../shop'

/** A product of this run. */
export type Listed = { id: string; seller: Party; stock: number; priceCents: number }

/** What a promise is looked at with. */
export type World = {
  shop: Shop
  buyers: readonly Party[]
  sellers: readonly Party[]
  /** Who calls when many call at once: the buyers in turn, as many as `--size` says. */
  callers: readonly Party[]
  random: Random
  list: (stock: number, more?: { priceCents?: number; name?: string; seller?: Party }) => Promise<Listed>
  /** The products of this round, whichever promise they were listed for. */
  listed: readonly Listed[]
}

/** One promise of the shop, and how it is looked at: the next one is one more entry in the list. */
export type ShopPromise = {
  /** For `--only`. */
  name: string
  promise: string
  /** How many of each it takes: with accounts that were given there may be fewer. */
  needs?: { buyers?: number; sellers?: number }
  look: (world: World, tally: Tally) => Promise<void>
}

/** The stock as it is shown and as the ledger adds it up. */
export async function stockIs({ shop }: World, tally: Tally, { id, seller }: Listed, expected: number): Promise<void> {
  const [product, movements] = await Promise.all([shop.product(seller, id), shop.movements(seller, id)])
  tally.equal(product.available, expected, `available of product ${id}`)
  const sum = movements.reduce((total, { delta }) => total + delta, 0)
  tally.equal(sum, expected, `sum of the ledger of product ${id}`)
}

type Placed = Answer<Order> & { body: Order }

/** Whether an order was placed, with the lines that were asked for, those of one product in one. */
export function placed(tally: Tally, answer: Answer<Order>, lines: Lines): answer is Placed {
  const { status, body } = answer
  if (!tally.equal([told(answer), body !== undefined], ['201', true], 'an order for which there is enough'))
    return false
  const items = body?.items ?? []
  const got = items.map(({ productId, quantity }) => [productId, quantity] as const)
  tally.equal(got.toSorted(byId), [...unitsAsked(lines)].sort(byId), `lines of order ${body?.id}`)
  const total = sum(items.map(({ quantity, unitPriceCents }) => quantity * unitPriceCents))
  tally.equal(body?.totalCents, total, `total of order ${body?.id}`)
  return status === 201
}

/** Whether an order was placed; else it has to be the refusal of one that is short. */
export function placedOrShort(tally: Tally, answer: Answer<Order>, lines: Lines): answer is Placed {
  tally.count(answer.status === 201 ? 'placed' : 'refused')
  if (answer.status === 201) return placed(tally, answer, lines)
  const shortages = answer.problem?.shortages as Shortage[] | undefined
  const asked = unitsAsked(lines)
  tally.that(
    told(answer) === '409 insufficient-stock' &&
      (shortages?.length ?? 0) > 0 &&
      shortages!.every((each) => each.requested === asked.get(each.productId) && each.available < each.requested),
    () => `an order was answered ${told(answer)}, not 201 or 409 insufficient-stock: ${answer.text.slice(0, 300)}`,
  )
  return false
}

const byId = ([a]: readonly [string, number], [b]: readonly [string, number]) => a.localeCompare(b)

function unitsAsked(lines: Lines): Map<string, number> {
  const units = new Map<string, number>()
  for (const [id, quantity] of lines) units.set(id, (units.get(id) ?? 0) + quantity)
  return units
}

export const unitsOf = (order: Order, productId: string): number =>
  order.items.reduce((sum, line) => sum + (line.productId === productId ? line.quantity : 0), 0)

export const sum = (numbers: readonly number[]): number => numbers.reduce((total, n) => total + n, 0)

/** One after the other: what one of many that work at the same time does. */
export const inTurn = async <T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> => {
  for (const item of items) await work(item)
}
