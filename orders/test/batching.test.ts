import { randomUUID } from 'node:crypto'
import { uuidv7 } from 'uuidv7'
import { unbalancedProducts } from '../../tests/support/books'
import { createDatabase, type TestDatabase } from '../../tests/support/database'
import { openWire } from '../../proof/src/chaos/wire'
import { raceThroughGate, untilQueued } from '../../tests/support/gate'
import { batchingOrderStore } from '../src/adapters/postgres/batching-order-store'
import { postgresCartStore } from '../src/adapters/postgres/cart-store'
import type { CartStore, OrderStore, Placed, Placement, PlacementRefusal } from '../src/application/ports'
import type { RequestedLine } from '../src/domain/order'
import type { Result } from '../src/domain/result'
import { aPlacement, onceFor } from './order-store.contract'
import { catalogue, poolOf } from './shop'

let database: TestDatabase
let world: ReturnType<typeof catalogue>
let carts: CartStore
const pools: ReturnType<typeof poolOf>[] = []

const aPool = (max = 10) => {
  const pool = poolOf(database.urls.orders, max)
  pools.push(pool)
  return pool
}

beforeAll(async () => {
  database = await createDatabase()
  world = catalogue(database.owner)
  carts = postgresCartStore(aPool())
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

/** The checkout of a cart that holds these. */
async function aCheckout(lines: readonly RequestedLine[], buyerId = randomUUID()): Promise<Placement> {
  for (const line of lines) await carts.put(buyerId, line)
  return aPlacement({ buyerId, lines: 'cart' })
}
const quantitiesIn = async (buyerId: string) => (await carts.read(buyerId)).lines.map(({ quantity }) => quantity)

/** What came of a call in one word. */
const word = (outcome: Outcome): string => {
  if (outcome.status === 'rejected') return (outcome.reason as Error).name
  if (!outcome.value.ok) return outcome.value.error.code
  return outcome.value.value.repeated ? 'repeated' : 'placed'
}

/** Holds the row of a product, as somebody else's transaction does, until it is let go. */
async function hold(productId: string): Promise<() => Promise<void>> {
  const holder = await database.owner.connect()
  await holder.query('begin')
  await holder.query('select 1 from products.inventory where product_id = $1 for update', [productId])
  return async () => {
    await holder.query('commit')
    holder.release()
  }
}

/** Keeps a first transaction waiting in front of a row, lets `placements` arrive behind it, and then all of them go. */
async function behindOne(store: OrderStore, placements: readonly Placement[]): Promise<Outcome[]> {
  const { id } = await world.addProduct({ available: 1 })
  const letGo = await hold(id)
  const first = store.place(one(id))
  await untilQueued(database.owner, 1)
  const rest = Promise.allSettled(placements.map((placement) => store.place(placement)))
  await letGo()
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
  const placements = [
    one(id, { once }),
    one(id, { once }),
    one(id, { once: other }),
    one(id, { once: onceFor() }),
    one(id, { once }),
  ]
  const outcomes = await behindOne(batchingOrderStore(aPool()), placements)
  expect(outcomes.map(word)).toEqual(['placed', 'repeated', 'idempotency-key-reused', 'placed', 'repeated'])
  expect(await world.available(id)).toBe(7)
  expect(await transactionsOf(placements)).toBe(1)
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

test('an order that the database refuses harms no neighbour either while others wait for a locked product', async () => {
  const [locked, free] = await Promise.all([world.addProduct({ available: 9 }), world.addProduct({ available: 9 })])
  const store = batchingOrderStore(aPool(), { maxAlone: 1 })
  const letGo = await hold(locked.id)
  const stuck = store.place(one(locked.id))
  const placements = [one(free.id), one(free.id, { notes: 'not \u0000 storable' }), one(free.id)]
  const outcomes = await Promise.allSettled(placements.map((placement) => store.place(placement)))
  await letGo()
  expect(outcomes.map(word)).toEqual(['placed', 'error', 'placed'])
  expect(word({ status: 'fulfilled', value: await stuck })).toBe('placed')
  expect([await world.available(locked.id), await world.available(free.id)]).toEqual([8, 7])
})

test('orders of a locked product wait by themselves, and go together when it is let go; the others go on', async () => {
  const [locked, free] = await Promise.all([world.addProduct({ available: 9 }), world.addProduct({ available: 9 })])
  const store = batchingOrderStore(aPool(), { maxAlone: 2 })
  const letGo = await hold(locked.id)
  const stuck = Array.from({ length: 30 }, () => one(locked.id))
  const outcomes = Promise.allSettled(stuck.map((placement) => store.place(placement)))
  const placed = await Promise.all([store.place(one(free.id)), store.place(one(free.id))])
  expect(placed.map((value) => word({ status: 'fulfilled', value }))).toEqual(['placed', 'placed'])
  await letGo()
  expect((await outcomes).map(word)).toEqual([
    ...Array<string>(9).fill('placed'),
    ...Array<string>(21).fill('insufficient-stock'),
  ])
  expect([await world.available(locked.id), await world.available(free.id)]).toEqual([0, 7])
  expect(await transactionsOf(stuck)).toBe(2) // of the first one, and of the others
})

test('a product that was held at the wrong moment does not wait for one that stays held', async () => {
  const [cold, hot] = await Promise.all([world.addProduct({ available: 9 }), world.addProduct({ available: 99 })])
  const store = batchingOrderStore(aPool())
  const [letColdGo, letHotGo] = [await hold(cold.id), await hold(hot.id)]
  const stuck = Promise.allSettled(Array.from({ length: 9 }, () => store.place(one(cold.id))))
  const wanted = Promise.allSettled(Array.from({ length: 30 }, () => store.place(one(hot.id))))
  await untilQueued(database.owner, 2) // one of each in front of its row
  await letHotGo()
  expect((await wanted).map(word)).toEqual(Array(30).fill('placed'))
  await letColdGo()
  expect((await stuck).map(word)).toEqual(Array(9).fill('placed'))
})

test('a product that is known to be held keeps no further batch waiting', async () => {
  const [locked, free] = await Promise.all([world.addProduct({ available: 9 }), world.addProduct({ available: 9 })])
  const wire = await openWire(database.urls.orders)
  const pool = poolOf(wire.url, 5)
  const store = batchingOrderStore(pool)
  const letGo = await hold(locked.id)
  const stuck = [store.place(one(locked.id)), store.place(one(locked.id))]
  await untilQueued(database.owner, 1)
  await store.place(one(free.id)) // after it the two have been left out
  const triedWithout = wire.listenFor('lock-free-products')
  stuck.push(store.place(one(locked.id)))
  const placed = await Promise.all([store.place(one(free.id)), store.place(one(free.id))])
  expect([placed.map(({ ok }) => ok), triedWithout()]).toEqual([[true, true], 0])
  await letGo()
  expect((await Promise.all(stuck)).map(({ ok }) => ok)).toEqual([true, true, true])
  await pool.end()
  await wire.close()
})

test('more locked products than orders may wait alone: each has its turn', async () => {
  const products = await Promise.all([1, 2, 3, 4].map(() => world.addProduct({ available: 2 })))
  const store = batchingOrderStore(aPool(), { maxAlone: 1 })
  const letGo: (() => Promise<void>)[] = []
  for (const { id } of products) letGo.push(await hold(id))
  const stuck = Promise.allSettled(products.flatMap(({ id }) => [one(id), one(id)]).map((each) => store.place(each)))
  await untilQueued(database.owner, 1)
  await store.place(one((await world.addProduct({ available: 1 })).id)) // after it the others have been left out
  for (const go of letGo) await go()
  expect((await stuck).map(word)).toEqual(Array(8).fill('placed'))
})

test('who waits for a locked product in vain is told to come back, and nobody waits for it twice', async () => {
  const [a, b] = await Promise.all([world.addProduct({ available: 9 }), world.addProduct({ available: 9 })])
  const store = batchingOrderStore(aPool(), { maxAlone: 1 })
  const letGo = [await hold(a.id), await hold(b.id)]
  const stuck = await Promise.allSettled([a, a, a, b, b].map(({ id }) => store.place(one(id))))
  for (const go of letGo) await go()
  // Only the first one is told by the database, which lets it wait for 2 s.
  expect(stuck.map(word)).toEqual(['error', ...Array<string>(4).fill('DatabaseOutage')])
  expect(word({ status: 'fulfilled', value: await store.place(one(a.id)) })).toBe('placed')
})

test('when the first of a line meets an outage, those behind it do not run into it one after the other', async () => {
  const [locked, free] = await Promise.all([world.addProduct({ available: 9 }), world.addProduct({ available: 9 })])
  const store = batchingOrderStore(aPool())
  const letGo = await hold(locked.id)
  const stuck = Promise.allSettled([1, 2, 3].map(() => store.place(one(locked.id))))
  await untilQueued(database.owner, 1)
  await store.place(one(free.id)) // after it they stand in a line
  await untilQueued(database.owner, 1)
  await database.owner.query(
    `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
  )
  expect((await stuck).map(word)).toEqual(Array(3).fill('DatabaseOutage'))
  await letGo()
  expect(word({ status: 'fulfilled', value: await store.place(one(locked.id)) })).toBe('placed')
})

test('who waits for one product in vain takes nothing from those who wait for another', async () => {
  const [a, b] = await Promise.all([world.addProduct({ available: 9 }), world.addProduct({ available: 9 })])
  const store = batchingOrderStore(aPool())
  const [letAGo, letBGo] = [await hold(a.id), await hold(b.id)]
  const both = aPlacement({ lines: [a, b].map(({ id }) => ({ productId: id, quantity: 1 })) })
  const stuck = Promise.allSettled([both, one(a.id), one(a.id)].map((placement) => store.place(placement)))
  await untilQueued(database.owner, 1)
  await store.place(one((await world.addProduct({ available: 1 })).id)) // after it they stand in a line
  await letAGo()
  expect((await stuck).map(word)).toEqual(['error', 'placed', 'placed'])
  await letBGo()
  expect([await world.available(a.id), await world.available(b.id)]).toEqual([7, 9])
})

test('an order that came alone and waits for a locked product keeps the next ones waiting for a moment only', async () => {
  const [locked, free] = await Promise.all([world.addProduct({ available: 9 }), world.addProduct({ available: 9 })])
  const store = batchingOrderStore(aPool())
  const letGo = await hold(locked.id)
  const stuck = Promise.allSettled([store.place(one(locked.id))])
  await untilQueued(database.owner, 1)
  expect(word({ status: 'fulfilled', value: await store.place(one(free.id)) })).toBe('placed')
  await letGo()
  // Had the other one been kept waiting for it, it would have waited in vain until its time was up.
  expect((await stuck).map(word)).toEqual(['placed'])
})

test('one more than may wait is refused at once', async () => {
  const { id } = await world.addProduct({ available: 9 })
  const outcomes = await behindOne(
    batchingOrderStore(aPool(), { maxWaiting: 3 }),
    Array.from({ length: 5 }, () => one(id)),
  )
  expect(outcomes.map(word)).toEqual(['placed', 'placed', 'placed', 'DatabaseOutage', 'DatabaseOutage'])
})

test('those who wait for a locked product count as waiting', async () => {
  const [locked, free] = await Promise.all([world.addProduct({ available: 9 }), world.addProduct({ available: 9 })])
  const store = batchingOrderStore(aPool(), { maxWaiting: 4 })
  const letGo = await hold(locked.id)
  const stuck = Promise.allSettled(Array.from({ length: 4 }, () => store.place(one(locked.id))))
  await untilQueued(database.owner, 1)
  const outcomes = [
    ...(await Promise.allSettled([store.place(one(free.id))])), // when it is there, three are left waiting behind the first
    ...(await Promise.allSettled([store.place(one(free.id)), store.place(one(free.id))])),
  ]
  await letGo()
  expect(outcomes.map(word)).toEqual(['placed', 'placed', 'DatabaseOutage'])
  expect((await stuck).map(word)).toEqual(Array(4).fill('placed'))
})

test('when its connections are lost a batch is refused as an outage, and the next one is served', async () => {
  const { id } = await world.addProduct({ available: 9 })
  const pool = aPool()
  const store = batchingOrderStore(pool)
  const letGo = await hold(id)
  const lost = Promise.allSettled([store.place(one(id)), store.place(one(id))])
  await untilQueued(database.owner, 1)
  await database.owner.query(
    `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
  )
  const [first] = await lost
  await letGo()
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

test('of the checkouts of one cart in a batch the first that can be served gets the lines', async () => {
  const { id } = await world.addProduct({ available: 3 })
  const buyers = [randomUUID(), randomUUID()] as const
  const [tooMuch, enough] = [
    await aCheckout([{ productId: id, quantity: 4 }], buyers[0]),
    await aCheckout([{ productId: id, quantity: 2 }], buyers[1]),
  ]
  const again = (placement: Placement) => aPlacement({ buyerId: placement.buyerId, lines: 'cart' })
  const placements = [tooMuch, enough, again(enough), one(id), again(tooMuch), aPlacement({ lines: 'cart' })]
  const outcomes = await behindOne(batchingOrderStore(aPool()), placements)
  expect(outcomes.map(word)).toEqual([
    'insufficient-stock',
    'placed',
    'cart-empty',
    'placed',
    'insufficient-stock',
    'cart-empty',
  ])
  expect(outcomes[4]).toMatchObject({
    value: { error: { shortages: [{ productId: id, requested: 4, available: 0 }] } },
  })
  expect(await transactionsOf(placements)).toBe(1)
  expect([await quantitiesIn(buyers[0]), await quantitiesIn(buyers[1])]).toEqual([[4], []])
  expect(await world.available(id)).toBe(0)
})

test('a cart that somebody holds keeps nobody else waiting, and is placed when it is let go', async () => {
  const { id } = await world.addProduct({ available: 9 })
  const checkout = await aCheckout([{ productId: id, quantity: 2 }])
  const holder = await database.owner.connect()
  await holder.query('begin')
  await holder.query('select 1 from orders.carts where buyer_id = $1 for update', [checkout.buyerId])
  const store = batchingOrderStore(aPool())
  const held = Promise.allSettled([store.place(checkout)])
  const free = await Promise.allSettled([
    store.place(one(id)),
    store.place(await aCheckout([{ productId: id, quantity: 3 }])),
  ])
  expect(free.map(word)).toEqual(['placed', 'placed'])
  await untilQueued(database.owner, 1)
  await holder.query('commit')
  holder.release()
  expect((await held).map(word)).toEqual(['placed'])
  expect(await world.available(id)).toBe(3)
})

test('two processes are asked fifty times to place one cart: one of them does, once', async () => {
  const { id } = await world.addProduct({ available: 9 })
  const checkout = await aCheckout([{ productId: id, quantity: 2 }])
  const stores = [batchingOrderStore(aPool()), batchingOrderStore(aPool())]
  const race = await raceThroughGate(
    database.owner,
    { text: 'select 1 from orders.carts where buyer_id = $1 for update', values: [checkout.buyerId] },
    Array.from({ length: 50 }, (_, n) => () => (stores[n % 2] as OrderStore).place({ ...checkout, id: uuidv7() })),
    2, // those of a process stand in one line
  )
  const words = race.map(word).sort()
  expect(words).toEqual([...Array<string>(49).fill('cart-empty'), 'placed'])
  expect(await world.available(id)).toBe(7)
})

test('checkouts that wait for a cart in vain are told so together, without waiting one after the other', async () => {
  const { id } = await world.addProduct({ available: 9 })
  const checkout = await aCheckout([{ productId: id, quantity: 2 }])
  const holder = await database.owner.connect()
  await holder.query('begin')
  await holder.query('select 1 from orders.carts where buyer_id = $1 for update', [checkout.buyerId])
  const store = batchingOrderStore(aPool())
  const stuck = await Promise.allSettled(Array.from({ length: 10 }, () => store.place({ ...checkout, id: uuidv7() })))
  await holder.query('rollback')
  holder.release()
  expect(stuck.map((outcome) => outcome.status)).toEqual(Array(10).fill('rejected'))
  expect(await quantitiesIn(checkout.buyerId)).toEqual([2])
})

test('a batch without checkouts asks nothing of carts', async () => {
  const { id } = await world.addProduct({ available: 9 })
  const wire = await openWire(database.urls.orders)
  const pool = poolOf(wire.url, 2)
  const store = batchingOrderStore(pool)
  const [orders, checkouts] = [wire.listenFor('write-orders'), wire.listenFor('cart')]
  expect((await behindOne(store, [one(id), one(id, { once: onceFor() })])).map(word)).toEqual(['placed', 'placed'])
  expect([orders() > 0, checkouts()]).toEqual([true, 0])
  expect((await behindOne(store, [await aCheckout([{ productId: id, quantity: 1 }])])).map(word)).toEqual(['placed'])
  expect(checkouts()).toBeGreaterThan(0)
  await pool.end()
  await wire.close()
})
