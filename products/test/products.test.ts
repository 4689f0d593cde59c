import { aBuyer, aSeller, openShop, UNKNOWN_ID, type Shop } from './shop'

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

let shop: Shop
beforeAll(async () => {
  shop = await openShop()
})
afterAll(() => shop.close())

const post = (body: unknown, authorization?: string) => {
  const call = shop.api.post('/products')
  return (authorization === undefined ? call : call.set('authorization', authorization)).send(body as object)
}
const countProducts = async () =>
  (await shop.owner.query<{ n: number }>('select count(*)::int as n from products.products')).rows[0]?.n

test('a seller offers a product, and everybody reads it', async () => {
  const seller = aSeller()
  const created = await post(
    { name: 'Brass desk lamp', description: 'Warm light.', priceCents: 7900, stock: 42, category: 'home-office' },
    seller.authorization,
  )
  expect(created.status).toBe(201)
  expect(created.body).toEqual({
    id: expect.stringMatching(UUID_V7),
    sellerId: seller.id,
    name: 'Brass desk lamp',
    description: 'Warm light.',
    priceCents: 7900,
    currency: 'USD',
    category: 'home-office',
    imageUrls: [],
    status: 'ACTIVE',
    disabledBy: null,
    available: 42,
    createdAt: expect.stringMatching(TIME),
    updatedAt: created.body.createdAt,
  })
  expect(created.headers).toMatchObject({
    location: `/products/${created.body.id}`,
    etag: '"1-42"',
    'cache-control': 'no-store',
  })

  for (const reader of [undefined, seller, aSeller(), aBuyer()]) {
    const call = shop.api.get(created.headers['location'] as string)
    const read = await (reader ? call.set('authorization', reader.authorization) : call)
    expect([read.status, read.body]).toEqual([200, created.body])
    expect(read.headers).toMatchObject({
      etag: '"1-42"',
      vary: 'Authorization',
      'cache-control': reader ? 'private, no-cache' : 'no-cache',
    })
  }
})

test('stock to begin with is the first line of the ledger', async () => {
  const seller = aSeller()
  const { id, body } = await shop.create(seller, { stock: 7 })
  expect(await shop.movements(seller, id)).toEqual([
    {
      id: expect.stringMatching(UUID_V7),
      productId: id,
      delta: 7,
      reason: 'RECEIVED',
      note: null,
      orderId: null,
      actorId: seller.id,
      createdAt: body['createdAt'],
    },
  ])
})

test('a product that begins without stock has an empty ledger', async () => {
  const seller = aSeller()
  const { id, etag } = await shop.create(seller, { stock: 0 })
  expect(etag).toBe('"1-0"')
  expect(await shop.movements(seller, id)).toEqual([])
})

test('description and category may be left out', async () => {
  const { body } = await shop.create(aSeller(), { name: 'Bare' })
  expect(body).toMatchObject({ description: '', category: null })
  expect((await shop.create(aSeller(), { category: null })).body).toMatchObject({ category: null })
})

test('addresses of images are kept in their order, byte for byte', async () => {
  const imageUrls = [
    'https://images.example.com/b.jpg',
    'http://localhost:8080/%C3%BCber/a(1).png?size=2x&of=a,b?#top',
    'https://203.0.113.7',
    'https://images.example.com/b.jpg',
  ]
  const seller = aSeller()
  const { id, body } = await shop.create(seller, { imageUrls })
  expect(body['imageUrls']).toEqual(imageUrls)
  expect((await shop.read(id))['imageUrls']).toEqual(imageUrls)
  const { body: page } = await shop.api.get(`/products?sellerId=${seller.id}`).expect(200)
  expect(page.items[0].imageUrls).toEqual(imageUrls)
})

test('text is kept as it is given', async () => {
  const name = '  “Ünïcode” 🎧 \t<b>&amp;</b> \\ %_ \' " ; -- cafe\u0301 שלום '
  const description = 'two\r\nlines\u0001\u200b\n'
  const { id } = await shop.create(aSeller(), { name, description })
  expect(await shop.read(id)).toMatchObject({ name, description })
})

