import { randomUUID } from 'node:crypto'
import type { Order } from '../src/domain/order'
import { bring } from './an-order'
import { aCaller, startOrders, type Service } from './app'

let shop: Service
beforeAll(async () => {
  shop = await startOrders()
})
afterAll(() => shop.stop())

const aBuyer = () => aCaller(shop.calls)

test('a buyer places an order, reads it back and finds it in the list', async () => {
  const buyer = aBuyer()
  const mug = await shop.addProduct({ available: 5, priceCents: 250, name: 'Mug' })
  const lamp = await shop.addProduct({ available: 2, priceCents: 9900, name: 'Lamp ☀' })
  const placed = await buyer.post('/orders', {
    items: [
      { productId: mug.id, quantity: 2 },
      { productId: lamp.id, quantity: 1 },
      { productId: mug.id, quantity: 1 },
    ],
    shippingAddress: '1 Main St',
    notes: 'Ring twice',
  })
  expect(placed.status).toBe(201)
  expect(placed.headers).toMatchObject({
    location: `/orders/${placed.body.id}`,
    etag: '"1"',
    'cache-control': 'no-store',
  })
  expect(placed.body).toEqual({
    id: expect.any(String),
    buyerId: buyer.id,
    status: 'PLACED',
    paymentStatus: 'UNPAID',
    items: [
      { productId: mug.id, sellerId: mug.sellerId, name: 'Mug', quantity: 3, unitPriceCents: 250, lineTotalCents: 750 },
      {
        productId: lamp.id,
        sellerId: lamp.sellerId,
        name: 'Lamp ☀',
        quantity: 1,
        unitPriceCents: 9900,
        lineTotalCents: 9900,
      },
    ],
    totalCents: 10650,
    currency: 'USD',
    shippingAddress: '1 Main St',
    notes: 'Ring twice',
    holdUntil: new Date(Date.parse(placed.body.createdAt) + 30 * 60_000).toISOString(),
    createdAt: placed.body.updatedAt,
    updatedAt: expect.any(String),
  })
  expect((await buyer.get(placed.headers['location'] ?? '')).body).toEqual(placed.body)
  expect((await buyer.get('/orders')).body).toEqual({ items: [placed.body], nextCursor: null })
  expect([await shop.available(mug.id), await shop.available(lamp.id)]).toEqual([2, 1])
})

test('addresses and notes that were not given are null', async () => {
  const buyer = aBuyer()
  const { id } = await shop.addProduct({ available: 1 })
  expect((await buyer.order([[id, 1]])).body).toMatchObject({ shippingAddress: null, notes: null })
})

test("somebody else's order can be neither read, listed nor cancelled, and looks like none", async () => {
  const [buyer, other] = [aBuyer(), aBuyer()]
  const { id } = await shop.addProduct({ available: 1 })
  const order = await buyer.order([[id, 1]])
  const strip = ({ body }: { body: object }) => ({ ...body, instance: '', requestId: '' })
  const missing = strip(await other.get(`/orders/${randomUUID()}`))
  expect(strip(await other.get(`/orders/${order.body.id}`))).toEqual(missing)
  expect(strip(await other.post(`/orders/${order.body.id}/cancel`))).toEqual(missing)
  expect(missing).toMatchObject({ status: 404, code: 'order-not-found' })
  expect((await other.get('/orders')).body.items).toEqual([])
  expect((await buyer.get(`/orders/${order.body.id}`)).body.status).toBe('PLACED')
  expect(await shop.available(id)).toBe(0)
})

test('short lines are all reported and nothing happens', async () => {
  const buyer = aBuyer()
  const [scarce, gone, enough] = await Promise.all([3, 0, 9].map((available) => shop.addProduct({ available })))
  const lines: [string, number][] = [enough, scarce, gone].map((product) => [product?.id ?? '', 4])
  const refused = await buyer.order(lines)
  expect(refused.status).toBe(409)
  expect(refused.body).toMatchObject({
    type: '/problems/insufficient-stock',
    code: 'insufficient-stock',
    shortages: [
      { productId: scarce?.id, requested: 4, available: 3 },
      { productId: gone?.id, requested: 4, available: 0 },
    ],
  })
  expect((await buyer.get('/orders')).body.items).toEqual([])
  expect(await shop.available(enough?.id ?? '')).toBe(9)
})

