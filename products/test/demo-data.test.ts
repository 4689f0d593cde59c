import { authorizationOf, openShop, type Body, type Shop } from './shop'
import { loadDemoData } from '../src/demo-data'
import { document } from '../src/document'
import { EXAMPLE } from '../src/schemas'

let shop: Shop
beforeEach(async () => {
  shop = await openShop()
})
afterEach(() => shop.close())

const seller = { id: EXAMPLE.sellerId, authorization: authorizationOf(EXAMPLE.sellerId, 'SELLER') }
const all = async () => (await shop.api.get('/products?limit=100').expect(200)).body.items as Body[]

test('a dozen products of one seller in several categories, with the ids that the examples use', async () => {
  await loadDemoData(shop.pool)
  const products = await all()
  expect(products.map((product) => product['id'] as string).sort()).toEqual(
    Array.from({ length: 12 }, (_, n) => `01980000-0000-7000-8000-00000000c0${String(n + 1).padStart(2, '0')}`),
  )
  for (const product of products) expect(product['imageUrls']).not.toEqual([])
  expect(new Set(products.map((product) => product['sellerId']))).toEqual(new Set([seller.id]))
  const { body } = await shop.api.get('/products/categories').expect(200)
  expect(body.items.length).toBeGreaterThan(3)
  for (const { id, available } of products as { id: string; available: number }[]) {
    const ledger = await shop.movements(seller, id)
    expect(ledger).toEqual([expect.objectContaining({ delta: available, reason: 'RECEIVED', actorId: seller.id })])
  }
})

test('the first of them is the product of the examples', async () => {
  await loadDemoData(shop.pool)
  const { createdAt, updatedAt, ...product } = await shop.read(EXAMPLE.productId)
  const example = document.components?.schemas?.['Product'] as { example: Body }
  expect(example.example).toMatchObject(product)
  expect([createdAt, updatedAt]).toEqual([expect.any(String), createdAt])
})

test('loading again, or twice at once, changes nothing that people have changed', async () => {
  await Promise.all([loadDemoData(shop.pool), loadDemoData(shop.pool), loadDemoData(shop.pool)])
  expect(await all()).toHaveLength(12)
  const id = EXAMPLE.productId
  await shop.patch(seller, id, '"1"', { name: 'Mine now', status: 'DISABLED' }).expect(200)
  await shop.changeStock(seller, id, { delta: -1, reason: 'DAMAGED' }).expect(200)
  const before = await shop.read(id, seller)
  const warehouse = `/products/warehouses/${EXAMPLE.warehouseId}`
  const renamed = await shop.as(seller).patch(warehouse, { name: 'Mine', status: 'DISABLED' }, '*').expect(200)
  await loadDemoData(shop.pool)
  expect((await shop.as(seller).get(warehouse)).body).toEqual(renamed.body)
  expect(await shop.read(id, seller)).toEqual(before)
  expect(await shop.movements(seller, id)).toHaveLength(2)
  expect(await all()).toHaveLength(11)
})

test('every example of the document is accepted with the demo data in place', async () => {
  await loadDemoData(shop.pool)
  const example = (name: string) => (document.components?.schemas?.[name] as { example: object }).example
  const path = `/products/${EXAMPLE.productId}`
  const as = (call: ReturnType<Shop['api']['get']>) => call.set('authorization', seller.authorization)
  await as(shop.api.post('/products')).send(example('NewProduct')).expect(201)
  await as(shop.api.patch(path)).set('if-match', '*').send(example('ProductChanges')).expect(200)
  await as(shop.api.post(`${path}/stock`))
    .send(example('StockChange'))
    .expect(200)
  await as(shop.api.get(`${path}/stock/movements?limit=20`)).expect(200)
  await as(shop.api.post(`${path}/receipts`))
    .send(example('NewReceipt'))
    .expect(201)
  await as(shop.api.get(`${path}/receipts?limit=20`)).expect(200)
  for (const [kind, id] of [
    ['Warehouse', EXAMPLE.warehouseId],
    ['Supplier', EXAMPLE.supplierId],
  ] as const) {
    const list = `/products/${kind.toLowerCase()}s`
    const { createdAt, updatedAt, ...shown } = (await as(shop.api.get(`${list}/${id}`)).expect(200)).body as Body
    expect(example(kind)).toMatchObject(shown)
    expect([createdAt, updatedAt]).toEqual([expect.any(String), createdAt])
    expect((await as(shop.api.get(`${list}/${id}/receipts`)).expect(200)).body.items).toHaveLength(1)
    await as(shop.api.post(list))
      .send(example(`New${kind}`))
      .expect(201)
    await as(shop.api.patch(`${list}/${id}`))
      .set('if-match', '*')
      .send(example(`${kind}Changes`))
      .expect(200)
  }
})
