import { uuidv7 } from 'uuidv7'
import { raceThroughGate } from '../../tests/support/gate'
import { aBuyer, aSeller, findUnbalanced, openShop, UNKNOWN_ID, type Body, type Shop } from './shop'

const LIMIT = 1_000_000_000

let shop: Shop
beforeAll(async () => {
  shop = await openShop()
})
afterAll(() => shop.close())

/** Holds the row that whoever changes a product's stock must lock. */
const stockOf = (id: string) => ({
  text: 'select from products.inventory where product_id = $1 for update',
  values: [id],
})

test('each reason moves the stock its way, and each change is a line in the ledger', async () => {
  const seller = aSeller()
  const { id, body } = await shop.create(seller, { stock: 10 })
  const neighbour = await shop.create(seller, { stock: 10 })
  const changes = [
    { delta: 5, reason: 'RECEIVED', note: 'Delivery “4711” 🎧' },
    { delta: -3, reason: 'DAMAGED' },
    { delta: 1, reason: 'CORRECTION', note: null },
    { delta: -2, reason: 'CORRECTION' },
  ]
  const lines: Body[] = []
  let available = 10
  for (const change of changes) {
    const changed = await shop.changeStock(seller, id, change)
    available += change.delta
    expect([changed.status, changed.headers['cache-control']]).toEqual([200, 'no-store'])
    expect(changed.body).toEqual({
      available,
      movement: {
        id: expect.any(String),
        productId: id,
        delta: change.delta,
        reason: change.reason,
        note: change.note ?? null,
        orderId: null,
        actorId: seller.id,
        createdAt: expect.any(String),
      },
    })
    lines.unshift(changed.body.movement as Body)
  }
  expect(await shop.read(id)).toEqual({ ...body, available: 11 })
  const ledger = await shop.movements(seller, id)
  expect(ledger.slice(0, 4)).toEqual(lines)
  expect(ledger[4]).toMatchObject({ delta: 10, reason: 'RECEIVED' })
  expect(await shop.read(neighbour.id)).toEqual(neighbour.body)
  expect(await shop.movements(seller, neighbour.id)).toHaveLength(1)
})

test.each<[string, unknown, string[]]>([
  ['nothing at all', {}, ['delta', 'reason']],
  ['no change', { delta: 0, reason: 'CORRECTION' }, ['delta']],
  ['what was received and is less', { delta: -1, reason: 'RECEIVED' }, ['delta']],
  ['what was damaged and is more', { delta: 1, reason: 'DAMAGED' }, ['delta']],
  ['a reason that only orders give', { delta: -1, reason: 'ORDERED' }, ['reason']],
  ['another reason that only orders give', { delta: 1, reason: 'CANCELLED' }, ['reason']],
  ['the name of an inherited property as reason', { delta: 1, reason: 'constructor' }, ['reason']],
  ['half a unit', { delta: 0.5, reason: 'RECEIVED' }, ['delta']],
  ['a delta as text', { delta: '1', reason: 'RECEIVED' }, ['delta']],
  ['a delta beyond the limit', { delta: LIMIT + 1, reason: 'RECEIVED' }, ['delta']],
  ['a delta beyond the limit downwards', { delta: -LIMIT - 1, reason: 'DAMAGED' }, ['delta']],
  ['an absolute stock', { available: 5, reason: 'CORRECTION' }, ['available', 'delta']],
  ['an empty note', { delta: 1, reason: 'RECEIVED', note: '' }, ['note']],
  ['a long note', { delta: 1, reason: 'RECEIVED', note: 'x'.repeat(501) }, ['note']],
  ['a note with U+0000', { delta: 1, reason: 'RECEIVED', note: '\u0000' }, ['note']],
  ['several faults', { delta: -1, reason: 'RECEIVED', note: '', orderId: UNKNOWN_ID }, ['delta', 'note', 'orderId']],
])('%s is refused, and nothing is written', async (_name, change, paths) => {
  const seller = aSeller()
  const { id, body } = await shop.create(seller)
  const refused = await shop.changeStock(seller, id, change as object)
  expect([refused.status, refused.body.code]).toEqual([422, 'validation-failed'])
  const told = (refused.body.errors as { path: string }[]).map(({ path }) => path)
  expect([...new Set(told)].sort()).toEqual([...paths].sort())
  expect(await shop.read(id)).toEqual(body)
  expect(await shop.movements(seller, id)).toHaveLength(1)
})

test('stock never goes below zero, and the refusal tells what there is', async () => {
  const seller = aSeller()
  const { id, body } = await shop.create(seller, { stock: 4 })
  for (const [delta, reason] of [
    [-5, 'DAMAGED'],
    [-LIMIT, 'CORRECTION'],
  ]) {
    const refused = await shop.changeStock(seller, id, { delta, reason })
    expect([refused.status, refused.body]).toMatchObject([
      409,
      {
        code: 'insufficient-stock',
        shortages: [{ productId: id, requested: -Number(delta), available: 4 }],
      },
    ])
  }
  expect(await shop.read(id)).toEqual(body)
  expect(await shop.movements(seller, id)).toHaveLength(1)
  await shop.changeStock(seller, id, { delta: -4, reason: 'DAMAGED' }).expect(200)
  expect(await shop.read(id)).toMatchObject({ available: 0 })
})

