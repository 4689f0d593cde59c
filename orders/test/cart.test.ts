import { randomUUID } from 'node:crypto'
import { untilQueued } from '../../tests/support/gate'
import { aCaller, startOrders, type Service } from './app'

let shop: Service
beforeAll(async () => {
  shop = await startOrders()
})
afterAll(() => shop.stop())

const aBuyer = () => aCaller(shop.calls)
const EMPTY = { items: [], totalCents: 0, currency: 'USD' }

test('a buyer fills a cart, checks out, and has the order and an empty cart', async () => {
  const buyer = aBuyer()
  const mug = await shop.addProduct({ available: 5, priceCents: 250, name: 'Mug' })
  const lamp = await shop.addProduct({ available: 2, priceCents: 9900, name: 'Lamp ☀' })
  expect((await buyer.get('/orders/cart')).body).toEqual(EMPTY)
  await buyer.putIntoCart(mug.id.toUpperCase(), 2)
  const filled = await buyer.putIntoCart(lamp.id, 1)
  expect([filled.status, filled.headers['cache-control']]).toEqual([200, 'no-store'])
  const line = { notices: [], quantity: 1 }
  expect(filled.body).toEqual({
    items: [
      {
        ...line,
        productId: mug.id,
        name: 'Mug',
        quantity: 2,
        unitPriceCents: 250,
        seenPriceCents: 250,
        available: 5,
        lineTotalCents: 500,
      },
      {
        ...line,
        productId: lamp.id,
        name: 'Lamp ☀',
        unitPriceCents: 9900,
        seenPriceCents: 9900,
        available: 2,
        lineTotalCents: 9900,
      },
    ],
    totalCents: 10400,
    currency: 'USD',
  })
  expect((await buyer.get('/orders/cart')).body).toEqual(filled.body)

  const placed = await buyer.post('/orders/cart/checkout', { shippingAddress: '1 Main St', notes: 'Ring twice' })
  expect(placed.status).toBe(201)
  expect(placed.headers).toMatchObject({ location: `/orders/${placed.body.id}`, etag: '"1"' })
  expect(placed.body).toMatchObject({
    buyerId: buyer.id,
    status: 'PLACED',
    paymentStatus: 'UNPAID',
    items: [
      { productId: mug.id, sellerId: mug.sellerId, quantity: 2, unitPriceCents: 250, lineTotalCents: 500 },
      { productId: lamp.id, sellerId: lamp.sellerId, quantity: 1, unitPriceCents: 9900, lineTotalCents: 9900 },
    ],
    totalCents: 10400,
    shippingAddress: '1 Main St',
    notes: 'Ring twice',
  })
  expect((await buyer.get(placed.headers['location'] ?? '')).body).toEqual(placed.body)
  expect((await buyer.get('/orders')).body.items).toEqual([placed.body])
  expect((await buyer.get('/orders/cart')).body).toEqual(EMPTY)
  expect([await shop.available(mug.id), await shop.available(lamp.id)]).toEqual([3, 1])

  const again = await buyer.checkout()
  expect([again.status, again.body.code]).toEqual([409, 'cart-empty'])
})

test('the cart tells what has changed: price, stock, and a product that went away, which is not in the total', async () => {
  const buyer = aBuyer()
  const [dearer, scarce, gone, both] = await Promise.all(
    [9, 1, 9, 1].map((available) => shop.addProduct({ available, priceCents: 100 })),
  )
  for (const product of [dearer, scarce, gone, both]) await buyer.putIntoCart(product?.id ?? '', 2)
  await shop.setPrice(dearer?.id ?? '', 130)
  await shop.setPrice(both?.id ?? '', 90)
  await shop.setPrice(gone?.id ?? '', 1)
  await shop.takeOffSale(gone?.id ?? '')
  const { body } = await buyer.get('/orders/cart')
  const told = (body.items as Record<string, unknown>[]).map((item) => [
    item['unitPriceCents'],
    item['seenPriceCents'],
    item['available'],
    item['lineTotalCents'],
    item['notices'],
  ])
  expect(told).toEqual([
    [130, 100, 9, 260, ['PRICE_CHANGED']],
    [100, 100, 1, 200, ['SHORT']],
    [1, 100, 0, 0, ['UNAVAILABLE']],
    [90, 100, 1, 180, ['PRICE_CHANGED', 'SHORT']],
  ])
  expect(body.totalCents).toBe(640)

  const refused = await buyer.checkout()
  expect([refused.status, refused.body.code, refused.body.productIds]).toEqual([422, 'product-unavailable', [gone?.id]])
  expect((await buyer.delete(`/orders/cart/items/${gone?.id}`)).status).toBe(204)
  const short = await buyer.checkout()
  expect([short.status, short.body.code, short.body.shortages]).toEqual([
    409,
    'insufficient-stock',
    [scarce, both].map((product) => ({ productId: product?.id, requested: 2, available: 1 })),
  ])
  expect((await buyer.get('/orders/cart')).body.items).toHaveLength(3)
  expect((await buyer.get('/orders')).body.items).toEqual([])
})

