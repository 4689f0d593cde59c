import { raceThroughGate } from '../../tests/support/gate'
import { aBuyer, aSeller, openShop, UNKNOWN_ID, type Shop } from './shop'

let shop: Shop
beforeAll(async () => {
  shop = await openShop()
})
afterAll(() => shop.close())

/** Holds the row that an editor must lock. */
const rowOf = (id: string) => ({ text: 'select from products.products where id = $1 for update', values: [id] })

test('an edit changes what it names, and neither the rest, nor the stock, nor the neighbour', async () => {
  const seller = aSeller()
  const { id, etag, body: before } = await shop.create(seller, { description: 'Old', category: 'old', stock: 3 })
  const neighbour = await shop.create(seller)
  const edited = await shop.patch(seller, id, etag, { name: 'New', priceCents: 5 })
  expect([edited.status, edited.headers['etag']]).toEqual([200, '"2-3"'])
  expect(edited.body).toEqual({ ...before, name: 'New', priceCents: 5, updatedAt: expect.any(String) })
  expect(Date.parse(edited.body.updatedAt)).toBeGreaterThanOrEqual(Date.parse(before['updatedAt']))
  expect(await shop.read(id)).toEqual(edited.body)
  expect(await shop.read(neighbour.id)).toEqual(neighbour.body)
  expect(await shop.movements(seller, id)).toHaveLength(1)
})

test.each([
  ['name', 'Other “name” 🎧'],
  ['description', ''],
  ['priceCents', 0],
  ['category', 'new-one'],
  ['category', null],
  ['imageUrls', ['https://example.com/new.jpg', 'https://example.com/old.jpg']],
  ['imageUrls', []],
  ['status', 'DISABLED'],
])('%s can be edited alone, to %j', async (field, value) => {
  const seller = aSeller()
  const imageUrls = ['https://example.com/old.jpg']
  const { id, etag, body } = await shop.create(seller, { description: 'Old', category: 'old', imageUrls })
  const edited = await shop.patch(seller, id, etag, { [field]: value }).expect(200)
  const disabledBy = field === 'status' ? 'SELLER' : null
  expect(edited.body).toEqual({ ...body, [field]: value, disabledBy, updatedAt: expect.any(String) })
  expect(await shop.read(id, seller)).toEqual(edited.body)
})

test('a product that was disabled is sold again once it is active', async () => {
  const seller = aSeller()
  const { id, body } = await shop.create(seller)
  await shop.patch(seller, id, '"1"', { status: 'DISABLED' }).expect(200)
  await shop.api.get(`/products/${id}`).expect(404)
  const active = await shop.patch(seller, id, '"2"', { status: 'ACTIVE' }).expect(200)
  expect(active.headers['etag']).toBe('"3-10"')
  expect(await shop.read(id)).toEqual({ ...body, updatedAt: active.body.updatedAt })
})

test('changes that change nothing make no new version', async () => {
  const seller = aSeller()
  const { id, etag, body } = await shop.create(seller, { category: 'same', imageUrls: ['https://example.com/a.jpg'] })
  const { name, description, priceCents, category, imageUrls, status } = body
  const all = { name, description, priceCents, category, imageUrls, status }
  for (const changes of [all, { category }, { imageUrls }, { status }]) {
    const same = await shop.patch(seller, id, etag, changes)
    expect([same.status, same.headers['etag'], same.body]).toEqual([200, etag, body])
  }
  const { etag: bare, id: other } = await shop.create(seller)
  expect((await shop.patch(seller, other, bare, { category: null }).expect(200)).headers['etag']).toBe(bare)
  expect((await shop.patch(seller, other, '"2"', { category: null })).status).toBe(412)
})

