import { randomUUID } from 'node:crypto'
import { aCaller, startOrders, type Service } from './app'

let shop: Service
beforeAll(async () => {
  shop = await startOrders()
})
afterAll(() => shop.stop())

test('a repeated key is answered byte for byte, marked as a repeat, and places one order', async () => {
  const buyer = aCaller(shop.calls)
  const { id } = await shop.addProduct({ available: 5 })
  const key = { 'idempotency-key': `"${randomUUID()}"` }
  const first = await buyer.order([[id, 1]], key)
  const [again, bare] = [
    await buyer.order([[id, 1]], key),
    await buyer.order([[id, 1]], { 'idempotency-key': key['idempotency-key'].slice(1, -1) }),
  ]
  expect(first.headers['idempotency-replayed']).toBeUndefined()
  for (const repeat of [again, bare]) {
    expect([
      repeat.status,
      repeat.text,
      repeat.headers['location'],
      repeat.headers['etag'],
      repeat.headers['idempotency-replayed'],
    ]).toEqual([201, first.text, first.headers['location'], first.headers['etag'], 'true'])
  }
  expect(await shop.available(id)).toBe(4)
  expect((await buyer.get('/orders')).body.items).toHaveLength(1)
})

test('a replay is what was answered then, whatever has become of the order', async () => {
  const buyer = aCaller(shop.calls)
  const { id } = await shop.addProduct({ available: 5 })
  const key = { 'idempotency-key': randomUUID() }
  const first = await buyer.order([[id, 1]], key)
  await buyer.post(`/orders/${first.body.id}/cancel`)
  expect((await buyer.order([[id, 1]], key)).text).toBe(first.text)
})

test('a key belongs to its caller and to its request', async () => {
  const [buyer, other] = [aCaller(shop.calls), aCaller(shop.calls)]
  const { id } = await shop.addProduct({ available: 5 })
  const key = { 'idempotency-key': randomUUID() }
  const first = await buyer.order([[id, 1]], key)
  const reused = await buyer.order([[id, 2]], key)
  expect([reused.status, reused.body.code]).toEqual([422, 'idempotency-key-reused'])
  const others = await other.order([[id, 2]], key)
  expect([others.status, others.body.buyerId]).toEqual([201, other.id])
  expect(others.body.id).not.toBe(first.body.id)
})

test('a refused call leaves its key free', async () => {
  const buyer = aCaller(shop.calls)
  const { id } = await shop.addProduct({ available: 1 })
  const key = { 'idempotency-key': randomUUID() }
  expect((await buyer.order([[id, 2]], key)).status).toBe(409)
  expect((await buyer.order([[id, 1]], key)).status).toBe(201)
})

test('a key is forgotten after 24 hours', async () => {
  const buyer = aCaller(shop.calls)
  const { id } = await shop.addProduct({ available: 5 })
  const key = { 'idempotency-key': randomUUID() }
  const first = await buyer.order([[id, 1]], key)
  await shop.owner.query(
    `update orders.idempotency_keys set created_at = now() - interval '25 hours' where caller_id = $1`,
    [buyer.id],
  )
  const second = await buyer.order([[id, 2]], key)
  expect([second.status, second.headers['idempotency-replayed']]).toEqual([201, undefined])
  expect(second.body.id).not.toBe(first.body.id)
  expect((await buyer.order([[id, 2]], key)).headers['idempotency-replayed']).toBe('true')
})

test.each(['', '"', 'two words', 'x'.repeat(256), 'ä'])('the key %j is refused', async (key) => {
  const buyer = aCaller(shop.calls)
  const { id } = await shop.addProduct({ available: 1 })
  const refused = await buyer.order([[id, 1]], { 'idempotency-key': key })
  expect([refused.status, refused.body.errors?.[0]]).toMatchObject([422, { in: 'header', path: 'idempotency-key' }])
})