test.each([
  ['the least of everything', { name: 'x', description: '', priceCents: 0, stock: 0, category: 'a' }],
  [
    'the most of everything',
    {
      name: 'n'.repeat(200),
      description: 'd'.repeat(5000),
      priceCents: 100_000_000,
      stock: 1_000_000_000,
      category: `a-${'b'.repeat(58)}`,
      imageUrls: Array.from({ length: 10 }, () => `https://example.com/${'i'.repeat(1980)}`),
    },
  ],
  ['names of 200 code units outside of ASCII', { name: '🎧'.repeat(100), description: '語'.repeat(5000) }],
])('%s is accepted', async (_name, fields) => {
  const { id } = await shop.create(aSeller(), fields)
  const { stock, ...rest } = fields as { stock?: number }
  expect(await shop.read(id)).toMatchObject({ ...rest, ...(stock !== undefined && { available: stock }) })
})

const GOOD = { name: 'Thing', priceCents: 1, stock: 1 }
test.each<[string, unknown, string[]]>([
  ['nothing at all', {}, ['body:name', 'body:priceCents', 'body:stock']],
  ['null', null, ['body:']],
  ['a list', [], ['body:']],
  ['an empty name', { ...GOOD, name: '' }, ['body:name']],
  ['a blank name', { ...GOOD, name: ' \t\n\u00a0\u3000' }, ['body:name']],
  ['a long name', { ...GOOD, name: 'x'.repeat(201) }, ['body:name']],
  ['a name with U+0000', { ...GOOD, name: 'a\u0000b' }, ['body:name']],
  ['a name with half a character', { ...GOOD, name: 'a\ud83cb' }, ['body:name']],
  ['a name that is no text', { ...GOOD, name: 7 }, ['body:name']],
  ['no name', { ...GOOD, name: null }, ['body:name']],
  ['a long description', { ...GOOD, description: 'x'.repeat(5001) }, ['body:description']],
  ['a description with U+0000', { ...GOOD, description: '\u0000' }, ['body:description']],
  ['null as the description', { ...GOOD, description: null }, ['body:description']],
  ['a negative price', { ...GOOD, priceCents: -1 }, ['body:priceCents']],
  ['a price above the limit', { ...GOOD, priceCents: 100_000_001 }, ['body:priceCents']],
  ['half a cent', { ...GOOD, priceCents: 0.5 }, ['body:priceCents']],
  ['a price as text', { ...GOOD, priceCents: '1' }, ['body:priceCents']],
  ['an absurd price', { ...GOOD, priceCents: 2 ** 53 }, ['body:priceCents']],
  ['negative stock', { ...GOOD, stock: -1 }, ['body:stock']],
  ['stock above the limit', { ...GOOD, stock: 1_000_000_001 }, ['body:stock']],
  ['half a unit', { ...GOOD, stock: 1.5 }, ['body:stock']],
  ['an empty category', { ...GOOD, category: '' }, ['body:category']],
  ['a category in capitals', { ...GOOD, category: 'Home' }, ['body:category']],
  ['a category with a space', { ...GOOD, category: 'home office' }, ['body:category']],
  ['a category that ends in a hyphen', { ...GOOD, category: 'home-' }, ['body:category']],
  ['a category with a line break at its end', { ...GOOD, category: 'home\n' }, ['body:category']],
  ['a long category', { ...GOOD, category: 'a'.repeat(61) }, ['body:category']],
  ['no list of images', { ...GOOD, imageUrls: null }, ['body:imageUrls']],
  ['eleven images', { ...GOOD, imageUrls: Array(11).fill('https://example.com/a.jpg') }, ['body:imageUrls']],
  ['an image without an address', { ...GOOD, imageUrls: ['https://example.com/a.jpg', null] }, ['body:imageUrls.1']],
  [
    'an image of 2,001 characters',
    { ...GOOD, imageUrls: [`https://example.com/${'i'.repeat(1981)}`] },
    ['body:imageUrls.0'],
  ],
  ...[
    ...['', 'a.jpg', '/a.jpg', '//example.com/a.jpg', 'https:', 'https://', 'https:///a.jpg', 'https:/example.com'],
    ...['javascript:alert(1)', 'data:image/png;base64,AA==', 'ftp://example.com/a.jpg', 'file:///etc/passwd'],
    ...['https://user:secret@example.com/a.jpg', 'https://example.com:99999/a.jpg', 'https://exa mple.com/a.jpg'],
    ...[
      'https://example.com/a b.jpg',
      'https://example.com/ü.jpg',
      'https://example.com/%zz',
      'https://example.com/"><b>',
    ],
    ...[
      ' https://example.com/a.jpg',
      'https://example.com/a.jpg\n',
      'https://example.com/\u0000',
      'https://example.com/a\\b',
    ],
  ].map((url): [string, unknown, string[]] => [
    `the image ${JSON.stringify(url)}`,
    { ...GOOD, imageUrls: [url] },
    ['body:imageUrls.0'],
  ]),
  [
    'what only the shop decides',
    { ...GOOD, id: UNKNOWN_ID, sellerId: UNKNOWN_ID, version: 9, status: 'DISABLED' },
    ['body:id', 'body:sellerId', 'body:version', 'body:status'],
  ],
  ['__proto__', JSON.parse('{"name":"x","priceCents":1,"stock":1,"__proto__":{"admin":true}}'), ['body:__proto__']],
])('%s is refused, and nothing is written', async (_name, body, violations) => {
  const before = await countProducts()
  const refused = await post(JSON.stringify(body), aSeller().authorization).set('content-type', 'application/json')
  expect([refused.status, refused.body.code]).toEqual([422, 'validation-failed'])
  const told = (refused.body.errors as { in: string; path: string }[]).map((error) => `${error.in}:${error.path}`)
  expect([...new Set(told)].sort()).toEqual([...violations].sort())
  expect(await countProducts()).toBe(before)
})

