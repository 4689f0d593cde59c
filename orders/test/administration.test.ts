import { randomUUID } from 'node:crypto'
import { aCaller, startOrders, type Service } from './app'

let shop: Service
beforeAll(async () => {
  shop = await startOrders()
})
afterAll(() => shop.stop())

const anAdmin = () => aCaller(shop.calls, 'ADMIN')
const aBuyer = () => aCaller(shop.calls)

/** Two orders of one buyer with one of another between them, oldest first; the last one is cancelled. */
async function threeOrders() {
  const [buyer, other] = [aBuyer(), aBuyer()]
  const { id } = await shop.addProduct({ available: 3 })
  const ids: string[] = []
  for (const each of [buyer, other, buyer]) ids.push((await each.order([[id, 1]]).expect(201)).body.id as string)
  await buyer.post(`/orders/${ids[2]}/cancel`).expect(200)
  return { buyer, other, ids }
}
const listed = async (query: string) =>
  ((await anAdmin().get(`/orders/all?${query}`).expect(200)).body.items as { id: string }[]).map(({ id }) => id)

test('an admin reads any order as its buyer does, and changes none', async () => {
  const { buyer, ids } = await threeOrders()
  const admin = anAdmin()
  const path = `/orders/${ids[0]}`
  const own = await buyer.get(path).expect(200)
  const read = await admin.get(path)
  expect([read.status, read.body, read.headers['etag']]).toEqual([200, own.body, own.headers['etag']])
  expect((await admin.get(`/orders/${randomUUID()}`)).body.code).toBe('order-not-found')
  for (const refused of [await admin.post(`${path}/cancel`), await admin.get('/orders'), await admin.order([])])
    expect([refused.status, refused.body.code]).toEqual([403, 'forbidden-role'])
  expect((await buyer.get(path)).body).toEqual(own.body)
})

test('an admin lists the orders of all buyers, newest first; filtered by buyer and status', async () => {
  const { buyer, other, ids } = await threeOrders()
  const [first, second, cancelled] = ids
  expect(await listed('limit=3')).toEqual([cancelled, second, first])
  expect(await listed(`buyerId=${buyer.id}`)).toEqual([cancelled, first])
  expect(await listed(`buyerId=${other.id.toUpperCase()}`)).toEqual([second])
  expect(await listed(`buyerId=${buyer.id}&status=CANCELLED`)).toEqual([cancelled])
  expect(await listed('status=PLACED&limit=2')).toEqual([second, first])
  expect(await listed('status=CANCELLED&limit=1')).toEqual([cancelled])
  expect(await listed(`buyerId=${randomUUID()}`)).toEqual([])
  const { body } = await anAdmin().get('/orders/all?limit=1')
  expect(body.items[0]).toEqual((await buyer.get(`/orders/${cancelled}`)).body)
})

test('all orders come in pages, none of which is skipped or repeated while new ones arrive', async () => {
  const { buyer } = await threeOrders()
  const { id } = await shop.addProduct({ available: 100 })
  const before = await listed('limit=100')
  const seen: string[] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const { body } = await anAdmin()
      .get(`/orders/all?limit=2${cursor && `&cursor=${cursor}`}`)
      .expect(200)
    seen.push(...(body.items as { id: string }[]).map((order) => order.id))
    cursor = body.nextCursor as string | null
    await buyer.order([[id, 1]]).expect(201)
  }
  expect(seen).toEqual(before)
})

test('buyers and sellers do not list all orders; what is no filter, and a cursor of another list, are 422', async () => {
  for (const who of [aBuyer(), aCaller(shop.calls, 'SELLER')])
    expect((await who.get('/orders/all')).body.code).toBe('forbidden-role')
  expect((await shop.calls.get('/orders/all')).body.code).toBe('unauthenticated')
  await threeOrders()
  const { nextCursor } = (await anAdmin().get('/orders/all?limit=1')).body
  for (const [query, path] of [
    ['buyerId=me', 'buyerId'],
    ['status=GONE', 'status'],
    ['sellerId=x', 'sellerId'],
    [`status=PLACED&cursor=${nextCursor}`, 'cursor'],
  ]) {
    const refused = await anAdmin().get(`/orders/all?${query}`)
    expect([query, refused.status, refused.body.errors?.[0].path]).toEqual([query, 422, path])
  }
})
