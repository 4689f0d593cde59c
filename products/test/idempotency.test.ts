import { dropExpiredKeys, sweepExpiredKeys } from '@shop/platform/idempotency'
import { makeLog } from '@shop/platform/logging'
import { raceThroughGate } from '../../tests/support/gate'
import { aSeller, openShop, type Body, type Shop, type Someone } from './shop'

let shop: Shop
beforeAll(async () => {
  shop = await openShop()
})
afterAll(() => shop.close())

const LAMP = { name: 'Lamp', priceCents: 100, stock: 3 }
const offer = (seller: Someone, key: string, body: unknown = LAMP) =>
  shop.api
    .post('/products')
    .set({ authorization: seller.authorization, 'idempotency-key': key })
    .send(body as object)
const own = async (seller: Someone) =>
  (await shop.api.get('/products/mine').set('authorization', seller.authorization).expect(200)).body.items as Body[]

test('a repeated offer gets the same answer byte for byte, and makes nothing', async () => {
  const seller = aSeller()
  const first = await offer(seller, 'lamp-1')
  expect([first.status, first.headers['idempotency-replayed']]).toEqual([201, undefined])
  // What the product has become by now is not what was answered then.
  await shop.patch(seller, first.body.id as string, '*', { name: 'Renamed' }).expect(200)
  await shop.changeStock(seller, first.body.id as string, { delta: 1, reason: 'RECEIVED' }).expect(200)

  for (const key of ['lamp-1', '"lamp-1"']) {
    const again = await offer(seller, key)
    expect([again.status, again.text]).toEqual([201, first.text])
    expect(again.headers).toMatchObject({
      'idempotency-replayed': 'true',
      location: first.headers['location'],
      etag: first.headers['etag'],
      'content-type': first.headers['content-type'],
      'cache-control': 'no-store',
    })
  }
  expect(await own(seller)).toHaveLength(1)
})

test('the order of fields and the spelling of JSON make no other request', async () => {
  const seller = aSeller()
  const first = await offer(seller, 'k')
  const again = await offer(
    seller,
    'k',
    '{ "stock":3.0, "category":null,"description":"", "priceCents":1e2,\n"name":"L\\u0061mp" }',
  ).type('json')
  expect([again.status, again.text]).toEqual([201, first.text])
})

test('the same key with another body is refused', async () => {
  const seller = aSeller()
  await offer(seller, 'k').expect(201)
  for (const other of [
    { ...LAMP, stock: 4 },
    { ...LAMP, description: ' ' },
  ]) {
    const refused = await offer(seller, 'k', other)
    expect([refused.status, refused.body.code]).toEqual([422, 'idempotency-key-reused'])
  }
  expect(await own(seller)).toHaveLength(1)
})

test('a key is the caller’s own', async () => {
  const [seller, other] = [aSeller(), aSeller()]
  const first = await offer(seller, 'shared')
  const second = await offer(other, 'shared', { ...LAMP, name: 'Another' })
  expect([first.status, second.status, second.headers['idempotency-replayed']]).toEqual([201, 201, undefined])
  expect(second.body).toMatchObject({ sellerId: other.id, name: 'Another' })
})

test('a key is the route’s own', async () => {
  const seller = aSeller()
  const { id } = (await offer(seller, 'k').expect(201)).body as { id: string }
  const change = { delta: 2, reason: 'RECEIVED' }
  const changed = await shop.changeStock(seller, id, change, 'k')
  expect([changed.status, changed.body.available]).toEqual([200, 5])
  const other = await shop.create(seller)
  const reused = await shop.changeStock(seller, other.id, change, 'k')
  expect([reused.status, reused.body.code]).toEqual([422, 'idempotency-key-reused'])
  expect(await shop.read(other.id)).toEqual(other.body)
})

test('a repeated stock change is made once', async () => {
  const seller = aSeller()
  const { id } = await shop.create(seller, { stock: 10 })
  const change = () => shop.changeStock(seller, id, { delta: -4, reason: 'DAMAGED', note: 'Flood' }, 'flood')
  const first = await change().expect(200)
  await shop.changeStock(seller, id, { delta: -6, reason: 'DAMAGED' }).expect(200)
  const again = await change()
  expect([again.status, again.text, again.headers['idempotency-replayed']]).toEqual([200, first.text, 'true'])
  expect(await shop.read(id)).toMatchObject({ available: 0 })
  expect(await shop.movements(seller, id)).toHaveLength(3)
})

test('a replay comes before what the product has become', async () => {
  const seller = aSeller()
  const { id } = await shop.create(seller)
  const change = () => shop.changeStock(seller, id, { delta: 1, reason: 'RECEIVED' }, 'k')
  const first = await change().expect(200)
  await shop.patch(seller, id, '*', { status: 'DISABLED' }).expect(200)
  expect((await change()).text).toBe(first.text)
})

test('a refusal is not remembered, and the same key may try again', async () => {
  const seller = aSeller()
  const { id } = await shop.create(seller, { stock: 1 })
  const take = () => shop.changeStock(seller, id, { delta: -2, reason: 'DAMAGED' }, 'take')
  expect((await take()).status).toBe(409)
  await shop.changeStock(seller, id, { delta: 1, reason: 'RECEIVED' }).expect(200)
  const taken = await take()
  expect([taken.status, taken.headers['idempotency-replayed'], taken.body.available]).toEqual([200, undefined, 0])
  expect((await take()).headers['idempotency-replayed']).toBe('true')

  expect((await offer(seller, 'offer', { ...LAMP, name: '' })).status).toBe(422)
  expect((await offer(seller, 'offer')).status).toBe(201)
})

