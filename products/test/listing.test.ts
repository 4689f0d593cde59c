import fc from 'fast-check'
import { uuidv7 } from 'uuidv7'
import { plansOf } from '../../tests/support/plans'
import { ListQuery } from '../src/schemas'
import { findProducts } from '../src/search'
import { aSeller, openShop, type Page, type Query, type Shop } from './shop'

let shop: Shop
// More than are sorted at once, and more than are looked through one by one: every way of finding a page is taken.
const TOTAL = 6000
const sellers = [uuidv7(), uuidv7()] as const
type Row = { id: string; name: string; text: string; price: number; category: string; seller: string; stock: number }
let rows: Row[]

beforeAll(async () => {
  shop = await openShop()
  rows = Array.from({ length: TOTAL }, (_, n) => ({
    id: uuidv7(),
    // The newest half are new, one in a hundred is rare, the oldest 1,500 are vintage, a tenth is named so.
    name: `${n % 10 === 0 ? 'common ' : ''}${n < 1500 && n % 3 === 0 ? 'vintage ' : ''}thing${n % 7} ${n % 100 === 0 ? 'rarely' : 'item'}`,
    text: `${n % 2 === 0 ? 'common' : 'special'} ${n < 1500 ? 'vintage' : ''} ${n >= TOTAL / 2 ? 'new' : ''} ${n % 90 === 1 ? 'rare' : ''}`,
    price: (n * 7919) % 1000,
    category: n % 50 === 0 ? 'few' : 'many',
    seller: sellers[n % 40 === 0 ? 0 : 1],
    stock: n % 30 === 0 ? 0 : 1,
  }))
  // About where looking through one by one ends.
  for (const row of [...rows].sort(ORDERS['price']).slice(1990, 2010)) row.category = 'edge'
  const columns = (['id', 'seller', 'name', 'text', 'price', 'category', 'stock'] as const).map((column) =>
    rows.map((row) => row[column]),
  )
  await shop.owner.query(
    `with given as (
       select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::int[], $6::text[], $7::int[])
         as given (id, seller_id, name, description, price_cents, category, stock)
     ), product as (
       insert into products.products (id, seller_id, name, description, price_cents, category)
       select id, seller_id, name, description, price_cents, category from given
     ), stock as (
       insert into products.inventory (product_id, available) select id, stock from given
     )
     insert into products.stock_movements (id, product_id, delta, reason, actor_id)
     select gen_random_uuid(), id, stock, 'RECEIVED', seller_id from given where stock > 0`,
    columns,
  )
})

afterAll(() => shop.close())

const compare = (a: string | number, b: string | number) => (a < b ? -1 : a > b ? 1 : 0)
const has = (text: string, word: string, whole = false) =>
  text.split(' ').some((each) => (whole ? each === word : each.startsWith(word)))
/** As the ranking is described: 0 is no hit. */
const rankOf = (row: Row, words: string[]) => {
  if (!words.every((word) => has(`${row.name} ${row.text}`, word))) return 0
  if (words.every((word) => has(row.name, word, true))) return 4
  if (words.every((word) => has(row.name, word))) return 3
  return words.some((word) => has(row.name, word)) ? 2 : 1
}
const ORDERS: Record<string, (a: Row, b: Row) => number> = {
  newest: (a, b) => compare(b.id, a.id),
  price: (a, b) => a.price - b.price || compare(a.id, b.id),
  '-price': (a, b) => b.price - a.price || compare(b.id, a.id),
  name: (a, b) => compare(a.name, b.name) || compare(a.id, b.id),
}

function expected({ q, sort, category, sellerId, minPriceCents = 0, maxPriceCents = 1000, inStock }: Query): string[] {
  const words = q === undefined ? [] : String(q).split(' ')
  const hits = rows
    .filter((row) => row.seller === (sellerId ?? row.seller) && row.category === (category ?? row.category))
    .filter((row) => row.price >= Number(minPriceCents) && row.price <= Number(maxPriceCents))
    .filter((row) => inStock === undefined || row.stock > 0 === inStock)
    .map((row) => ({ row, rank: rankOf(row, words) }))
    .filter(({ rank }) => rank > 0)
  const order = ORDERS[String(sort ?? 'newest')]
  if (q === undefined || sort !== undefined)
    return hits
      .map(({ row }) => row)
      .sort(order)
      .map(({ id }) => id)
  return hits.sort((a, b) => b.rank - a.rank || compare(b.row.id, a.row.id)).map(({ row }) => row.id)
}

