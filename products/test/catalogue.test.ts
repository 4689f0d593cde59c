import fc from 'fast-check'
import { aSeller, openShop, pathOf, type Body, type Page, type Query, type Shop, type Someone } from './shop'

let shop: Shop
beforeAll(async () => {
  shop = await openShop()
})
afterAll(() => shop.close())

const list = (query: Query) => shop.list(query)
const names = async (query: Query) => (await list(query)).items.map((item) => item['name'] as string)

/** Follows the cursors to the end, doing something between the pages. */
async function walk(query: Query, between: () => Promise<unknown> = () => Promise.resolve()): Promise<Body[]> {
  const items: Body[] = []
  let cursor: string | null | undefined
  while (cursor !== null) {
    const page: Page = await list({ ...query, cursor })
    expect(page.items.length).toBeLessThanOrEqual(Number(query['limit'] ?? 20))
    items.push(...page.items)
    cursor = page.nextCursor
    await between()
  }
  return items
}

const violations = async (query: string) => {
  const refused = await shop.api.get(`/products?${query}`)
  expect([refused.status, refused.body.code]).toEqual([422, 'validation-failed'])
  const errors = refused.body.errors as { in: string; path: string }[]
  return [...new Set(errors.map((error) => `${error.in}:${error.path}`))].sort()
}

test('a list item is the product as it is read alone', async () => {
  const seller = aSeller()
  const { body } = await shop.create(seller, { name: 'Alone', description: 'Whole', category: 'single' })
  const answer = await shop.api.get(pathOf({ sellerId: seller.id }))
  expect([answer.status, answer.body]).toEqual([200, { items: [body], nextCursor: null }])
  expect(answer.headers).toMatchObject({ 'cache-control': 'no-cache', vary: 'Authorization' })
  const tag = answer.headers['etag'] as string
  expect((await shop.api.get(pathOf({ sellerId: seller.id })).set('if-none-match', tag)).status).toBe(304)
  await shop.changeStock(seller, body['id'] as string, { delta: 1, reason: 'RECEIVED' }).expect(200)
  expect((await shop.api.get(pathOf({ sellerId: seller.id })).set('if-none-match', tag)).status).toBe(200)
})

test('disabled products are not listed, not even to their seller', async () => {
  const seller = aSeller()
  const shown = await shop.create(seller)
  const hidden = await shop.create(seller)
  await shop.patch(seller, hidden.id, '*', { status: 'DISABLED' }).expect(200)
  const answer = await shop.api.get(pathOf({ sellerId: seller.id })).set('authorization', seller.authorization)
  expect(answer.body.items.map(({ id }: Body) => id as string)).toEqual([shown.id])
  expect(answer.headers['cache-control']).toBe('private, no-cache')
})

test('names are sorted by code point, and equal ones by id', async () => {
  const seller = aSeller()
  const given = ['b', 'a', 'Ä', 'a', 'B', '🎧', 'Z', '\uffee', ' a', 'aa', 'Á', 'z', '9']
  for (const name of given) await shop.create(seller, { name })
  const sorted = await walk({ sellerId: seller.id, sort: 'name', limit: 3 })
  const byCodePoint = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b))
  expect(sorted.map((item) => item['name'])).toEqual([...given].sort(byCodePoint))
  const [first, second] = sorted.filter((item) => item['name'] === 'a').map((item) => item['id'] as string)
  expect(String(first) < String(second)).toBe(true)
})

