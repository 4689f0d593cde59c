import type pg from 'pg'
import { openPool } from '../../platform/src/postgres'
import { SESSION_SETTINGS } from '../../products/src/catalogue'
import { ListQuery } from '../../products/src/schemas'
import { findProducts } from '../../products/src/search'
import { plansOf } from '../../tests/support/plans'
import type { Request } from './load'
import { ID_PREFIX } from './seed'
import { within, type Bench, type Shop } from './shop'

/** Everybody's first numbers are others: ids of these products begin here. */
const FIRST_PRODUCT = 300_000_000_001
const SELLERS = 1_000
const WORDS = 20_000
const THINGS = [
  'lamp',
  'kettle',
  'knife',
  'backpack',
  'notebook',
  'chair',
  'table',
  'teapot',
  'dripper',
  'blanket',
  'torch',
  'clock',
]
const KINDS = [
  'ruby',
  'brass',
  'linen',
  'walnut',
  'steel',
  'enamel',
  'compact',
  'foldable',
  'vintage',
  'slim',
  'rustic',
  'portable',
]

/** Words of three syllables, as unlike each other as those of a language are. */
function word(n: number): string {
  const syllables = [(n * 7919) % 97, (n * 104_729) % 89, (n * 1_299_709) % 83]
  return syllables.map((each) => `${'bcdfghklmnprstvwz'[each % 17]}${'aeiou'[each % 5]}`).join('') + 'nrstlm'[n % 6]
}
const words = Array.from({ length: WORDS }, (_, n) => word(n + 1))

/**
 * A catalogue of its own: names of three words and a number, descriptions of 25 words, of which few are common and most are rare, as
 * in any language; one word is in every second product.
 */
async function addCatalogue(owner: pg.Pool, count: number): Promise<void> {
  const client = await owner.connect()
  try {
    await client.query('select setseed(0.5)')
    await client.query(
      `with drawn as materialized (
         select n, ($1 || ($2::bigint + n)::text)::uuid as id,
                ('01980000-0000-7000-a000-' || lpad((random() ^ 2 * $3::int)::int::text, 12, '0'))::uuid as seller_id,
                format('%s %s %s %s', initcap(($4::text[])[1 + (random() * 11)::int]), ($5::text[])[1 + (random() * 4999)::int],
                       ($6::text[])[1 + (random() * 11)::int], n) as name,
                (select format('%s %s.', case when n % 2 = 0 then 'Everyday' else 'Special' end,
                               string_agg(($5::text[])[1 + floor(exp(random() * ln(${WORDS} - 1)))::int], ' '))
                   from generate_series(1, 25) each where n > 0) as description,
                (random() * 20000)::int as price_cents, 'aisle-' || (random() ^ 2 * 40)::int as category,
                case when random() < 0.03 then 0 else (random() * 200)::int end as stock
           from generate_series(1, $7::int) n
       ), product as (
         insert into products.products (id, seller_id, name, description, price_cents, category)
         select id, seller_id, name, description, price_cents, category from drawn
       ), counter as (
         insert into products.inventory (product_id, available) select id, stock from drawn
       )
       insert into products.stock_movements (id, product_id, delta, reason, actor_id)
       select uuidv7(), id, stock, 'RECEIVED', seller_id from drawn where stock > 0`,
      [ID_PREFIX.product, FIRST_PRODUCT, SELLERS, KINDS, words, THINGS, count],
    )
    await client.query('vacuum (analyze)')
  } finally {
    client.release()
  }
}

type Query = Record<string, string>
const pick = <T>(from: readonly T[], n: number): T => from[n % from.length] as T
const rare = (n: number) => pick(words, 3_000 + n * 37)
const common = (n: number) => pick(words, 10 + n * 7)
/** A letter is missing; in a short word two are swapped. */
const misspelt = (text: string) =>
  text.length > 5 ? text.slice(0, 2) + text.slice(3) : `${text[0]}${text[2]}${text[1]}${text.slice(3)}`

/** What people ask for, a hundred times each with other words. */
const ASKED: Record<string, (n: number) => Query> = {
  'a word': (n) => ({ q: n % 2 ? rare(n) : common(n) }),
  'a word of every second product': (n) => ({ q: pick(['everyday', 'special'], n) }),
  'a beginning of two or three letters': (n) => ({ q: rare(n).slice(0, 2 + (n % 2)) }),
  'a misspelt word': (n) => ({ q: misspelt(n % 2 ? rare(n) : pick(THINGS, n)) }),
  'two words': (n) => ({ q: `${pick(KINDS, n)} ${n % 2 ? pick(THINGS, n) : common(n)}` }),
  'two words, misspelt': (n) => ({ q: `${misspelt(pick(KINDS, n))} ${misspelt(pick(THINGS, n * 5))}` }),
  'two common words that never meet': (n) => ({ q: `${pick(THINGS, n)} ${pick(THINGS, n + 1)}` }),
  'words, filtered': (n) => ({
    q: pick([common(n), pick(THINGS, n), 'everyday', rare(n)], n),
    ...pick<Query>(
      [{ category: `aisle-${n % 40}` }, { minPriceCents: '500', maxPriceCents: '600' }, { inStock: 'true' }],
      n,
    ),
  }),
  'words, sorted': (n) => ({
    q: pick([common(n), `${pick(KINDS, n)} ${pick(THINGS, n)}`, 'special', rare(n)], n),
    sort: pick(['price', '-price', 'name', 'newest'], n >> 2),
  }),
  'no words, filtered and sorted': (n) => ({
    ...pick<Query>(
      [{ category: `aisle-${n % 40}` }, { minPriceCents: '9000', maxPriceCents: '9010' }, { inStock: 'true' }],
      n,
    ),
    sort: pick(['price', '-price', 'name', 'newest'], n >> 2),
  }),
}
const ANSWERED_BY_NOTHING = 'two common words that never meet'