test('an infinite price in JSON is refused', async () => {
  const refused = await post('{"name":"x","priceCents":1e400,"stock":1}', aSeller().authorization).set(
    'content-type',
    'application/json',
  )
  expect([refused.status, refused.body.code]).toEqual([422, 'validation-failed'])
})

test('only sellers offer products', async () => {
  const before = await countProducts()
  const anonymous = await post(GOOD)
  expect([anonymous.status, anonymous.body.code]).toEqual([401, 'unauthenticated'])
  const buyer = await post(GOOD, aBuyer().authorization)
  expect([buyer.status, buyer.body.code]).toEqual([403, 'forbidden-role'])
  const forged = await post(GOOD, `${aSeller().authorization}x`)
  expect([forged.status, forged.body.code]).toEqual([401, 'invalid-token'])
  expect(await countProducts()).toBe(before)
})

test('nobody becomes a seller, or another one, by a header', async () => {
  const [seller, other] = [aSeller(), aSeller()]
  const created = await post(GOOD, seller.authorization).set({ 'x-user-id': other.id, 'x-user-role': 'SELLER' })
  expect(created.body.sellerId).toBe(seller.id)
  const buyer = await post(GOOD, aBuyer().authorization).set({ 'x-user-id': other.id, 'x-user-role': 'SELLER' })
  expect(buyer.status).toBe(403)
})

test('a product that is not there is 404, and an id that is none is 422', async () => {
  const unknown = await shop.api.get(`/products/${UNKNOWN_ID}`)
  expect([unknown.status, unknown.body.code, unknown.headers['cache-control']]).toEqual([
    404,
    'product-not-found',
    'no-store',
  ])
  for (const id of ['1', 'MINE', `${UNKNOWN_ID}0`, "'or'1'='1", '%00', '..%2f..']) {
    const malformed = await shop.api.get(`/products/${encodeURI(id)}`.replaceAll('%25', '%'))
    expect([id, malformed.status, malformed.body.errors?.[0]]).toMatchObject([id, 422, { in: 'path', path: 'id' }])
  }
})

test('an id in capitals is the same id', async () => {
  const { id, body } = await shop.create(aSeller())
  expect(await shop.read(id.toUpperCase())).toEqual(body)
})