describe('search', () => {
  const seller = aSeller()
  const NAMES = [
    'Node.js in Action',
    'USB-C hub, 7-in-1',
    'Lamp—brass',
    '“Quoted” mug',
    'ÜBER Straße CAFÉ',
    '無線マウス',
    '🎧headset',
    '3.5mm jack',
    'home_office/desk <b>bold</b> R&D',
    "children's o'clock",
    'v1.2.3-beta+7 1e5 0x1F',
  ]
  beforeAll(async () => {
    for (const name of NAMES) await shop.create(seller, { name, description: `About ${name.length} things.` })
  })
  const find = (q: string) => names({ q, sellerId: seller.id })

  test.each<[string, string[]]>([
    ['node', ['Node.js in Action']],
    ['JS', ['Node.js in Action']],
    ['node.js', ['Node.js in Action']],
    ['act node', ['Node.js in Action']],
    ['usb-c', ['USB-C hub, 7-in-1']],
    ['c usb', ['USB-C hub, 7-in-1']],
    ['brass', ['Lamp—brass']],
    ['lamp brass', ['Lamp—brass']],
    ['quot', ['“Quoted” mug']],
    ['über', ['ÜBER Straße CAFÉ']],
    ['straß', ['ÜBER Straße CAFÉ']],
    ['café', ['ÜBER Straße CAFÉ']],
    ['無線', ['無線マウス']],
    ['headset', ['🎧headset']],
    ['🎧 head', ['🎧headset']],
    ['5mm', ['3.5mm jack']],
    ['3.5', ['3.5mm jack']],
    ['office', ['home_office/desk <b>bold</b> R&D']],
    ['desk bold', ['home_office/desk <b>bold</b> R&D']],
    ['r&d', ['home_office/desk <b>bold</b> R&D']],
    ["children's", ["children's o'clock"]],
    ['clock', ["children's o'clock"]],
    ['v1.2', ['v1.2.3-beta+7 1e5 0x1F']],
    ['1e', ['v1.2.3-beta+7 1e5 0x1F']],
    ['0X1', ['v1.2.3-beta+7 1e5 0x1F']],
    ['ode', []],
    ['node missing', []],
    ['thing action', ['Node.js in Action']],
  ])('%s finds %j', async (q, expected) => {
    expect(await find(q)).toEqual(expected)
  })

  test.each(['!!!', ' ', '%', '_', '*', '🎧', '…—“”', '& | ! <-> ( ) : *', "'", '\\', '--', '<>', '\t\r\n', '\u0001'])(
    '%j has no word, and finds nothing',
    async (q) => {
      expect(await find(q)).toEqual([])
    },
  )

  test.each([
    "a' | b:*",
    'a & | b',
    "':*",
    'lamp:* | node',
    'lamp:A',
    '!lamp',
    'lamp <-> brass',
    "lamp' or '1'='1",
    'lamp\\',
    "lamp') or true --",
    '$1',
    '%lamp%',
    'x'.repeat(100),
    '無'.repeat(100),
    '🎧'.repeat(50),
    Array(50).fill('z').join(' '),
    '\u0301',
    '\u200d\ufeff',
    '1'.repeat(100),
    '0.'.repeat(50),
    'http://lamp/brass?x=1#y',
    'me@example.com',
    '</xml>&amp;&#39;',
  ])('%s is words to search for, not a query language', async (q) => {
    const found = await find(q)
    expect(found.every((name) => NAMES.includes(name))).toBe(true)
    expect(found).not.toHaveLength(NAMES.length)
  })

  test('every word counts: none of them is an operator', async () => {
    expect(await find('lamp or brass')).toEqual([])
    expect(await find('!lamp')).toEqual(['Lamp—brass'])
    expect(await find('lamp | node')).toEqual([])
    expect(await find('lamp:* | brass')).toEqual(['Lamp—brass'])
  })

  test('a word in the name counts more than one in the description', async () => {
    const other = aSeller()
    await shop.create(other, { name: 'Tea towel', description: 'Dries a kettle.' })
    await shop.create(other, { name: 'Kettle', description: 'Boils.' })
    await shop.create(other, { name: 'Tea pot', description: 'Goes with every kettle.' })
    const found = await names({ q: 'kettle', sellerId: other.id })
    expect(found[0]).toBe('Kettle')
    expect(found).toHaveLength(3)
    expect(await names({ q: 'kettle', sellerId: other.id, sort: 'relevance' })).toEqual(found)
    expect(await names({ q: 'kettle', sellerId: other.id, sort: 'newest' })).toEqual(['Tea pot', 'Kettle', 'Tea towel'])
  })

  test('any word of any text finds it by each of its prefixes', async () => {
    // Letters and digits of several scripts, and what stands between words.
    const letter = fc.constantFrom(...'aeExX0159zéßñΩж語אक')
    const separator = fc.constantFrom(...' .-/_:@&<>\'"—“”…🎧×、（')
    const word = fc.string({ unit: letter, minLength: 1, maxLength: 8 })
    const product = fc.array(fc.tuple(word, fc.string({ unit: separator, minLength: 1, maxLength: 3 })), {
      minLength: 1,
      maxLength: 8,
    })
    const other = aSeller()
    await fc.assert(
      fc.asyncProperty(product, fc.nat(), fc.nat(), async (parts, which, length) => {
        const name = parts.flat().join('')
        const { id } = await shop.create(other, { name, stock: 0 })
        const sought = parts[which % parts.length]?.[0] ?? ''
        const q = sought.slice(0, 1 + (length % sought.length))
        const found = await walk({ q, sellerId: other.id, limit: 100 })
        expect(found.map((item) => item['id'])).toContain(id)
      }),
      { numRuns: 60 },
    )
  })
})

