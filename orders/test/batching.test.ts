import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { openPool } from '@shop/platform/postgres'
import { unbalancedProducts } from '../../tests/support/books'
import { createDatabase, type TestDatabase } from '../../tests/support/database'
import { untilQueued } from '../../tests/support/gate'
import { batchingOrderStore } from '../src/adapters/postgres/batching-order-store'
import { SESSION_SETTINGS } from '../src/adapters/postgres/order-store'
import type { OrderStore, Placed, Placement, PlacementRefusal } from '../src/application/ports'
import type { Result } from '../src/domain/result'
import { cancel } from '../src/domain/transitions'
import { aPlacement, onceFor } from './order-store.contract'
import { aMemoryShop, catalogue } from './shop'

let database: TestDatabase
let world: ReturnType<typeof catalogue>
const pools: ReturnType<typeof openPool>[] = []

const aPool = (max = 10) => {
  const pool = openPool({
    connectionString: database.urls.orders,
    max,
    applicationName: 'orders',
    onError: () => undefined,
    settings: SESSION_SETTINGS,
  })
  pools.push(pool)
  return pool
}

beforeAll(async () => {
  database = await createDatabase()
  world = catalogue(database.owner)
})
afterAll(async () => {
  const unbalanced = await unbalancedProducts(database.owner)
  await Promise.all(pools.map((pool) => pool.end()))
  await database.drop()
  expect(unbalanced).toEqual([])
})

type Outcome = PromiseSettledResult<Result<Placed, PlacementRefusal>>
const one = (productId: string, more: Partial<Placement> = {}) =>
  aPlacement({ lines: [{ productId, quantity: 1 }], ...more })

/** What came of a call in one word. */
const word = (outcome: Outcome): string => {
  if (outcome.status === 'rejected') return (outcome.reason as Error).name
  if (!outcome.value.ok) return outcome.value.error.code
  return outcome.value.value.repeated ? 'repeated' : 'placed'
}

/** Keeps a first transaction waiting in front of a row, lets `placements` arrive behind it, and then all of them go. */
async function behindOne(store: OrderStore, placements: readonly Placement[]): Promise<Outcome[]> {
  const { id } = await world.addProduct({ available: 1 })
  const gate = await database.owner.connect()
  await gate.query('begin')
  await gate.query('select 1 from products.inventory where product_id = $1 for update', [id])
  const first = store.place(one(id))
  await untilQueued(database.owner, 1)
  const rest = Promise.allSettled(placements.map((placement) => store.place(placement)))
  await gate.query('commit')
  gate.release()
  expect(word({ status: 'fulfilled', value: await first })).toBe('placed')
  return rest
}

const transactionsOf = async (placements: readonly Placement[]): Promise<number> => {
  const { rows } = await database.owner.query<{ transactions: number }>(
    'select count(distinct xmin::text)::int as transactions from orders.orders where id = any ($1::uuid[])',
    [placements.map(({ id }) => id)],
  )
  return rows[0]?.transactions ?? 0
}

test('what arrives during a transaction goes together in the next, in the order of arrival', async () => {
  const { id } = await world.addProduct({ available: 7 })
  const placements = Array.from({ length: 30 }, () => one(id))
  const outcomes = await behindOne(batchingOrderStore(aPool()), placements)
  expect(outcomes.map(word)).toEqual([
    ...Array<string>(7).fill('placed'),
    ...Array<string>(23).fill('insufficient-stock'),
  ])
  expect(await world.available(id)).toBe(0)
  expect(await transactionsOf(placements)).toBe(1)
})

test('a batch has a limit; the rest goes in the next', async () => {
  const { id } = await world.addProduct({ available: 25 })
  const placements = Array.from({ length: 25 }, () => one(id))
  await behindOne(batchingOrderStore(aPool(), { maxBatch: 10 }), placements)
  expect(await transactionsOf(placements)).toBe(3)
})

test('each order is all or nothing, and a short one harms no neighbour', async () => {
  const [a, b] = await Promise.all([world.addProduct({ available: 3 }), world.addProduct({ available: 1 })])
  const lines = (...quantities: [number, number]) =>
    [a, b].flatMap(({ id }, i) => (quantities[i] ? [{ productId: id, quantity: quantities[i] }] : []))
  const outcomes = await behindOne(batchingOrderStore(aPool()), [
    aPlacement({ lines: lines(1, 1) }),
    aPlacement({ lines: lines(2, 1) }), // short of b, so that a stays for the next
    aPlacement({ lines: lines(2, 0) }),
    aPlacement({ lines: [{ productId: randomUUID(), quantity: 1 }] }),
  ])
  expect(outcomes.map(word)).toEqual(['placed', 'insufficient-stock', 'placed', 'product-unavailable'])
  expect(outcomes[1]).toMatchObject({
    value: { error: { shortages: [{ productId: b.id, requested: 1, available: 0 }] } },
  })
  expect([await world.available(a.id), await world.available(b.id)]).toEqual([0, 0])
})

