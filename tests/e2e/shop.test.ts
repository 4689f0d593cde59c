import { randomUUID } from 'node:crypto'
import { unbalancedProducts } from '../support/books'
import { counted, PASSWORD, startShop, type Party, type Shop } from '../support/system'

const ADMIN = 'the-admin'
let shop: Shop
let seller: Party
let buyers: Party[]
let buyer: Party

beforeAll(async () => {
  shop = await startShop({ env: { ADMIN_USERNAME: ADMIN, ADMIN_PASSWORD: PASSWORD } })
  seller = await shop.join('SELLER')
  buyers = await shop.joinMany('BUYER', 100)
  buyer = buyers[0] as Party
}, 120_000)

afterAll(async () => {
  const unbalanced = await unbalancedProducts(shop.owner)
  await shop.stop()
  expect(unbalanced).toEqual([])
})

const statuses = (answers: { status: number }[]) => counted(answers.map((answer) => answer.status))

test('from registration to a cancelled order, through the front door', async () => {
  const productId = await shop.list(seller, 3, 2500)
  const shown = await shop.call('GET', `/products/${productId}`)
  expect(shown.body).toMatchObject({
    id: productId,
    sellerId: seller.id,
    available: 3,
    priceCents: 2500,
    status: 'ACTIVE',
  })
  const placed = await shop.order(buyer, [[productId, 2]])
  expect(placed.status).toBe(201)
  expect(placed.headers['location']).toBe(`/orders/${placed.body.id}`)
  const read = await shop.call('GET', placed.headers['location'] ?? '', { token: buyer.token })
  expect(read.body).toEqual(placed.body)
  const cancelled = await shop.call('POST', `/orders/${placed.body.id}/cancel`, { token: buyer.token })
  expect([cancelled.status, cancelled.body.status]).toEqual([200, 'CANCELLED'])
  const movements = await shop.call('GET', `/products/${productId}/stock/movements`, { token: seller.token })
  expect(
    movements.body.items.map((movement: { delta: number; reason: string }) => [movement.delta, movement.reason]),
  ).toEqual([
    [2, 'CANCELLED'],
    [-2, 'ORDERED'],
    [3, 'RECEIVED'],
  ])
})

test('what a seller keeps is private: no cache answers it to anybody else', async () => {
  const other = await shop.join('SELLER')
  const { token } = seller
  const created = await shop.call('POST', '/products/warehouses', { token, body: { name: 'North' } })
  const productId = await shop.list(seller, 3)
  const body = { warehouseId: created.body.id as string, quantity: 2 }
  expect((await shop.call('POST', `/products/${productId}/receipts`, { token, body })).body.available).toBe(5)
  const receipts = `/products/warehouses/${body.warehouseId}/receipts`
  for (const [path, forTheOther] of [
    ['/products/warehouses', 200],
    [created.headers['location'] ?? '', 404],
    [receipts, 404],
    [`/products/${productId}/receipts`, 403],
  ] as const) {
    const mine = await shop.call('GET', path, { token })
    expect([mine.status, mine.headers['cache-control']]).toEqual([200, 'private, no-cache'])
    const theirs = await shop.call('GET', path, { token: other.token })
    expect([theirs.status, (await shop.call('GET', path)).status]).toEqual([forTheOther, 401])
    if (theirs.status === 200) expect(theirs.body.items).toEqual([])
    expect((await shop.call('GET', path, { token })).text).toBe(mine.text)
  }
})

test('what an admin disables is neither ordered nor logged in to, by anybody, until it is enabled again', async () => {
  const admin = await shop.login(ADMIN)
  const productId = await shop.list(seller, 3)
  const someone = await shop.join('BUYER')
  const set = async (path: string, status: string) => {
    const headers = { 'if-match': '*' }
    const answer = await shop.call('PATCH', path, { token: admin.token, body: { status }, headers })
    expect([answer.status, answer.body.status]).toEqual([200, status])
  }
  const credentials = { username: someone.username, password: PASSWORD }
  const attempts = async () => [
    (await shop.order(buyer, [[productId, 1]])).status,
    (await shop.call('POST', '/users/token', { body: credentials })).status,
  ]
  await set(`/products/${productId}`, 'DISABLED')
  await set(`/users/${someone.id}`, 'DISABLED')
  expect(await attempts()).toEqual([422, 400])
  const mine = { token: seller.token, body: { status: 'ACTIVE' }, headers: { 'if-match': '*' } }
  expect((await shop.call('PATCH', `/products/${productId}`, mine)).body.code).toBe('disabled-by-admin')
  // The access token of before lives on, as the document says.
  const placed = await shop.order(someone, [[await shop.list(seller, 1), 1]])
  expect(placed.status).toBe(201)
  const orders = await shop.call('GET', `/orders/all?buyerId=${someone.id}`, { token: admin.token })
  expect(orders.body.items).toEqual([placed.body])

  await set(`/products/${productId}`, 'ACTIVE')
  await set(`/users/${someone.id}`, 'ACTIVE')
  expect(await attempts()).toEqual([201, 200])
})

test.each([1, 7])(
  'a hundred buyers and %i units, ten times: exactly that many get one',
  async (units) => {
    for (let round = 0; round < 10; round++) {
      const productId = await shop.list(seller, units)
      const answers = await Promise.all(buyers.map((each) => shop.order(each, [[productId, 1]])))
      expect(statuses(answers)).toEqual({ 201: units, 409: 100 - units })
      expect(new Set(answers.filter(({ status }) => status === 409).map(({ body }) => body.code as string))).toEqual(
        new Set(['insufficient-stock']),
      )
      expect(await shop.available(productId)).toBe(0)
    }
  },
  120_000,
)