describe('filters and sorts', () => {
  const sellers = [aSeller(), aSeller()]
  const CATEGORIES = ['filters-a', 'filters-b', null]
  let all: Body[]

  beforeAll(async () => {
    const created = []
    for (let n = 0; n < 45; n++) {
      const { id } = await shop.create(sellers[n % 2] as Someone, {
        name: `${['red', 'green', 'blue'][n % 3]} ${['chair', 'table'][n % 2]} ${n % 7}`,
        description: n % 4 === 0 ? 'red paint' : '',
        priceCents: (n * 37) % 11,
        stock: n % 5 === 0 ? 0 : n,
        category: CATEGORIES[n % 3],
      })
      created.push(id)
    }
    all = await Promise.all(created.map((id) => shop.read(id)))
  })

  const compare = (a: string | number, b: string | number) => (a < b ? -1 : a > b ? 1 : 0)
  const ORDERS: Record<string, (a: Body, b: Body) => number> = {
    newest: (a, b) => compare(b['id'], a['id']),
    price: (a, b) => compare(a['priceCents'], b['priceCents']) || compare(a['id'], b['id']),
    '-price': (a, b) => compare(b['priceCents'], a['priceCents']) || compare(b['id'], a['id']),
    name: (a, b) => compare(a['name'], b['name']) || compare(a['id'], b['id']),
  }
  const matches = (query: Query) => (item: Body) => {
    const words = `${item['name']} ${item['description']}`.split(/\s+/)
    const sought = String(query['q'] ?? '').split(' ')
    return (
      sought.every((prefix) => words.some((word) => word.startsWith(prefix))) &&
      (query['category'] === undefined || item['category'] === query['category']) &&
      item['priceCents'] >= Number(query['minPriceCents'] ?? 0) &&
      item['priceCents'] <= Number(query['maxPriceCents'] ?? Infinity) &&
      (query['inStock'] === undefined || item['available'] > 0 === query['inStock'])
    )
  }

  test('whatever is asked for, the pages together are what a plain filter and sort would give', async () => {
    const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })
    const query = fc.record({
      seller: fc.nat(1),
      q: maybe(fc.constantFrom('red', 'r', 'chair red', 't', '3', 'gre ta', 'purple')),
      category: maybe(fc.constantFrom('filters-a', 'filters-b', 'filters-none')),
      prices: maybe(fc.tuple(fc.integer({ min: 0, max: 11 }), fc.integer({ min: 0, max: 11 }))),
      inStock: maybe(fc.boolean()),
      sort: maybe(fc.constantFrom('newest', 'price', '-price', 'name', 'relevance')),
      limit: fc.constantFrom(2, 5, 9, 100),
    })
    await fc.assert(
      fc.asyncProperty(query, async ({ seller, prices, ...rest }) => {
        const sellerId = sellers[seller]?.id
        const asked: Query = {
          ...rest,
          sellerId,
          ...(prices && { minPriceCents: Math.min(...prices), maxPriceCents: Math.max(...prices) }),
          sort: rest.sort === 'relevance' && rest.q === undefined ? undefined : rest.sort,
        }
        const expected = all.filter((item) => item['sellerId'] === sellerId).filter(matches(asked))
        const found = await walk(asked)
        const order = ORDERS[String(asked['sort'] ?? (asked['q'] === undefined ? 'newest' : 'relevance'))]
        if (order) expect(found).toEqual(expected.sort(order))
        else expect(found.sort(ORDERS['newest'])).toEqual(expected.sort(ORDERS['newest']))
      }),
      { numRuns: 60 },
    )
  })

  test.each([
    { sort: 'newest' },
    { sort: 'price' },
    { sort: '-price' },
    { sort: 'name' },
    { q: 'red' },
    { q: 'r' },
    { q: 'rred' },
    { q: 'r', sort: 'price' },
    { inStock: true },
    { category: 'filters-a' },
  ])('%j skips and repeats nothing while products arrive', async (query: Query) => {
    const before = await walk({ ...query, limit: 100 })
    let arrivals = 0
    const arrive = () =>
      Promise.all(
        ['red chair 3', 'aaa red', 'zzz red'].map((name) =>
          shop.create(sellers[arrivals++ % 2] as Someone, { name, priceCents: arrivals % 11, category: 'filters-a' }),
        ),
      )
    const seen = await walk({ ...query, limit: 9 }, arrive)
    const ids = seen.map((item) => item['id'] as string)
    expect(new Set(ids).size).toBe(ids.length)
    const old = new Set(before.map((item) => item['id']))
    expect(seen.filter((item) => old.has(item['id']))).toEqual(before)
    expect(arrivals).toBeGreaterThan(3)
  })
})