test.each([
  ['the ETag itself', '"1-10"'],
  ['the version alone', '"1"'],
  ['a weak tag, as Nginx makes it when it compresses', 'W/"1-10"'],
  ['one tag of several', '"7-1", W/"1-4"'],
  ['any version', '*'],
])('If-Match takes %s', async (_name, match) => {
  const seller = aSeller()
  const { id } = await shop.create(seller)
  const edited = await shop.patch(seller, id, match, { priceCents: 1 })
  expect([edited.status, edited.headers['etag']]).toEqual([200, '"2-10"'])
})

test.each(['"2-10"', '"0"', '"10-1"', '"11-10"', '"01-10"', '""', '"-10"', '"nonsense"', 'W/"2"'])(
  'If-Match of %s is stale, and nothing is written',
  async (match) => {
    const seller = aSeller()
    const { id, body } = await shop.create(seller)
    const stale = await shop.patch(seller, id, match, { priceCents: 1 })
    expect([stale.status, stale.body.code]).toEqual([412, 'precondition-failed'])
    expect(await shop.read(id)).toEqual(body)
  },
)

test.each(['1', '"1', 'W/1', '"1" "2"', '"1", 1'])('If-Match of %s is malformed', async (match) => {
  const seller = aSeller()
  const { id, body } = await shop.create(seller)
  const refused = await shop.patch(seller, id, match, { priceCents: 1 })
  expect([refused.status, refused.body.errors?.[0]]).toMatchObject([422, { in: 'header', path: 'if-match' }])
  expect(await shop.read(id)).toEqual(body)
})

test('a sale between a seller’s read and edit is no conflict', async () => {
  const seller = aSeller()
  const { id, etag } = await shop.create(seller, { stock: 10 })
  expect(await shop.order(id, -4)).toBe(true)
  const edited = await shop.patch(seller, id, etag, { name: 'Edited' })
  expect([edited.status, edited.headers['etag'], edited.body.available]).toEqual([200, '"2-6"', 6])
})

test('the refusals come in their order: 401, 403, 415, 422, 404, 403, 428, 412', async () => {
  const [seller, other] = [aSeller(), aSeller()]
  const { id, body } = await shop.create(seller)
  const call = (path = id) => shop.api.patch(`/products/${path}`)
  const outcome = async (request: ReturnType<typeof call>) => {
    const { status, body: problem } = await request
    return [status, problem.code]
  }
  const changes = { name: 'X' }
  expect(await outcome(call().send('x').type('text'))).toEqual([401, 'unauthenticated'])
  const buyer = aBuyer().authorization
  expect(await outcome(call().set('authorization', buyer).send('x').type('text'))).toEqual([403, 'forbidden-role'])
  const stranger = () => call().set('authorization', other.authorization)
  expect(await outcome(stranger().send('x').type('text'))).toEqual([415, 'unsupported-media-type'])
  expect(await outcome(stranger().send({}))).toEqual([422, 'validation-failed'])
  expect(await outcome(shop.patch(other, UNKNOWN_ID, undefined, changes))).toEqual([404, 'product-not-found'])
  expect(await outcome(shop.patch(other, id, undefined, changes))).toEqual([403, 'not-owner'])
  expect(await outcome(shop.patch(other, id, '*', changes))).toEqual([403, 'not-owner'])
  expect(await outcome(shop.patch(seller, id, undefined, changes))).toEqual([428, 'precondition-required'])
  expect(await outcome(shop.patch(seller, id, '"2"', changes))).toEqual([412, 'precondition-failed'])
  expect(await shop.read(id)).toEqual(body)
})

test('another seller’s disabled product is not there, whatever is tried', async () => {
  const [seller, other] = [aSeller(), aSeller()]
  const { id } = await shop.create(seller)
  await shop.patch(seller, id, '*', { status: 'DISABLED' }).expect(200)
  for (const match of [undefined, '*', '"2"', '"9"']) {
    const hidden = await shop.patch(other, id, match, { name: 'Mine now' })
    expect([hidden.status, hidden.body.code]).toEqual([404, 'product-not-found'])
  }
  expect(await shop.read(id, seller)).toMatchObject({ name: 'Thing', sellerId: seller.id })
})