test('lines that are each in stock but not together are short', async () => {
  const buyer = aBuyer()
  const { id } = await shop.addProduct({ available: 5 })
  const refused = await buyer.order([
    [id, 3],
    [id, 3],
  ])
  expect(refused.body).toMatchObject({
    code: 'insufficient-stock',
    shortages: [{ productId: id, requested: 6, available: 5 }],
  })
  expect(await shop.available(id)).toBe(5)
})

test('an id written in upper case is the same product: its lines are summed', async () => {
  const buyer = aBuyer()
  const { id } = await shop.addProduct({ available: 5 })
  const order = await buyer.order([
    [id.toUpperCase(), 3],
    [id, 2],
  ])
  expect(order.status).toBe(201)
  expect(order.body.items).toMatchObject([{ productId: id, quantity: 5 }])
  expect(await shop.available(id)).toBe(0)
})

test('unknown and disabled products are reported together, before any shortage', async () => {
  const buyer = aBuyer()
  const disabled = await shop.addProduct({ available: 5, active: false })
  const gone = await shop.addProduct({ available: 0 })
  const unknown = randomUUID()
  const refused = await buyer.order([
    [gone.id, 1],
    [disabled.id, 1],
    [unknown, 1],
  ])
  expect(refused.status).toBe(422)
  expect(refused.body).toMatchObject({ code: 'product-unavailable', productIds: [disabled.id, unknown] })
})

test('lines of one product that add up to more than 1000 are a violation', async () => {
  const buyer = aBuyer()
  const { id } = await shop.addProduct({ available: 5000 })
  const refused = await buyer.order([
    [id, 600],
    [id, 401],
  ])
  expect(refused.body).toMatchObject({ code: 'validation-failed', errors: [{ in: 'body', path: 'items.1.quantity' }] })
  expect((await buyer.order([[id, 1000]])).status).toBe(201)
  expect(await shop.available(id)).toBe(4000)
})

const product = randomUUID()
test.each([
  ['no lines', { items: [] }, ['items']],
  ['101 lines', { items: Array.from({ length: 101 }, () => ({ productId: product, quantity: 1 })) }, ['items']],
  ...[0, -1, 1.5, '1', 1001, 2 ** 53 + 2, null].map((quantity): [string, object, string[]] => [
    `quantity ${String(quantity)}`,
    { items: [{ productId: product, quantity }] },
    ['items.0.quantity'],
  ]),
  ['an id that is none', { items: [{ productId: '7', quantity: 1 }] }, ['items.0.productId']],
  [
    'a price of the buyer',
    { items: [{ productId: product, quantity: 1, unitPriceCents: 1 }], totalCents: 1 },
    ['items.0.unitPriceCents', 'totalCents'],
  ],
  [
    'a buyer in the body',
    { items: [{ productId: product, quantity: 1 }], buyerId: product, status: 'PAID' },
    ['buyerId', 'status'],
  ],
  [
    'U+0000 in an address',
    { items: [{ productId: product, quantity: 1 }], shippingAddress: 'a\u0000b' },
    ['shippingAddress'],
  ],
  [
    'an address that is too long',
    { items: [{ productId: product, quantity: 1 }], shippingAddress: 'x'.repeat(501) },
    ['shippingAddress'],
  ],
  ['no object', [], ['']],
])('an order with %s is 422', async (_name, body, paths) => {
  const refused = await aBuyer().post('/orders', body)
  expect([refused.status, refused.body.code]).toEqual([422, 'validation-failed'])
  expect(new Set((refused.body.errors as { path: string }[]).map((error) => error.path))).toEqual(new Set(paths))
})

test('sellers and the anonymous place and read no orders', async () => {
  const seller = aCaller(shop.calls, 'SELLER')
  for (const refused of [
    await seller.order([]),
    await seller.get('/orders'),
    await seller.get(`/orders/${randomUUID()}`),
  ]) {
    expect([refused.status, refused.body.code]).toEqual([403, 'forbidden-role'])
  }
  expect((await shop.calls.post('/orders').send({ items: [] })).status).toBe(401)
})