test('sixty crossed orders of two products: no deadlock and nothing oversold', async () => {
  const [a, b] = [await shop.list(seller, 40), await shop.list(seller, 40)]
  const answers = await Promise.all(
    buyers.slice(0, 60).map((each, n) =>
      shop.order(
        each,
        n % 2 === 0
          ? [
              [a, 1],
              [b, 1],
            ]
          : [
              [b, 1],
              [a, 1],
            ],
      ),
    ),
  )
  expect(statuses(answers)).toEqual({ 201: 40, 409: 20 })
  expect([await shop.available(a), await shop.available(b)]).toEqual([0, 0])
  const { rows } = await shop.owner.query<{ deadlocks: string }>(
    'select deadlocks from pg_stat_database where datname = current_database()',
  )
  expect(rows[0]?.deadlocks).toBe('0')
})

test('fifty cancels at once give the stock back once', async () => {
  const productId = await shop.list(seller, 5)
  const placed = await shop.order(buyer, [[productId, 4]])
  const cancels = await Promise.all(
    Array.from({ length: 50 }, () => shop.call('POST', `/orders/${placed.body.id}/cancel`, { token: buyer.token })),
  )
  expect(statuses(cancels)).toEqual({ 200: 50 })
  expect(await shop.available(productId)).toBe(5)
})

test('a cart is filled, checked out by fifty calls at once, and is one order', async () => {
  const [a, b] = [await shop.list(seller, 10, 1500), await shop.list(seller, 10)]
  const put = (productId: string, quantity: number) =>
    shop.call('PUT', `/orders/cart/items/${productId}`, { token: buyer.token, body: { quantity } })
  await put(a, 3)
  const filled = await put(b, 1)
  const read = () => shop.call('GET', '/orders/cart', { token: buyer.token })
  expect((await read()).body).toEqual(filled.body)
  expect([filled.body.items.length, filled.body.totalCents]).toEqual([2, 5500])
  const unchanged = { token: buyer.token, headers: { 'if-none-match': filled.headers['etag'] ?? '' } }
  expect((await shop.call('GET', '/orders/cart', unchanged)).status).toBe(304)
  const removed = await shop.call('DELETE', `/orders/cart/items/${b}`, { token: buyer.token })
  expect([removed.status, removed.text]).toEqual([204, ''])

  const checkout = () => shop.call('POST', '/orders/cart/checkout', { token: buyer.token, body: { notes: 'Ring' } })
  const answers = await Promise.all(Array.from({ length: 50 }, checkout))
  expect(counted(answers.map(({ status, body }) => (status === 201 ? 201 : (body.code as string))))).toEqual({
    201: 1,
    'cart-empty': 49,
  })
  const placed = answers.find(({ status }) => status === 201)
  expect(placed?.body).toMatchObject({ items: [{ productId: a, quantity: 3 }], totalCents: 4500, notes: 'Ring' })
  const order = await shop.call('GET', placed?.headers['location'] ?? '', { token: buyer.token })
  expect(order.body).toEqual(placed?.body)
  expect((await read()).body.items).toEqual([])
  expect([await shop.available(a), await shop.available(b)]).toEqual([7, 10])
})

test('fifty calls with one key make one order', async () => {
  const productId = await shop.list(seller, 50)
  const key = { 'idempotency-key': randomUUID() }
  const answers = await Promise.all(Array.from({ length: 50 }, () => shop.order(buyer, [[productId, 1]], key)))
  expect(new Set(answers.map(({ status, body }) => (status === 201 ? 201 : (body.code as string))))).toEqual(
    new Set(answers.some(({ status }) => status === 409) ? [201, 'request-in-progress'] : [201]),
  )
  expect(new Set(answers.filter(({ status }) => status === 201).map(({ text }) => text)).size).toBe(1)
  expect(await shop.available(productId)).toBe(49)
})

test('seller and buyers at once: stock by delta loses nothing', async () => {
  const productId = await shop.list(seller, 10)
  const deliveries = Array.from({ length: 20 }, () =>
    shop.call('POST', `/products/${productId}/stock`, { token: seller.token, body: { delta: 2, reason: 'RECEIVED' } }),
  )
  const answers = await Promise.all([
    ...deliveries,
    ...buyers.slice(0, 60).map((each) => shop.order(each, [[productId, 1]])),
  ])
  const sold = answers.filter(({ status }) => status === 201).length
  expect(sold).toBeLessThanOrEqual(50)
  expect(await shop.available(productId)).toBe(50 - sold)
})

test('a request id of the client goes through; one that is not sane is replaced', async () => {
  const kept = await shop.call('GET', '/products', { headers: { 'x-request-id': 'my-request-1234' } })
  expect(kept.headers['x-request-id']).toBe('my-request-1234')
  const problem = await shop.call('GET', '/orders', { headers: { 'x-request-id': 'no good!' } })
  expect(problem.body.requestId).toBe(problem.headers['x-request-id'])
  expect(problem.body.requestId).toMatch(/^[A-Za-z0-9._-]{8,64}$/)
})

test.each([
  ['/livez', 404],
  ['/readyz', 404],
  ['/metrics', 404],
  ['/nothing', 404],
  ['/charges', 404], // of the payment gateway, which is for the services alone
  ['/faults', 404],
  ['/gateway/charges', 404],
  // Where an id could stand it is read as one.
  ['/users/livez', 403],
  ['/users/metrics', 403],
  ['/orders/docs', 403],
  ['/products/openapi.json', 422],
])('%s is not served by the front door', async (path, status) => {
  const answer = await shop.call('GET', path, { token: seller.token })
  expect([answer.status, answer.headers['content-type']]).toEqual([status, 'application/problem+json'])
})