test.each<[string, unknown, string[]]>([
  ['no field', {}, ['']],
  ['stock', { stock: 5 }, ['', 'stock']],
  [
    'what only the shop decides',
    { id: UNKNOWN_ID, sellerId: UNKNOWN_ID, currency: 'EUR', version: 1 },
    ['', 'id', 'sellerId', 'currency', 'version'],
  ],
  [
    'what the shop counts',
    { name: 'x', available: 5, createdAt: '', updatedAt: '' },
    ['available', 'createdAt', 'updatedAt'],
  ],
  ['a blank name', { name: '  ' }, ['name']],
  ['no name', { name: null }, ['name']],
  ['no description', { description: null }, ['description']],
  ['a price above the limit', { priceCents: 100_000_001 }, ['priceCents']],
  ['another status', { status: 'DELETED' }, ['status']],
  ['no status', { status: null }, ['status']],
  ['a category that is no slug', { category: '' }, ['category']],
  ['no list of images', { imageUrls: null }, ['imageUrls']],
  ['an image that is no address', { imageUrls: ['https://example.com/a.jpg', 'b.jpg'] }, ['imageUrls.1']],
  ['several at once', { name: '', priceCents: -1, status: 'disabled' }, ['name', 'priceCents', 'status']],
])('an edit with %s is refused, and nothing is written', async (_name, changes, paths) => {
  const seller = aSeller()
  const { id, etag, body } = await shop.create(seller)
  const refused = await shop.patch(seller, id, etag, changes as object)
  expect([refused.status, refused.body.code]).toEqual([422, 'validation-failed'])
  const told = (refused.body.errors as { path: string }[]).map(({ path }) => path)
  expect([...new Set(told)].sort()).toEqual([...paths].sort())
  expect(await shop.read(id)).toEqual(body)
})

test('two editors who read the same version race, and exactly one succeeds', async () => {
  const seller = aSeller()
  const { id, etag } = await shop.create(seller)
  const attempts = await raceThroughGate(
    shop.owner,
    rowOf(id),
    [{ name: 'First' }, { name: 'Second' }].map((changes) => async () => shop.patch(seller, id, etag, changes)),
  )
  const answers = attempts.map((attempt) => (attempt.status === 'fulfilled' ? attempt.value : undefined))
  expect(answers.map((answer) => answer?.status).sort()).toEqual([200, 412])
  const won = answers.find((answer) => answer?.status === 200)
  expect(won?.headers['etag']).toBe('"2-10"')
  expect(await shop.read(id)).toEqual(won?.body)
})

test('two editors who don’t care for the version both succeed, and neither undoes the other’s field', async () => {
  const seller = aSeller()
  const { id } = await shop.create(seller)
  const attempts = await raceThroughGate(
    shop.owner,
    rowOf(id),
    [{ name: 'First' }, { priceCents: 2 }, { category: 'third' }].map(
      (changes) => async () => (await shop.patch(seller, id, '*', changes)).status,
    ),
  )
  expect(attempts.map((attempt) => attempt.status === 'fulfilled' && attempt.value)).toEqual([200, 200, 200])
  expect(await shop.read(id)).toMatchObject({ name: 'First', priceCents: 2, category: 'third' })
  expect((await shop.api.get(`/products/${id}`)).headers['etag']).toBe('"4-10"')
})

test('an edit is found by what it says now, and no more by what it said', async () => {
  const seller = aSeller()
  const { id, etag } = await shop.create(seller, { name: 'Zyzzyva', description: 'weevil' })
  const found = async (q: string) =>
    ((await shop.api.get(`/products?q=${q}`).expect(200)).body.items as { id: string }[]).map((item) => item.id)
  expect([await found('zyzzyva'), await found('weevil')]).toEqual([[id], [id]])
  await shop.patch(seller, id, etag, { name: 'Quokka' }).expect(200)
  expect([await found('zyzzyva'), await found('quokka'), await found('weevil')]).toEqual([[], [id], [id]])
})