test('identity comes from the token and from nothing else', async () => {
  const [buyer, victim] = [aBuyer(), aBuyer()]
  const { id } = await shop.addProduct({ available: 1 })
  const placed = await buyer.order([[id, 1]], { 'x-user-id': victim.id, 'x-user-role': 'ADMIN' })
  expect(placed.body.buyerId).toBe(buyer.id)
})

test('an order is not modified until it changes', async () => {
  const buyer = aBuyer()
  const { id } = await shop.addProduct({ available: 1 })
  const { headers, body } = await buyer.order([[id, 1]])
  const read = () => buyer.get(`/orders/${body.id}`).set('if-none-match', headers['etag'] ?? '')
  expect((await read()).status).toBe(304)
  await buyer.post(`/orders/${body.id}/cancel`)
  const changed = await read()
  expect([changed.status, changed.headers['etag'], changed.body.status]).toEqual([200, '"2"', 'CANCELLED'])
})

test('cancelling gives the stock back once and may be repeated', async () => {
  const buyer = aBuyer()
  const { id } = await shop.addProduct({ available: 3 })
  const order = await buyer.order([[id, 2]])
  const first = await buyer.post(`/orders/${order.body.id}/cancel`)
  expect(first.status).toBe(200)
  expect(first.body).toEqual({ ...order.body, status: 'CANCELLED', holdUntil: null, updatedAt: first.body.updatedAt })
  const second = await buyer.post(`/orders/${order.body.id}/cancel`)
  expect([second.status, second.body]).toEqual([200, first.body])
  expect(await shop.available(id)).toBe(3)
})

test.each(['PACKED', 'OUT_FOR_DELIVERY', 'DELIVERED'] as const)(
  'an order that is %s is not cancelled any more',
  async (status) => {
    const buyer = aBuyer()
    const { id } = await shop.addProduct({ available: 1 })
    const { body } = await buyer.order([[id, 1]])
    const order = (await shop.orders.find(body.id)) as Order
    await bring(shop.orders, order, { status })
    expect((await buyer.get(`/orders/${body.id}`)).body).toMatchObject({
      status,
      paymentStatus: 'PAID',
      holdUntil: null,
    })
    const refused = await buyer.post(`/orders/${body.id}/cancel`)
    expect([refused.status, refused.body.code, refused.body.orderStatus]).toEqual([
      409,
      'order-not-cancellable',
      status,
    ])
    expect(await shop.available(id)).toBe(0)
  },
)

test('pages walk through all orders once while new ones arrive, and a cursor fits only its list', async () => {
  const buyer = aBuyer()
  const { id } = await shop.addProduct({ available: 100 })
  const placed: string[] = []
  for (let n = 0; n < 7; n++) placed.unshift((await buyer.order([[id, 1]])).body.id as string)
  const seen: string[] = []
  let cursor: string | null = null
  do {
    const page = await buyer.get(`/orders?limit=3${cursor ? `&cursor=${cursor}` : ''}`)
    seen.push(...(page.body.items as { id: string }[]).map((order) => order.id))
    cursor = page.body.nextCursor
    await buyer.order([[id, 1]])
  } while (cursor)
  expect(seen).toEqual(placed)

  const { nextCursor } = (await buyer.get('/orders?limit=1')).body
  for (const query of [
    `status=PLACED&cursor=${nextCursor}`,
    'cursor=garbage',
    `cursor=${Buffer.from('["x",[1]]').toString('base64url')}`,
  ]) {
    const refused = await buyer.get(`/orders?${query}`)
    expect([refused.status, refused.body.errors?.[0].path]).toEqual([422, 'cursor'])
  }
})

test.each(['limit=0', 'limit=101', 'limit=x', 'limit=1&limit=2', 'status=placed', 'page=2'])(
  'a list with ?%s is 422',
  async (query) => {
    expect((await aBuyer().get(`/orders?${query}`)).status).toBe(422)
  },
)
