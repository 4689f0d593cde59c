import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import type pg from 'pg'
import { unbalancedProducts } from '../../tests/support/books'
import { createDatabase, PATIENCE, type TestDatabase } from '../../tests/support/database'
import { batchingOrderStore } from '../src/adapters/postgres/batching-order-store'
import { postgresCartStore } from '../src/adapters/postgres/cart-store'
import type { CartStore, OrderStore, Placement } from '../src/application/ports'
import type { RequestedLine } from '../src/domain/order'
import { cancel } from '../src/domain/transitions'
import { aPlacement, onceFor } from './order-store.contract'
import { aMemoryShop, catalogue, poolOf } from './shop'

// Any interleaving of orders, checkouts, batches, cancels and changes of a cart comes to what some order of the same calls, one
// at a time, comes to.

let database: TestDatabase
let pools: pg.Pool[]
beforeAll(async () => {
  database = await createDatabase()
  pools = [1, 2, 3].map(() => poolOf(database.urls.orders, 10, PATIENCE))
})
afterAll(async () => {
  const unbalanced = await unbalancedProducts(database.owner)
  await Promise.all(pools.map((pool) => pool.end()))
  await database.drop()
  expect(unbalanced).toEqual([])
})

type Line = { product: number; quantity: number }
type Step =
  | { kind: 'place'; store: number; lines: Line[]; key: number | null }
  | { kind: 'checkout'; store: number; key: number | null }
  | { kind: 'put'; line: Line }
  | { kind: 'cancel'; of: number }

const line = fc.record({ product: fc.nat(2), quantity: fc.integer({ min: 1, max: 3 }) })
const lines = (minLength: number) =>
  fc.uniqueArray(line, { minLength, maxLength: 3, selector: ({ product }) => product })
const key = fc.option(fc.nat(1), { nil: null })
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('place' as const), store: fc.nat(1), lines: lines(1), key }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('checkout' as const), store: fc.nat(1), key }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('put' as const), line }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cancel' as const), of: fc.nat(3) }) },
)

const LATER = new Date('2026-11-21T09:00:00.000Z')
type Played = { stores: readonly OrderStore[]; carts: CartStore; productIds: readonly string[] }

/** Does the calls of one buyer and says, in words that don't depend on ids, what came of each, and what is in the cart. */
function player({ stores, carts, productIds }: Played, steps: readonly Step[], salt: string) {
  const buyerId = randomUUID()
  const named = ({ product, quantity }: Line) => ({ productId: productIds[product] ?? '', quantity })
  const numbered = (some: readonly RequestedLine[]) =>
    JSON.stringify(some.map(({ productId, quantity }) => [productIds.indexOf(productId), quantity]))
  const onceOf = (route: string, each: { key: number | null; lines?: Line[] }) =>
    each.key === null
      ? undefined
      : onceFor({
          callerId: buyerId,
          route,
          key: `${salt}-${each.key}`,
          fingerprint: JSON.stringify(each.lines ?? null),
        })
  const placements = steps.map((each) => {
    if (each.kind === 'place')
      return aPlacement({ buyerId, lines: each.lines.map(named), once: onceOf('POST /orders', each) })
    return each.kind === 'checkout'
      ? aPlacement({ buyerId, lines: 'cart', once: onceOf('POST /orders/cart/checkout', each) })
      : undefined
  })
  const indexOfReceipt = (body: string) => placements.findIndex((placement) => placement && body.includes(placement.id))

  async function play(i: number): Promise<string> {
    const each = steps[i] as Step
    if (each.kind === 'put') return `put ${(await carts.put(buyerId, named(each.line))).ok}`
    if (each.kind === 'cancel') {
      const target = placements[each.of % placements.length]
      const result = target && (await stores[0]?.update(target.id, buyerId, (order) => cancel(order, LATER)))
      return result?.ok ? 'cancelled' : 'nothing to cancel'
    }
    const result = await (stores[each.store % stores.length] as OrderStore).place(placements[i] as Placement)
    if (!result.ok) {
      const shortages =
        result.error.code === 'insufficient-stock'
          ? result.error.shortages.map((short) => [productIds.indexOf(short.productId), short.available])
          : []
      return `${result.error.code} ${JSON.stringify(shortages)}`
    }
    const { value } = result
    return value.repeated ? `repeats ${indexOfReceipt(value.receipt.body)}` : `placed ${numbered(value.order.lines)}`
  }
  return {
    fill: async (filling: readonly Line[]) => {
      for (const each of filling) await carts.put(buyerId, named(each))
    },
    play,
    cart: async () => numbered((await carts.read(buyerId)).lines),
  }
}

test('every interleaving equals some one-at-a-time order of the same calls', async () => {
  const [first, second, third] = pools as [pg.Pool, pg.Pool, pg.Pool]
  const stores = [batchingOrderStore(first), batchingOrderStore(second, { maxBatch: 2 })]
  const [world, carts] = [catalogue(database.owner), postgresCartStore(third)]
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 2, maxLength: 6 }),
      fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 3, maxLength: 3 }),
      lines(0),
      async (steps, stocks, filling) => {
        const products = await Promise.all(stocks.map((available) => world.addProduct({ available })))
        const productIds = products.map(({ id }) => id)
        const { fill, play, cart } = player({ stores, carts, productIds }, steps, randomUUID())
        await fill(filling)
        const answers = await Promise.all(steps.map((_, i) => play(i)))
        const stock = await Promise.all(products.map(({ id }) => world.available(id)))
        expect(await explained(steps, stocks, filling, { answers, stock, cart: await cart() })).toBe(true)
      },
    ),
    { numRuns: 150 },
  )
}, 120_000)

/** Tries the orders of the calls on the memory stores until one gives the same answers and leaves the same stock and cart. */
async function explained(
  steps: readonly Step[],
  stocks: readonly number[],
  filling: readonly Line[],
  seen: { answers: readonly string[]; stock: readonly number[]; cart: string },
): Promise<boolean> {
  for (const sequence of permutations(steps.map((_, i) => i))) {
    const { products, orders, carts } = aMemoryShop(stocks)
    const productIds = products.map(({ id }) => id)
    const { fill, play, cart } = player({ stores: [orders], carts, productIds }, steps, 'model')
    await fill(filling)
    let agrees = true
    for (const i of sequence) {
      const answer = seen.answers[i] as string
      // A key in use at that moment is the one answer that only concurrency gives; it has no effect.
      agrees &&= answer.startsWith('request-in-progress') || (await play(i)) === answer
      if (!agrees) break
    }
    if (agrees && products.every(({ available }, p) => available === seen.stock[p]) && (await cart()) === seen.cart)
      return true
  }
  return false
}

function* permutations(items: readonly number[]): Generator<number[]> {
  if (items.length === 0) yield []
  for (const item of items)
    for (const rest of permutations(items.filter((other) => other !== item))) yield [item, ...rest]
}