test('the tag of a cart changes with what it shows, and with nothing else', async () => {
  const buyer = aBuyer()
  const [product, neighbour] = [await shop.addProduct({ available: 5 }), await shop.addProduct({ available: 5 })]
  const { headers } = await buyer.putIntoCart(product.id, 1)
  const read = (tag: string | undefined) => buyer.get('/orders/cart').set('if-none-match', tag ?? '')
  expect((await read(headers['etag'])).status).toBe(304)
  await shop.setPrice(neighbour.id, 7)
  await aBuyer().order([[neighbour.id, 1]])
  expect((await read(headers['etag'])).status).toBe(304)
  await aBuyer().order([[product.id, 1]])
  const sold = await read(headers['etag'])
  expect([sold.status, sold.body.items[0].available]).toEqual([200, 4])
  await shop.setPrice(product.id, 7)
  const dearer = await read(sold.headers['etag'])
  expect([dearer.status, dearer.body.items[0].notices]).toEqual([200, ['PRICE_CHANGED']])
})

test('a line that had to wait for its cart stands behind what came in meanwhile', async () => {
  const buyer = aBuyer()
  const [first, late, meanwhile] = await Promise.all([1, 2, 3].map(() => shop.addProduct({ available: 1 })))
  await buyer.putIntoCart(first?.id ?? '', 1)
  const holder = await shop.owner.connect()
  await holder.query('begin')
  await holder.query('select from orders.carts where buyer_id = $1 for update', [buyer.id])
  const waiting = buyer.putIntoCart(late?.id ?? '', 1).then((answer) => answer)
  await untilQueued(shop.owner, 1)
  await holder.query(
    `insert into orders.cart_items (buyer_id, product_id, quantity, seen_price_cents, added_at)
     values ($1, $2, 1, 100, clock_timestamp())`,
    [buyer.id, meanwhile?.id],
  )
  await holder.query('commit')
  holder.release()
  const { body } = await waiting
  expect((body.items as { productId: string }[]).map(({ productId }) => productId)).toEqual([
    first?.id,
    meanwhile?.id,
    late?.id,
  ])
})

test('taking out and emptying are answered alike however often, and touch no other cart', async () => {
  const [buyer, other] = [aBuyer(), aBuyer()]
  const [a, b] = [await shop.addProduct({ available: 5 }), await shop.addProduct({ available: 5 })]
  for (const each of [buyer, other]) for (const { id } of [a, b]) await each.putIntoCart(id, 1)
  for (let n = 0; n < 2; n++) {
    const { status, text } = await buyer.delete(`/orders/cart/items/${a.id}`)
    expect([status, text]).toEqual([204, ''])
  }
  expect((await buyer.get('/orders/cart')).body.items).toMatchObject([{ productId: b.id }])
  for (let n = 0; n < 2; n++) expect((await buyer.delete('/orders/cart')).status).toBe(204)
  expect((await buyer.get('/orders/cart')).body).toEqual(EMPTY)
  expect((await other.get('/orders/cart')).body.items).toHaveLength(2)
})

test('a full cart refuses the 101st product, and unknown products before that', async () => {
  const buyer = aBuyer()
  const products = await Promise.all(Array.from({ length: 101 }, () => shop.addProduct({ available: 1 })))
  const last = products.pop()
  for (const { id } of products) expect((await buyer.putIntoCart(id, 1)).status).toBe(200)
  const full = await buyer.putIntoCart(last?.id ?? '', 1)
  expect([full.status, full.body.code]).toEqual([409, 'cart-full'])
  const unknown = randomUUID()
  const refused = await buyer.putIntoCart(unknown, 1)
  expect([refused.status, refused.body.code, refused.body.productIds]).toEqual([422, 'product-unavailable', [unknown]])
  const placed = await buyer.checkout()
  expect([placed.status, placed.body.items.length]).toEqual([201, 100])
})