test('a reader who has the product already is told so, until an edit or a stock change', async () => {
  const seller = aSeller()
  const { id, etag } = await shop.create(seller, { stock: 5 })
  const ask = (tag: string) => shop.api.get(`/products/${id}`).set('if-none-match', tag)
  const same = await ask(etag)
  expect([same.status, same.text, same.headers['etag']]).toEqual([304, '', '"1-5"'])
  expect((await ask(`W/${etag}`)).status).toBe(304)

  await shop.changeStock(seller, id, { delta: 1, reason: 'RECEIVED' }).expect(200)
  const restocked = await ask(etag)
  expect([restocked.status, restocked.headers['etag'], restocked.body.available]).toEqual([200, '"1-6"', 6])

  await shop.patch(seller, id, '"1"', { priceCents: 1 }).expect(200)
  const edited = await ask('"1-6"')
  expect([edited.status, edited.headers['etag'], edited.body.priceCents]).toEqual([200, '"2-6"', 1])
  expect((await ask('"2-6"')).status).toBe(304)
})

test('HEAD answers as GET does, without a body', async () => {
  const { id, etag } = await shop.create(aSeller())
  const head = await shop.api.head(`/products/${id}`)
  expect([head.status, head.headers['etag'], head.text]).toEqual([200, etag, undefined])
})

test('a disabled product is there for its seller and for nobody else', async () => {
  const seller = aSeller()
  const { id, etag } = await shop.create(seller)
  await shop.patch(seller, id, etag, { status: 'DISABLED' }).expect(200)
  expect(await shop.read(id, seller)).toMatchObject({ id, status: 'DISABLED' })
  for (const reader of [undefined, aSeller(), aBuyer()]) {
    const call = shop.api.get(`/products/${id}`)
    const hidden = await (reader ? call.set('authorization', reader.authorization) : call)
    expect([hidden.status, hidden.body.code]).toEqual([404, 'product-not-found'])
  }
})

test('a bad token is 401 even where none is needed', async () => {
  const { id } = await shop.create(aSeller())
  for (const path of [`/products/${id}`, '/products', '/products/categories']) {
    const refused = await shop.api.get(path).set('authorization', 'Bearer nonsense')
    expect([path, refused.status, refused.body.code]).toEqual([path, 401, 'invalid-token'])
  }
})

test('one’s own products are listed newest first, disabled ones too, and nobody else’s', async () => {
  const [seller, other] = [aSeller(), aSeller()]
  const mine = []
  for (let n = 0; n < 5; n++) mine.unshift((await shop.create(seller, { name: `Mine ${n}` })).id)
  await shop.create(other)
  await shop.patch(seller, mine[2] ?? '', '*', { status: 'DISABLED' }).expect(200)

  const ask = (query: string) => shop.api.get(`/products/mine${query}`).set('authorization', seller.authorization)
  const all = await ask('')
  expect(all.status).toBe(200)
  expect(all.body.items.map(({ id }: { id: string }) => id)).toEqual(mine)
  expect(all.body.items[2]).toEqual(await shop.read(mine[2] ?? '', seller))
  expect([all.body.nextCursor, all.headers['cache-control']]).toEqual([null, 'private, no-cache'])

  const first = await ask('?limit=3')
  const second = await ask(`?limit=3&cursor=${first.body.nextCursor}`)
  expect([...first.body.items, ...second.body.items]).toEqual(all.body.items)
  expect(second.body.nextCursor).toBeNull()

  const stolen = await shop.api
    .get(`/products/mine?cursor=${first.body.nextCursor}`)
    .set('authorization', other.authorization)
  expect([stolen.status, stolen.body.errors[0].path]).toEqual([422, 'cursor'])
  expect((await shop.api.get('/products/mine')).status).toBe(401)
  const buyer = await shop.api.get('/products/mine').set('authorization', aBuyer().authorization)
  expect([buyer.status, buyer.body.code]).toEqual([403, 'forbidden-role'])
})