const pathOf = (query: Query) => `/products?${new URLSearchParams(query).toString()}`
const times = (asked: (n: number) => Query): Request[] =>
  Array.from({ length: 100 }, (_, n) => ({ method: 'GET', path: pathOf(asked(n)) }))

/** The products service by itself, for one who asks after the other and for sixteen at once. */
export const search = (bench: Bench) =>
  within(bench, {}, async (shop) => {
    const { products, rounds } = bench.options
    const begun = performance.now()
    await addCatalogue(shop.owner, products)
    bench.say(
      `  ${products.toLocaleString('en')} products, made in ${Math.round((performance.now() - begun) / 1000)} s`,
    )
    const requests = {
      ...Object.fromEntries(Object.entries(ASKED).map(([mode, asked]) => [mode, times(asked)])),
      'its hundredth page': await hundredthPage(shop),
      categories: [{ method: 'GET' as const, path: '/products/categories' }],
    }
    await expectAnswers(shop)
    await expectIndexes(shop)
    const before = await scansOf(shop.owner)
    const url = shop.stack.urls.products ?? ''
    for (let round = 0; round < rounds; round++) {
      for (const [mode, asked] of Object.entries(requests)) {
        for (const connections of [1, 16]) {
          const { loaded, sample } = await shop.run({ url, requests: asked, connections })
          const others = loaded.refused + loaded.broken
          bench.record({ section: 'search', subject: 'service', mode, connections }, { ...sample, others })
        }
      }
    }
    if ((await scansOf(shop.owner)) !== before) throw new Error('a search has read the whole table of products')
  })

async function answerOf(shop: Shop, query: Query): Promise<{ items: { name: string }[]; nextCursor: string | null }> {
  const answer = await fetch(`${shop.stack.urls.products}${pathOf(query)}`)
  if (answer.status !== 200) throw new Error(`${pathOf(query)} answered ${answer.status}: ${await answer.text()}`)
  return (await answer.json()) as { items: { name: string }[]; nextCursor: string | null }
}

async function hundredthPage(shop: Shop): Promise<Request[]> {
  let query: Query = { q: 'everyday' }
  for (let page = 1; page < 100; page++)
    query = { q: 'everyday', cursor: (await answerOf(shop, query)).nextCursor ?? '' }
  return [{ method: 'GET', path: pathOf(query) }]
}

/** That it is products, and the right ones, what is asked for so fast. */
async function expectAnswers(shop: Shop): Promise<void> {
  for (const [mode, asked] of Object.entries(ASKED)) {
    const found = await Promise.all(times(asked).map((_, n) => answerOf(shop, asked(n))))
    const some = found.filter(({ items }) => items.length > 0).length
    if (mode === ANSWERED_BY_NOTHING ? some > 0 : some < 50) throw new Error(`${mode}: ${some} of 100 found something`)
  }
  const { items } = await answerOf(shop, { q: 'bras dripperr' })
  if (items.length === 0 || !items.every(({ name }) => /^Brass .* dripper /.test(name)))
    throw new Error(`“bras dripperr” finds ${JSON.stringify(items.slice(0, 3))}`)
}

/** That the plans of the service's sessions go by the indexes of words. */
async function expectIndexes(shop: Shop): Promise<void> {
  const pool = openPool({
    connectionString: shop.stack.ownerUrl,
    max: 1,
    applicationName: 'bench',
    onError: () => undefined,
    settings: SESSION_SETTINGS,
  })
  try {
    for (const [mode, asked] of Object.entries(ASKED)) {
      for (let n = 0; n < 16; n++) {
        const [plan = ''] = await plansOf(pool, (explained) => findProducts(explained, ListQuery.parse(asked(n))))
        if (/Seq Scan/.test(plan) || ('q' in asked(n) && !/Bitmap Index Scan on products_search_idx/.test(plan)))
          throw new Error(`the plan of ${mode} does not go by the index:\n${plan}`)
      }
    }
  } finally {
    await pool.end()
  }
}

async function scansOf(owner: pg.Pool): Promise<string | undefined> {
  const { rows } = await owner.query<{ seq_scan: string }>(
    `select seq_scan from pg_stat_user_tables where schemaname = 'products' and relname = 'products'`,
  )
  return rows[0]?.seq_scan
}
