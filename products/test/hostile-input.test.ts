import fc from 'fast-check'
import { aSeller, openShop, type Shop } from './shop'

let shop: Shop
beforeAll(async () => {
  shop = await openShop()
})
afterAll(() => shop.close())

/** Text that a careless service stumbles over, among any other. */
const nasty = fc.oneof(
  fc.constantFrom(
    ...["'", '"', '\\', '%', '_', '\u0000', '\ud800', '\ufeff', '🎧', '$1', '--', ';', ':*', '&', '|', '!', '(', '<->'],
    ...[
      '__proto__',
      'constructor',
      '{{7*7}}',
      '${7*7}',
      '../..',
      'null',
      'NaN',
      '-0',
      '1e400',
      '0x10',
      '٣',
      '\r\nX: y',
    ],
  ),
  fc.string({ unit: 'binary', maxLength: 30 }),
)
const nastyValue = fc.oneof(
  nasty,
  fc.double(),
  fc.integer(),
  fc.bigInt().map(Number),
  fc.constantFrom(null, true, false, -0, 2 ** 31, -(2 ** 31) - 1, 2 ** 63, 1e308, [], {}),
  fc.jsonValue(),
)
const anything = { numRuns: 150 }

test('no query makes the catalogue fail', async () => {
  await shop.create(aSeller())
  const name = fc.oneof(
    fc.constantFrom(
      'q',
      'category',
      'sellerId',
      'minPriceCents',
      'maxPriceCents',
      'inStock',
      'sort',
      'limit',
      'cursor',
    ),
    nasty,
  )
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(name, fc.oneof(nasty, fc.constantFrom('1', 'true', 'price')))),
      async (pairs) => {
        const query = new URLSearchParams(pairs.map(([key, value]) => [key, value])).toString()
        const { status } = await shop.api.get(`/products?${query}`)
        expect([200, 422]).toContain(status)
      },
    ),
    anything,
  )
})

test('no words to search for make it fail', async () => {
  await shop.create(aSeller())
  const words = fc.array(nasty, { minLength: 1 }).map((parts) => parts.join(' ').slice(0, 100))
  await fc.assert(
    fc.asyncProperty(words, fc.constantFrom('relevance', 'name'), async (q, sort) => {
      const { status } = await shop.api.get(`/products?${new URLSearchParams({ q, sort }).toString()}`)
      expect(status).toBe(q.includes('\u0000') || q === '' ? 422 : 200)
    }),
    anything,
  )
})

test('no body makes an offer, an edit or a stock change fail', async () => {
  const seller = aSeller()
  const { id } = await shop.create(seller)
  const field = fc.oneof(
    fc.constantFrom(
      ...['name', 'description', 'priceCents', 'stock', 'category', 'imageUrls', 'status', 'delta', 'reason', 'note'],
    ),
    nasty,
  )
  const body = fc.oneof(
    fc.dictionary(field, nastyValue),
    fc.record({ name: nasty, priceCents: fc.nat(99), stock: fc.nat(9) }),
    fc.record({
      name: nasty,
      imageUrls: fc.array(fc.oneof(fc.webUrl({ withQueryParameters: true, withFragments: true }), nasty)),
    }),
  )
  await fc.assert(
    fc.asyncProperty(body, async (fields) => {
      const calls = [
        shop.api.post('/products'),
        shop.api.patch(`/products/${id}`).set('if-match', '*'),
        shop.api.post(`/products/${id}/stock`),
      ]
      for (const call of calls) {
        const { status } = await call
          .set('authorization', seller.authorization)
          .type('json')
          .send(JSON.stringify(fields))
        expect([200, 201, 409, 422]).toContain(status)
      }
    }),
    anything,
  )
})

test('no header makes an edit or a read fail', async () => {
  const seller = aSeller()
  const { id } = await shop.create(seller)
  const header = fc.stringMatching(/^[\x21-\x7e\x80-\xff]([\x20-\x7e\x80-\xff]{0,60}[\x21-\x7e])?$/)
  const tag = fc.oneof(
    header,
    header.map((text) => `"${text}"`),
    fc.constantFrom('"1-1-1"', '"-"', 'W/""', '*, *', '"99999999999999999999"'),
  )
  await fc.assert(
    fc.asyncProperty(tag, async (value) => {
      const edit = await shop.patch(seller, id, value, { priceCents: 1 })
      expect([200, 412, 422]).toContain(edit.status)
      const read = await shop.api.get(`/products/${id}`).set('if-none-match', value)
      expect([200, 304]).toContain(read.status)
      const change = await shop.changeStock(seller, id, { delta: 1, reason: 'RECEIVED' }, value)
      expect([200, 422]).toContain(change.status)
    }),
    { numRuns: 60 },
  )
})

test.each(['%00', '%zz', '%ff', '..%2f..', '%2e%2e', '1;drop', `${'x'.repeat(3000)}`, '%E0%A4%A', '[object%20Object]'])(
  'the path /products/%s is refused in every way that it can be called',
  async (id) => {
    const { authorization } = aSeller()
    const calls = [
      shop.api.get(`/products/${id}`),
      shop.api.patch(`/products/${id}`).set('if-match', '*').send({ name: 'x' }),
      shop.api.post(`/products/${id}/stock`).send({ delta: 1, reason: 'RECEIVED' }),
      shop.api.get(`/products/${id}/stock/movements`),
    ]
    for (const call of calls) expect([400, 422]).toContain((await call.set('authorization', authorization)).status)
  },
)

test('no threshold makes a seller’s own list fail', async () => {
  const { authorization } = aSeller()
  await fc.assert(
    fc.asyncProperty(fc.oneof(nasty, fc.integer().map(String)), async (lowStock) => {
      const query = new URLSearchParams({ lowStock }).toString()
      const { status } = await shop.api.get(`/products/mine?${query}`).set('authorization', authorization)
      expect([200, 422]).toContain(status)
    }),
    { numRuns: 60 },
  )
})

test('a search for very many, very common beginnings ends', async () => {
  const letters = [...'abcdefghijklmnopqrstuvwxyz0123456789'].join(' ')
  for (const q of [letters, `${letters} thing`, 'a '.repeat(50), 'a'.repeat(100), 'ab '.repeat(33)])
    await shop.api.get(`/products?${new URLSearchParams({ q }).toString()}`).expect(200)
})