test('a cursor is good for its own sort and filters only, whatever the page size', async () => {
  const seller = aSeller()
  for (let n = 0; n < 4; n++) await shop.create(seller, { name: `Cursor ${n}`, category: 'cursors' })
  const query = { sellerId: seller.id, category: 'cursors', sort: 'price', limit: 2 }
  const { nextCursor: cursor } = await list(query)
  expect((await list({ ...query, cursor: String(cursor), limit: 1 })).items).toHaveLength(1)
  for (const other of [
    { sort: '-price' },
    { sort: undefined },
    { category: undefined },
    { q: 'cursor' },
    { inStock: true },
    { minPriceCents: 0 },
    { sellerId: aSeller().id },
  ]) {
    const asked = pathOf({ ...query, ...other, cursor: String(cursor) })
    expect([other, await violations(asked.slice('/products?'.length))]).toEqual([other, ['query:cursor']])
  }
})

test('a cursor that was tampered with is refused or is a place in the list, never a fault', async () => {
  const seller = aSeller()
  await shop.create(seller)
  await shop.create(seller)
  for (const sort of ['newest', 'price', 'name', 'relevance']) {
    const query = { sellerId: seller.id, sort, limit: 1, ...(sort === 'relevance' && { q: 'thing' }) }
    const [name, key] = JSON.parse(Buffer.from(String((await list(query)).nextCursor), 'base64url').toString())
    const id = key.at(-1)
    const values = [1e300, -1e300, 1e-310, 2 ** 31, 0.5, -1, null, true, {}, [], "'", '\u0000', '\ud800', id, '', 'x']
    const keys = [[], [id, id, id], ['x'], ...values.flatMap((value) => [[value], [value, id], [key[0], value]])]
    for (const forged of keys) {
      const cursor = Buffer.from(JSON.stringify([name, forged])).toString('base64url')
      const answer = await shop.api.get(pathOf({ ...query, cursor }))
      expect([200, 422]).toContain(answer.status)
      if (answer.status === 422) expect(answer.body.errors[0]).toMatchObject({ in: 'query', path: 'cursor' })
    }
    for (const raw of [key, name, [name], [name, key, 1], { name, key }, null, 'x']) {
      const cursor = Buffer.from(JSON.stringify(raw)).toString('base64url')
      expect((await shop.api.get(pathOf({ ...query, cursor }))).status).toBe(422)
    }
  }
})