test('one key many times in a batch has one effect, and every repeat gets its receipt', async () => {
  const { id } = await world.addProduct({ available: 9 })
  const once = onceFor()
  const other = { ...once, fingerprint: 'other' }
  const outcomes = await behindOne(batchingOrderStore(aPool()), [
    one(id, { once }),
    one(id, { once }),
    one(id, { once: other }),
    one(id, { once: onceFor() }),
    one(id, { once }),
  ])
  expect(outcomes.map(word)).toEqual(['placed', 'repeated', 'idempotency-key-reused', 'placed', 'repeated'])
  expect(await world.available(id)).toBe(7)
})

test('a refused call frees its key for the next one in the same batch', async () => {
  const { id } = await world.addProduct({ available: 1 })
  const once = onceFor()
  const tooMuch = aPlacement({ lines: [{ productId: id, quantity: 2 }], once })
  const outcomes = await behindOne(batchingOrderStore(aPool()), [
    tooMuch,
    one(id, { once: { ...once, fingerprint: 'corrected' } }),
  ])
  expect(outcomes.map(word)).toEqual(['insufficient-stock', 'placed'])
})

test('a key that another process is using is told so, without waiting, and its neighbours are served', async () => {
  const { id } = await world.addProduct({ available: 9 })
  const once = onceFor()
  const holder = await database.owner.connect()
  await holder.query('begin')
  await holder.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [
    JSON.stringify(['orders', once.callerId, once.route, once.key]),
  ])
  const outcomes = await behindOne(batchingOrderStore(aPool()), [
    one(id),
    one(id, { once }),
    one(id, { once }),
    one(id),
  ])
  await holder.query('rollback')
  holder.release()
  expect(outcomes.map(word)).toEqual(['placed', 'request-in-progress', 'request-in-progress', 'placed'])
})