describe('running out of stock', () => {
  const [seller, other] = [aSeller(), aSeller()]
  const ask = (query: string, who = seller) =>
    shop.api.get(`/products/mine?${query}`).set('authorization', who.authorization)
  const names = async (query: string, who = seller) => {
    const { body } = await ask(query, who).expect(200)
    return (body.items as { name: string }[]).map(({ name }) => name)
  }
  beforeAll(async () => {
    for (const [name, stock] of Object.entries({ five: 5, none: 0, six: 6, one: 1, many: 1_000_000_000 }))
      await shop.create(seller, { name, stock })
    const hidden = await shop.create(seller, { name: 'hidden', stock: 1 })
    await shop.patch(seller, hidden.id, '*', { status: 'DISABLED' }).expect(200)
    await shop.create(other, { name: 'theirs', stock: 1 })
  })

  test('are the own active products with so little or less, newest first', async () => {
    expect(await names('lowStock=5')).toEqual(['one', 'none', 'five'])
    expect(await names('lowStock=0')).toEqual(['none'])
    expect(await names('lowStock=1000000000')).toEqual(['many', 'one', 'six', 'none', 'five'])
    expect(await names('lowStock=5', other)).toEqual(['theirs'])
    expect(await names('lowStock=0', other)).toEqual([])
  })

  test('come in pages, and a cursor is good for its own threshold only', async () => {
    const { body: first } = await ask('lowStock=5&limit=2').expect(200)
    const { body: second } = await ask(`lowStock=5&limit=2&cursor=${first.nextCursor}`).expect(200)
    expect([...first.items, ...second.items].map(({ name }) => name as string)).toEqual(['one', 'none', 'five'])
    expect(second.nextCursor).toBeNull()
    for (const query of ['lowStock=4', '', 'lowStock=0'])
      expect((await ask(`${query}&cursor=${first.nextCursor}`)).body.errors[0].path).toBe('cursor')
  })

  test('a product that is sold out joins them, one that is delivered leaves them', async () => {
    const mover = aSeller()
    const own = await shop.create(mover, { name: 'moving', stock: 9 })
    expect(await names('lowStock=3', mover)).toEqual([])
    await shop.changeStock(mover, own.id, { delta: -8, reason: 'DAMAGED' }).expect(200)
    expect(await names('lowStock=3', mover)).toEqual(['moving'])
    await shop.changeStock(mover, own.id, { delta: 8, reason: 'RECEIVED' }).expect(200)
    expect(await names('lowStock=3', mover)).toEqual([])
  })

  test.each(['lowStock=-1', 'lowStock=', 'lowStock=x', 'lowStock=1.5', 'lowStock=1000000001', 'lowStock=1&lowStock=2'])(
    '?%s is refused',
    async (query) => {
      const refused = await ask(query)
      expect([refused.status, refused.body.errors[0].path]).toEqual([422, 'lowStock'])
    },
  )
})

test('categories are those of active products, counted and named', async () => {
  const seller = aSeller()
  const { id } = await shop.create(seller, { category: 'zz-lost-and-found' })
  await shop.create(seller, { category: 'zz-lost-and-found' })
  const lonely = await shop.create(seller, { category: 'zz-lonely' })
  const ask = async () => {
    const { body } = await shop.api.get('/products/categories').expect(200)
    expect(body.nextCursor).toBeNull()
    return (body.items as { slug: string }[]).filter(({ slug }) => slug.startsWith('zz-'))
  }
  expect(await ask()).toEqual([
    { slug: 'zz-lonely', name: 'Zz lonely', productCount: 1 },
    { slug: 'zz-lost-and-found', name: 'Zz lost and found', productCount: 2 },
  ])
  await shop.patch(seller, lonely.id, '*', { status: 'DISABLED' }).expect(200)
  await shop.patch(seller, id, '*', { category: null }).expect(200)
  expect(await ask()).toEqual([{ slug: 'zz-lost-and-found', name: 'Zz lost and found', productCount: 1 }])
  const tagged = await shop.api.get('/products/categories')
  const again = await shop.api.get('/products/categories').set('if-none-match', tagged.headers['etag'] as string)
  expect(again.status).toBe(304)
})