test('stock never goes above the limit, and the refusal tells what there is', async () => {
  const seller = aSeller()
  const { id } = await shop.create(seller, { stock: LIMIT - 1 })
  for (const delta of [2, LIMIT]) {
    const refused = await shop.changeStock(seller, id, { delta, reason: 'RECEIVED' })
    expect([refused.status, refused.body]).toMatchObject([
      409,
      { code: 'stock-limit-exceeded', available: LIMIT - 1, limit: LIMIT },
    ])
  }
  const full = await shop.changeStock(seller, id, { delta: 1, reason: 'RECEIVED' })
  expect([full.status, full.body.available]).toEqual([200, LIMIT])
})

test('stock that a cancelled order lifted above the limit can still go out', async () => {
  const seller = aSeller()
  const { id } = await shop.create(seller, { stock: LIMIT })
  const orderId = uuidv7()
  expect(await shop.order(id, -1000, orderId)).toBe(true)
  await shop.changeStock(seller, id, { delta: 1000, reason: 'RECEIVED' }).expect(200)
  expect(await shop.order(id, 1000, orderId)).toBe(true)
  expect(await shop.read(id)).toMatchObject({ available: LIMIT + 1000 })
  expect((await shop.changeStock(seller, id, { delta: 1, reason: 'CORRECTION' })).status).toBe(409)
  const less = await shop.changeStock(seller, id, { delta: -1, reason: 'CORRECTION' })
  expect([less.status, less.body.available]).toEqual([200, LIMIT + 999])
})

test('only the owner changes stock or reads the ledger', async () => {
  const [seller, other] = [aSeller(), aSeller()]
  const { id, etag, body } = await shop.create(seller)
  const change = { delta: 1, reason: 'RECEIVED' }
  const ledger = (who?: { authorization: string }, path = id) => {
    const call = shop.api.get(`/products/${path}/stock/movements`)
    return who ? call.set('authorization', who.authorization) : call
  }
  const outcomes = async (...calls: PromiseLike<{ status: number; body: Body }>[]) =>
    (await Promise.all(calls)).map((answer) => [answer.status, answer.body['code']])

  const anonymous = shop.api.post(`/products/${id}/stock`).send(change)
  expect(await outcomes(anonymous, ledger())).toEqual(Array(2).fill([401, 'unauthenticated']))
  const buyer = aBuyer()
  expect(await outcomes(shop.changeStock(buyer, id, change), ledger(buyer))).toEqual(
    Array(2).fill([403, 'forbidden-role']),
  )
  expect(await outcomes(shop.changeStock(other, id, change), ledger(other))).toEqual(Array(2).fill([403, 'not-owner']))
  expect(await outcomes(shop.changeStock(seller, UNKNOWN_ID, change), ledger(seller, UNKNOWN_ID))).toEqual(
    Array(2).fill([404, 'product-not-found']),
  )

  await shop.patch(seller, id, etag, { status: 'DISABLED' }).expect(200)
  expect(await outcomes(shop.changeStock(other, id, change), ledger(other))).toEqual(
    Array(2).fill([404, 'product-not-found']),
  )
  expect(await shop.read(id, seller)).toMatchObject({ available: body['available'] })
  expect((await shop.changeStock(seller, id, change)).body.available).toBe(11)
  expect(await shop.movements(seller, id)).toHaveLength(2)
})

test('what others are refused for is decided before what the stock would be', async () => {
  const { id } = await shop.create(aSeller(), { stock: 0 })
  const refused = await shop.changeStock(aSeller(), id, { delta: -1, reason: 'DAMAGED' })
  expect([refused.status, refused.body.code]).toEqual([403, 'not-owner'])
})

test('two take the last unit at once: one gets it, and the other is told that there is none', async () => {
  const seller = aSeller()
  const { id } = await shop.create(seller, { stock: 1 })
  const take = async () => shop.changeStock(seller, id, { delta: -1, reason: 'DAMAGED' })
  const attempts = await raceThroughGate(shop.owner, stockOf(id), [take, take])
  const answers = attempts.flatMap((attempt) => (attempt.status === 'fulfilled' ? [attempt.value] : []))
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 409])
  expect(answers.find(({ status }) => status === 409)?.body.shortages).toEqual([
    { productId: id, requested: 1, available: 0 },
  ])
  expect(await shop.read(id)).toMatchObject({ available: 0 })
})

test('two bring what only one has room for: one is taken in, and the other is told', async () => {
  const seller = aSeller()
  const { id } = await shop.create(seller, { stock: LIMIT - 1 })
  const bring = async () => shop.changeStock(seller, id, { delta: 1, reason: 'RECEIVED' })
  const attempts = await raceThroughGate(shop.owner, stockOf(id), [bring, bring])
  const answers = attempts.flatMap((attempt) => (attempt.status === 'fulfilled' ? [attempt.value] : []))
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 409])
  expect(answers.find(({ status }) => status === 409)?.body).toMatchObject({
    code: 'stock-limit-exceeded',
    available: LIMIT,
  })
})