const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })
const query = fc.record({
  q: maybe(
    fc.constantFrom(
      ...['common', 'special', 'vintage', 'new', 'rare', 'rarely', 'thing1', 'thing', 'com', 'v', 'i t'],
      ...[
        'common vintage',
        'vintage rare',
        'new vintage',
        'rare new thing',
        'special common',
        'common rarely',
        'thing3 c',
      ],
    ),
  ),
  sort: maybe(fc.constantFrom('newest', 'price', '-price', 'name')),
  category: maybe(fc.constantFrom('few', 'many', 'none')),
  sellerId: maybe(fc.constantFrom(...sellers)),
  prices: maybe(fc.constantFrom([0, 3], [0, 1000], [990, 1000], [400, 600])),
  inStock: maybe(fc.boolean()),
  limit: fc.constantFrom(20, 100),
})

test('the pages of any list are what a plain filter and sort would give', async () => {
  await fc.assert(
    fc.asyncProperty(query, fc.nat(6), async ({ prices, ...rest }, most) => {
      const asked = { ...rest, ...(prices && { minPriceCents: prices[0], maxPriceCents: prices[1] }) }
      const all = expected(asked)
      let cursor: string | null | undefined
      for (let at = 0, pages = 0; pages <= most && cursor !== null; pages++, at += asked.limit) {
        const { items, nextCursor }: Page = await shop.list({ ...asked, cursor })
        expect(items.map((item) => item['id'] as string)).toEqual(all.slice(at, at + asked.limit))
        expect(nextCursor === null).toBe(all.length <= at + asked.limit)
        cursor = nextCursor
      }
    }),
    { numRuns: 150 },
  )
})

test.each<[Query, RegExp[]]>([
  [{}, [/products_(newest_idx|pkey)/]],
  [{ sort: 'price', maxPriceCents: 5 }, [/products_price_idx.*\n.*price_cents >= /]],
  [{ sort: 'name' }, [/products_name_idx/]],
  [{ category: 'few' }, [/products_category_idx/]],
  [{ sellerId: sellers[0] }, [/products_seller_idx/]],
  [{ category: 'few', sort: 'name' }, [/products_name_idx/, /products_category_idx/]],
  [{ q: 'rare' }, [/products_(newest_idx|pkey)/, /products_search_idx/, /products_search_name_idx/]],
  [{ q: 'rare', sort: 'price', inStock: true }, [/products_price_idx/, /products_search_idx/]],
])('%j is one statement, which goes by indexes', async (asked, indexes) => {
  await shop.owner.query('analyze products.products, products.inventory')
  const query = ListQuery.parse(Object.fromEntries(Object.entries(asked).map(([name, value]) => [name, String(value)])))
  const [plan, ...others] = await plansOf(shop.pool, (pool) => findProducts(pool, query))
  expect(others).toEqual([])
  for (const index of indexes) expect(plan).toMatch(index)
  expect(plan).not.toMatch(/Seq Scan|Disabled/)
})

test('none is lost where looking through one by one ends', async () => {
  const asked = { category: 'edge', sort: 'price' }
  expect(expected(asked)).toHaveLength(20)
  expect((await shop.list(asked)).items.map((item) => item['id'])).toEqual(expected(asked))
})

test.each([{ q: 'common' }, { q: 'vintage' }, { q: 'rare' }, { q: 'commmon' }, { q: 'vintage', sort: 'price' }])(
  'all pages of %j are the whole, though products come meanwhile',
  async (asked) => {
    const seller = aSeller()
    const all = expected({ ...asked, q: asked.q.replace('mmm', 'mm') })
    const seen: string[] = []
    let cursor: string | null | undefined
    while (cursor !== null) {
      const { items, nextCursor }: Page = await shop.list({ ...asked, limit: 100, cursor })
      seen.push(...items.map((item) => item['id'] as string))
      cursor = nextCursor
      if (seen.length % 500 === 0) {
        await shop.create(seller, { name: 'common vintage rare' })
        await shop.create(seller, { name: 'Come', description: asked.q })
      }
    }
    expect(new Set(seen).size).toBe(seen.length)
    const old = new Set(all)
    expect(seen.filter((id) => old.has(id))).toEqual(all)
  },
)