test.each([0, -1, 1.5, 1001, '1', null])('the quantity %j is 422', async (quantity) => {
  const buyer = aBuyer()
  const { id } = await shop.addProduct({ available: 1 })
  const refused = await buyer.putIntoCart(id, quantity as number)
  expect([refused.status, refused.body.code, refused.body.errors[0].path]).toEqual([
    422,
    'validation-failed',
    'quantity',
  ])
  expect((await buyer.get('/orders/cart')).body).toEqual(EMPTY)
})

test('what a cart does not take is 422: ids that are none, prices, unknown fields', async () => {
  const buyer = aBuyer()
  const { id } = await shop.addProduct({ available: 1 })
  const paths = async (call: Promise<{ status: number; body: { errors: { in: string; path: string }[] } }>) => {
    const { status, body } = await call
    return [status, body.errors.map((error) => `${error.in}: ${error.path}`)]
  }
  const put = (path: string, body: object) =>
    shop.calls.put(path).set({ authorization: buyer.authorization }).send(body)
  expect(await paths(put('/orders/cart/items/7', { quantity: 1 }))).toEqual([422, ['path: productId']])
  expect(await paths(put(`/orders/cart/items/${id}`, { quantity: 1, unitPriceCents: 1 }))).toEqual([
    422,
    ['body: unitPriceCents'],
  ])
  expect(await paths(buyer.delete('/orders/cart/items/7'))).toEqual([422, ['path: productId']])
  expect(await paths(buyer.get('/orders/cart?buyerId=x'))).toEqual([422, ['query: buyerId']])
  expect(await paths(buyer.post('/orders/cart/checkout', { items: [], notes: '' }))).toEqual([
    422,
    ['body: notes', 'body: items'],
  ])
})

test('carts are of buyers: others are refused', async () => {
  const seller = aCaller(shop.calls, 'SELLER')
  const { id } = await shop.addProduct({ available: 1 })
  const refused = [
    await seller.get('/orders/cart'),
    await seller.putIntoCart(id, 1),
    await seller.delete(`/orders/cart/items/${id}`),
    await seller.delete('/orders/cart'),
    await seller.checkout(),
  ]
  expect(refused.map(({ status, body }) => [status, body.code])).toEqual(Array(5).fill([403, 'forbidden-role']))
  expect((await shop.calls.get('/orders/cart')).status).toBe(401)
})

test('the cart is no order, and knows its own methods', async () => {
  const buyer = aBuyer()
  const refused = [
    await buyer.post('/orders/cart'),
    await buyer.get('/orders/cart/checkout'),
    await buyer.get(`/orders/cart/items/${randomUUID()}`),
  ]
  expect(refused.map(({ status, headers }) => [status, headers['allow']])).toEqual([
    [405, 'DELETE, GET, HEAD'],
    [405, 'POST'],
    [405, 'DELETE, PUT'],
  ])
  expect((await buyer.get('/orders/cart/items')).status).toBe(404)
  expect((await buyer.post('/orders/cart/cancel')).body).toMatchObject({ code: 'validation-failed' })
})

test('a repeated checkout is the same order byte for byte, though the cart was filled again', async () => {
  const buyer = aBuyer()
  const { id } = await shop.addProduct({ available: 5 })
  const key = { 'idempotency-key': randomUUID() }
  const empty = await buyer.checkout(key)
  expect([empty.status, empty.body.code]).toEqual([409, 'cart-empty'])
  await buyer.putIntoCart(id, 2)
  const first = await buyer.checkout(key)
  expect([first.status, first.headers['idempotency-replayed']]).toEqual([201, undefined])
  await buyer.putIntoCart(id, 1)
  const again = await buyer.checkout(key)
  expect([again.status, again.text, again.headers['location'], again.headers['idempotency-replayed']]).toEqual([
    201,
    first.text,
    first.headers['location'],
    'true',
  ])
  const reused = await buyer.post('/orders/cart/checkout', { notes: 'Other' }, key)
  expect([reused.status, reused.body.code]).toEqual([422, 'idempotency-key-reused'])
  expect((await buyer.get('/orders/cart')).body.items).toMatchObject([{ productId: id, quantity: 1 }])
  expect((await buyer.get('/orders')).body.items).toHaveLength(1)
  expect(await shop.available(id)).toBe(3)
})