test.each([
  ['limit=0', ['query:limit']],
  ['limit=101', ['query:limit']],
  ['limit=-1', ['query:limit']],
  ['limit=1e1', ['query:limit']],
  ['limit=', ['query:limit']],
  ['limit=5&limit=6', ['query:limit']],
  ['limit=99999999999999999999', ['query:limit']],
  ['cursor=', ['query:cursor']],
  ['cursor=%00', ['query:cursor']],
  [`cursor=${'x'.repeat(2001)}`, ['query:cursor']],
  ['q=', ['query:q']],
  [`q=${'x'.repeat(101)}`, ['query:q']],
  ['q=%00', ['query:q']],
  ['q=a&q=b', ['query:q']],
  ['q[]=a', ['query:q[]']],
  ['q=%ff', []],
  ['category=Home', ['query:category']],
  ['category=', ['query:category']],
  ['category=a%0a', ['query:category']],
  ['sellerId=1', ['query:sellerId']],
  ['minPriceCents=-1', ['query:minPriceCents']],
  ['minPriceCents=1.5', ['query:minPriceCents']],
  ['maxPriceCents=100000001', ['query:maxPriceCents']],
  ['minPriceCents=2&maxPriceCents=1', ['query:maxPriceCents']],
  ['inStock=yes', ['query:inStock']],
  ['inStock=', ['query:inStock']],
  ['sort=oldest', ['query:sort']],
  ['sort=price,id', ['query:sort']],
  ['sort=constructor', ['query:sort']],
  ['sort=relevance', ['query:sort']],
  ['status=DISABLED', ['query:status']],
  ['__proto__=x', ['query:__proto__']],
  [
    'limit=x&sort=relevance&minPriceCents=9&maxPriceCents=1&foo=1',
    ['query:foo', 'query:limit', 'query:maxPriceCents', 'query:sort'],
  ],
])('?%s breaks the rules of %j', async (query, expected) => {
  if (expected.length > 0) expect(await violations(query)).toEqual(expected)
  else await shop.api.get(`/products?${query}`).expect(200)
})

test('lists without parameters take none', async () => {
  const refused = await shop.api.get('/products/categories?limit=5')
  expect([refused.status, refused.body.errors[0]]).toMatchObject([422, { in: 'query', path: 'limit' }])
})

test('the least and the greatest price are prices to ask for', async () => {
  const seller = aSeller()
  await shop.create(seller, { name: 'Free', priceCents: 0 })
  await shop.create(seller, { name: 'Dear', priceCents: 100_000_000 })
  const bySeller = { sellerId: seller.id, sort: 'price' }
  expect(await names({ ...bySeller, minPriceCents: 0, maxPriceCents: 0 })).toEqual(['Free'])
  expect(await names({ ...bySeller, minPriceCents: 100_000_000, maxPriceCents: 100_000_000 })).toEqual(['Dear'])
  expect(await names({ ...bySeller, minPriceCents: 0, maxPriceCents: 100_000_000 })).toEqual(['Free', 'Dear'])
})

test('the names that are hardest to fit into a cursor can be paged through', async () => {
  const seller = aSeller()
  for (const name of [`${'\u0001'.repeat(199)}a`, `${'\u0001'.repeat(199)}b`, '語'.repeat(200), '"\\'.repeat(100)])
    await shop.create(seller, { name })
  expect(await walk({ sellerId: seller.id, sort: 'name', limit: 1 })).toHaveLength(4)
  const q = '語'.repeat(100)
  expect(await walk({ q, sellerId: seller.id, sort: 'name', category: undefined, limit: 1 })).toHaveLength(1)
})

test('other methods and spellings of the paths are not served', async () => {
  const allowed = { '/products': 'GET, HEAD, POST', '/products/mine': 'GET, HEAD', '/products/categories': 'GET, HEAD' }
  for (const [at, allow] of Object.entries(allowed)) {
    const refused = await shop.api.delete(at)
    expect([refused.status, refused.body.code, refused.headers['allow']]).toEqual([405, 'method-not-allowed', allow])
  }
  for (const at of ['/Products', '/products/', '/products/categories/']) {
    const missing = await shop.api.get(at)
    expect([at, missing.status, missing.body.code]).toEqual([at, 404, 'route-not-found'])
  }
})