test('twenty changes at once are all counted', async () => {
  const seller = aSeller()
  const { id } = await shop.create(seller, { stock: 100 })
  const deltas = Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? n + 1 : -n))
  const attempts = await raceThroughGate(
    shop.owner,
    stockOf(id),
    deltas.map((delta) => async () => (await shop.changeStock(seller, id, { delta, reason: 'CORRECTION' })).status),
  )
  expect(attempts.map((attempt) => attempt.status === 'fulfilled' && attempt.value)).toEqual(Array(20).fill(200))
  const sum = deltas.reduce((a, b) => a + b, 100)
  expect(await shop.read(id)).toMatchObject({ available: sum })
})

test('nothing is lost when orders take and give back while the seller changes the stock', async () => {
  const seller = aSeller()
  const { id } = await shop.create(seller, { stock: 5 })
  const orderId = uuidv7()
  expect(await shop.order(id, -2, orderId)).toBe(true)
  const bySeller = [5, -1, 2, -2].map((delta) => async () => {
    const { status } = await shop.changeStock(seller, id, { delta, reason: 'CORRECTION' })
    return status === 200 ? delta : 0
  })
  const byOrders = [-1, -1, -1, -1, -2].map((delta) => async () => ((await shop.order(id, delta)) ? delta : 0))
  const back = async () => ((await shop.order(id, 2, orderId)) ? 2 : 0)
  const attempts = await raceThroughGate(shop.owner, stockOf(id), [...bySeller, ...byOrders, back])
  const moved = attempts.map((attempt) => (attempt.status === 'fulfilled' ? attempt.value : NaN))
  expect(await shop.read(id)).toMatchObject({ available: moved.reduce((a, b) => a + b, 3) })
  const ledger = await shop.movements(seller, id)
  expect(ledger.reduce((sum, { delta }) => sum + Number(delta), 0)).toBe(moved.reduce((a, b) => a + b, 3))
  expect(ledger).toHaveLength(2 + moved.filter((delta) => delta !== 0).length)
})

test('movements of orders are in the ledger with their order', async () => {
  const seller = aSeller()
  const { id } = await shop.create(seller, { stock: 5 })
  const orderId = uuidv7()
  await shop.order(id, -2, orderId)
  await shop.order(id, 2, orderId)
  const [back, taken] = await shop.movements(seller, id)
  expect(taken).toMatchObject({ productId: id, delta: -2, reason: 'ORDERED', orderId, note: null })
  expect(back).toMatchObject({ productId: id, delta: 2, reason: 'CANCELLED', orderId, note: null })
})

test('the ledger comes in pages, none of whose lines is skipped or repeated while it grows', async () => {
  const seller = aSeller()
  const { id } = await shop.create(seller, { stock: 100 })
  for (let n = 0; n < 8; n++) await shop.changeStock(seller, id, { delta: -1, reason: 'DAMAGED' }).expect(200)
  const before = await shop.movements(seller, id)
  expect(before).toHaveLength(9)
  const seen: Body[] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const { body } = await shop.api
      .get(`/products/${id}/stock/movements?limit=2${cursor && `&cursor=${cursor}`}`)
      .set('authorization', seller.authorization)
      .expect(200)
    seen.push(...(body.items as Body[]))
    cursor = body.nextCursor as string | null
    await shop.changeStock(seller, id, { delta: 1, reason: 'RECEIVED' }).expect(200)
    await shop.order(id, -1)
  }
  expect(seen).toEqual(before)

  const other = await shop.create(seller)
  const { body } = await shop.api
    .get(`/products/${id}/stock/movements?limit=2`)
    .set('authorization', seller.authorization)
    .expect(200)
  const foreign = await shop.api
    .get(`/products/${other.id}/stock/movements?cursor=${body.nextCursor}`)
    .set('authorization', seller.authorization)
  expect([foreign.status, foreign.body.errors[0].path]).toEqual([422, 'cursor'])
})

test('the service itself can rewrite neither the ledger nor what it counts', async () => {
  const { id } = await shop.create(aSeller())
  for (const statement of [
    'update products.stock_movements set delta = 1 where product_id = $1',
    'delete from products.stock_movements where product_id = $1',
    'delete from products.inventory where product_id = $1',
    'update products.inventory set product_id = $1',
  ])
    await expect(shop.pool.query(statement, [id])).rejects.toMatchObject({ code: '42501' })
  await expect(
    shop.pool.query('update products.inventory set available = -1 where product_id = $1', [id]),
  ).rejects.toMatchObject({ constraint: 'inventory_available_check' })
})

test('a stock that is not the sum of its ledger would be noticed by these tests', async () => {
  const { id } = await shop.create(aSeller())
  await shop.owner.query('update products.inventory set available = 11 where product_id = $1', [id])
  expect(await findUnbalanced(shop.owner)).toEqual([{ id, available: 11, ledger: '10' }])
  await shop.owner.query('update products.inventory set available = 10 where product_id = $1', [id])
})