test('an order that the database refuses fails alone', async () => {
  const { id } = await world.addProduct({ available: 9 })
  const outcomes = await behindOne(batchingOrderStore(aPool()), [
    one(id),
    one(id, { notes: 'not \u0000 storable' }),
    one(id),
  ])
  expect(outcomes.map((outcome) => outcome.status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect(await world.available(id)).toBe(7)
})

test('orders of a locked product wait by themselves or are told to come back; the others go on', async () => {
  const [locked, free] = await Promise.all([world.addProduct({ available: 9 }), world.addProduct({ available: 9 })])
  const store = batchingOrderStore(aPool(), { maxAlone: 2 })
  const holder = await database.owner.connect()
  await holder.query('begin')
  await holder.query('select 1 from products.inventory where product_id = $1 for update', [locked.id])
  const stuck = Promise.allSettled(Array.from({ length: 3 }, () => store.place(one(locked.id))))
  const placed = await Promise.all([store.place(one(free.id)), store.place(one(free.id))])
  expect(placed.map((value) => word({ status: 'fulfilled', value }))).toEqual(['placed', 'placed'])
  await holder.query('commit')
  holder.release()
  expect((await stuck).map(word).sort()).toEqual(['DatabaseOutage', 'placed', 'placed'])
  expect([await world.available(locked.id), await world.available(free.id)]).toEqual([7, 7])
})

test('one more than may wait is refused at once', async () => {
  const { id } = await world.addProduct({ available: 9 })
  const outcomes = await behindOne(
    batchingOrderStore(aPool(), { maxWaiting: 3 }),
    Array.from({ length: 5 }, () => one(id)),
  )
  expect(outcomes.map(word)).toEqual(['placed', 'placed', 'placed', 'DatabaseOutage', 'DatabaseOutage'])
})

test('when its connections are lost a batch is refused as an outage, and the next one is served', async () => {
  const { id } = await world.addProduct({ available: 9 })
  const pool = aPool()
  const store = batchingOrderStore(pool)
  const holder = await database.owner.connect()
  await holder.query('begin')
  await holder.query('select 1 from products.inventory where product_id = $1 for update', [id])
  const lost = Promise.allSettled([store.place(one(id)), store.place(one(id))])
  await untilQueued(database.owner, 1)
  await database.owner.query(
    `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
  )
  const [first] = await lost
  await holder.query('commit')
  holder.release()
  expect(first).toMatchObject({ status: 'rejected' })
  expect(word({ status: 'fulfilled', value: await store.place(one(id)) })).toBe('placed')
})

test('two processes on one database: crossed keys and products, one effect a key, no unit lost', async () => {
  const [a, b] = await Promise.all([world.addProduct({ available: 60 }), world.addProduct({ available: 60 })])
  const stores = [batchingOrderStore(aPool()), batchingOrderStore(aPool())]
  const keys = Array.from({ length: 20 }, () => onceFor())
  const crossed = keys.flatMap((once, n) => {
    const lines = [a, b].map(({ id }) => ({ productId: id, quantity: 1 }))
    return stores.flatMap((store, s) =>
      Array.from({ length: 5 }, () => ({
        store,
        placement: aPlacement({ lines: (n + s) % 2 ? lines : lines.toReversed(), once }),
      })),
    )
  })
  const outcomes = await Promise.allSettled(crossed.map(({ store, placement }) => store.place(placement)))
  const words = new Set(outcomes.map(word))
  words.delete('request-in-progress')
  expect([...words].sort()).toEqual(['placed', 'repeated'])
  expect(outcomes.filter((outcome) => word(outcome) === 'placed')).toHaveLength(20)
  expect([await world.available(a.id), await world.available(b.id)]).toEqual([40, 40])
})

// Any interleaving of orders, batches and cancels comes to what some order of the same calls, one at a time, comes to.

type Step =
  | { kind: 'place'; store: number; lines: { product: number; quantity: number }[]; key: number | null }
  | { kind: 'cancel'; of: number }

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('place' as const),
      store: fc.nat(1),
      lines: fc.uniqueArray(fc.record({ product: fc.nat(2), quantity: fc.integer({ min: 1, max: 3 }) }), {
        minLength: 1,
        maxLength: 3,
        selector: (line) => line.product,
      }),
      key: fc.option(fc.nat(1), { nil: null }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cancel' as const), of: fc.nat(3) }) },
)

const LATER = new Date('2026-11-21T09:00:00.000Z')

/** Does the calls and says, in words that don't depend on ids, what came of each. */
function player(stores: readonly OrderStore[], productIds: readonly string[], steps: readonly Step[], salt: string) {
  const buyerId = randomUUID()
  const placements = steps.map((each) =>
    each.kind === 'place'
      ? aPlacement({
          buyerId,
          lines: each.lines.map(({ product, quantity }) => ({ productId: productIds[product] ?? '', quantity })),
          once:
            each.key === null
              ? undefined
              : onceFor({ callerId: buyerId, key: `${salt}-${each.key}`, fingerprint: JSON.stringify(each.lines) }),
        })
      : undefined,
  )
  const indexOfReceipt = (body: string) => placements.findIndex((placement) => placement && body.includes(placement.id))
  return async (i: number): Promise<string> => {
    const each = steps[i] as Step
    const store = stores[each.kind === 'place' ? each.store % stores.length : 0] as OrderStore
    if (each.kind === 'cancel') {
      const target = placements[each.of % placements.length]
      const result = target ? await store.update(target.id, buyerId, (order) => cancel(order, LATER)) : undefined
      return result?.ok ? 'cancelled' : 'nothing to cancel'
    }
    const result = await store.place(placements[i] as Placement)
    if (!result.ok) {
      const shortages =
        result.error.code === 'insufficient-stock'
          ? result.error.shortages.map((short) => [productIds.indexOf(short.productId), short.available])
          : []
      return `${result.error.code} ${JSON.stringify(shortages)}`
    }
    return result.value.repeated ? `repeats ${indexOfReceipt(result.value.receipt.body)}` : 'placed'
  }
}

test('every interleaving equals some one-at-a-time order of the same calls', async () => {
  const stores = [batchingOrderStore(aPool()), batchingOrderStore(aPool(), { maxBatch: 2 })]
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 2, maxLength: 6 }),
      fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 3, maxLength: 3 }),
      async (steps, stocks) => {
        const products = await Promise.all(stocks.map((available) => world.addProduct({ available })))
        const play = player(
          stores,
          products.map(({ id }) => id),
          steps,
          randomUUID(),
        )
        const seen = await Promise.all(steps.map((_, i) => play(i)))
        const left = await Promise.all(products.map(({ id }) => world.available(id)))
        expect(await explained(steps, stocks, seen, left)).toBe(true)
      },
    ),
    { numRuns: 150 },
  )
}, 120_000)

/** Tries the orders of the calls on the memory store until one gives the same answers and leaves the same stock. */
async function explained(
  steps: readonly Step[],
  stocks: readonly number[],
  seen: readonly string[],
  left: readonly number[],
): Promise<boolean> {
  for (const sequence of permutations(steps.map((_, i) => i))) {
    const { products, orders } = aMemoryShop(stocks)
    const play = player(
      [orders],
      products.map(({ id }) => id),
      steps,
      'model',
    )
    let agrees = true
    for (const i of sequence) {
      const answer = seen[i] as string
      // A key in use at that moment is the one answer that only concurrency gives; it has no effect.
      agrees &&= answer.startsWith('request-in-progress') || (await play(i)) === answer
      if (!agrees) break
    }
    if (agrees && products.every((product, p) => product.available === left[p])) return true
  }
  return false
}

function* permutations(items: readonly number[]): Generator<number[]> {
  if (items.length === 0) yield []
  for (const item of items)
    for (const rest of permutations(items.filter((other) => other !== item))) yield [item, ...rest]
}