test.each(['', ' ', '"', '""', 'a b', '"a', 'ü', 'x'.repeat(256), `"${'x'.repeat(256)}"`])(
  '%j is no key',
  async (key) => {
    const seller = aSeller()
    const refused = await offer(seller, key).catch((error: Error) => error)
    // Some cannot even be put into a header by a well-behaved client.
    if (refused instanceof Error) expect(refused).toMatchObject({ code: 'ERR_INVALID_CHAR' })
    else expect([refused.status, refused.body.errors?.[0]]).toMatchObject([422, { path: 'idempotency-key' }])
    expect(await own(seller)).toEqual([])
  },
)

test('the longest key is one', async () => {
  const seller = aSeller()
  await offer(seller, 'x'.repeat(255)).expect(201)
  expect((await offer(seller, `"${'x'.repeat(255)}"`)).headers['idempotency-replayed']).toBe('true')
})

test('twenty calls with one key at once offer one product', async () => {
  const seller = aSeller()
  const answers = await Promise.all(Array.from({ length: 20 }, () => offer(seller, 'once')))
  const made = answers.filter(({ status }) => status === 201)
  expect(made.length).toBeGreaterThan(0)
  expect(new Set(made.map(({ text }) => text)).size).toBe(1)
  expect(made.filter(({ headers }) => headers['idempotency-replayed'] === undefined)).toHaveLength(1)
  for (const late of answers.filter(({ status }) => status !== 201)) {
    expect([late.status, late.body.code, late.headers['retry-after']]).toEqual([409, 'request-in-progress', '1'])
  }
  expect(await own(seller)).toHaveLength(1)
})

test('who comes with the key of a call that is under way is told so at once', async () => {
  const seller = aSeller()
  const { id } = await shop.create(seller, { stock: 10 })
  const change = async () => shop.changeStock(seller, id, { delta: -1, reason: 'DAMAGED' }, 'k')
  // One waits for the stock row; the others find its key taken, and wait for nothing.
  const attempts = await raceThroughGate(
    shop.owner,
    { text: 'select from products.inventory where product_id = $1 for update', values: [id] },
    Array.from({ length: 5 }, () => change),
    1,
  )
  const statuses = attempts.map((attempt) => (attempt.status === 'fulfilled' ? attempt.value.status : 0)).sort()
  expect(statuses.at(0)).toBe(200)
  expect(statuses.every((status) => status === 200 || status === 409)).toBe(true)
  expect(await shop.read(id)).toMatchObject({ available: 9 })
  expect((await change()).headers['idempotency-replayed']).toBe('true')
})

test('the body is not kept in readable form, only its keyed digest', async () => {
  const seller = aSeller()
  await offer(seller, 'digest', { ...LAMP, description: 'not for the fingerprint' }).expect(201)
  const { rows } = await shop.owner.query('select * from products.idempotency_keys where caller_id = $1', [seller.id])
  expect(rows).toEqual([
    expect.objectContaining({
      route: 'POST /products',
      key: 'digest',
      fingerprint: expect.stringMatching(/^[\w-]{43}$/),
    }),
  ])
})

describe('after 24 hours', () => {
  const age = (seller: Someone, by: string) =>
    shop.owner.query('update products.idempotency_keys set created_at = now() - $2::interval where caller_id = $1', [
      seller.id,
      by,
    ])

  test('a key is forgotten, and not before', async () => {
    const seller = aSeller()
    const first = await offer(seller, 'k').expect(201)
    await age(seller, '23 hours 59 minutes')
    expect((await offer(seller, 'k')).body.id).toBe(first.body.id)
    await age(seller, '24 hours 1 second')
    const anew = await offer(seller, 'k', { ...LAMP, name: 'Another' })
    expect([anew.status, anew.headers['idempotency-replayed'], anew.body.name]).toEqual([201, undefined, 'Another'])
    expect((await offer(seller, 'k', { ...LAMP, name: 'Another' })).headers['idempotency-replayed']).toBe('true')
    expect(await own(seller)).toHaveLength(2)
  })

  test('the service’s role sweeps expired keys, bite by bite, and leaves the others', async () => {
    const [old, young] = [aSeller(), aSeller()]
    for (const key of ['a', 'b', 'c']) await offer(old, key).expect(201)
    await offer(young, 'a').expect(201)
    await age(old, '25 hours')
    expect(await dropExpiredKeys(shop.pool, 'products', 2)).toBe(2)
    expect(await dropExpiredKeys(shop.pool, 'products', 2)).toBe(1)
    expect(await dropExpiredKeys(shop.pool, 'products', 2)).toBe(0)
    expect((await offer(young, 'a')).headers['idempotency-replayed']).toBe('true')
    expect((await offer(old, 'a')).headers['idempotency-replayed']).toBeUndefined()
  })

  test('one sweep takes as many bites as it needs', async () => {
    const seller = aSeller()
    const kept = async () =>
      (await shop.owner.query('select from products.idempotency_keys where caller_id = $1', [seller.id])).rowCount
    for (let n = 0; n < 5; n++) await offer(seller, `sweep-${n}`).expect(201)
    await age(seller, '25 hours')
    expect(await kept()).toBe(5)

    // Only the timers are ours, so that there is one sweep and no other; what it does takes its own time.
    jest.useFakeTimers({ doNotFake: ['Date', 'nextTick', 'setImmediate', 'queueMicrotask', 'performance', 'hrtime'] })
    const log = makeLog('test', 'silent')
    const sweep = sweepExpiredKeys({ pool: shop.pool, schema: 'products', log, everyMs: 60_000, bite: 2 })
    try {
      jest.advanceTimersByTime(60_000)
      const deadline = Date.now() + 30_000
      while ((await kept()) !== 0) if (Date.now() > deadline) throw new Error('expired keys are still there')
    } finally {
      jest.useRealTimers()
      await sweep.stop()
    }
  })
})
