import type pg from 'pg'
import { z } from 'zod'
import { cursors, page, type Page } from '@shop/platform/cursors'
import { MOST, PRODUCT_COLUMNS, type ProductRow } from './catalogue'
import {
  after,
  all,
  filtersOf,
  findOnPath,
  keyOf,
  listProducts,
  by,
  ORDERS,
  PAGE_PRODUCTS,
  parameters,
  SIFTED,
  stocked,
  type Order,
} from './listing'
import type { ListQuery } from './schemas'

/** A page of active products. */
export const findProducts = (pool: pg.Pool, { q, sort, ...query }: ListQuery): Promise<Page<ProductRow>> =>
  q === undefined
    ? listProducts(pool, { ...query, sort: sort === 'relevance' ? undefined : sort })
    : searchProducts(pool, { ...query, q, sort })

// There are three ways to a page, and what is sought decides which is quick. If so many of so many products at the beginning of the
// order have it, the order is followed. If it is few products at all, they are read and sorted. Else the index is asked, rank by rank.
const [SAMPLE, DENSE] = [500, 6]
const FEW = 1000

/**
 * How well a product fits, the best first: all words are whole ones of its name; all begin ones of its name; all begin ones of its
 * name or description, and one of them its name's; all begin ones of its description. Each product has one rank. `in_name` is what
 * the name's index has of a rank.
 */
const RANKS = `values
  (4, whole_in_name, whole),
  (3, every_in_name && !!whole_in_name, telling),
  (2, every && any_in_name && !!every_in_name, any_word),
  (1, every && !!(every_in_name || any_in_name), null)`
/** In another order all are of one. */
const RANK = 'values (1, every, null::tsquery)'
const Rank = z.int().min(1).max(4)
const Loosely = z.int().min(0).max(1)

/**
 * Common table expressions that end with the queries sought: for the words as they are spelt or, when no product has all of them, loosely
 * for those that they resemble, too. `loose` is which of it the pages before were, or null.
 */
const queriesOf = (words: string, loose: string) => `asked as materialized (
      select words, products.search_query(words, '*', '&') as every,
             products.search_query(products.telling(words), '*', '&') as telling
        from products.words_of(${words}) words
    ), spelling as materialized (
      select words, coalesce(${loose}::boolean,
               exists (select from unnest(words) word where products.is_word(word))
               and not exists (select from (select p.search from products.products p where p.status = 'ACTIVE'
                                             order by p.id desc limit ${SAMPLE}) p where p.search @@ asked.every)
               and not exists (select from products.products p
                                where p.status = 'ACTIVE' and p.search @@ asked.telling and (p.search @@ asked.every) is true)
             ) as loose
        from asked
    ), spelt as materialized (
      select loose, case when loose then nullif(products.similar_groups(words), words) else words end as groups from spelling
    ), sought as materialized (
      select loose, products.search_query(groups, '*', '&') as every,
             products.search_query(products.telling(groups), '*', '&') as telling,
             products.search_query(products.telling(groups), '*', '|') as any_word,
             products.search_query(products.telling(groups), '*A', '|') as any_in_name,
             products.search_query(groups, '', '&') as whole,
             products.search_query(groups, 'A', '&') as whole_in_name,
             products.search_query(groups, '*A', '&') as every_in_name
        from spelt
    )`
const everyWord = 'p.search @@ (select every from sought)'
const tellingWords = 'p.search @@ (select telling from sought)'
/** Hides a condition from the indexes. */
const unindexed = (condition: string) => `(${condition}) is true`

/** A page of the active products that have all words of `q`. */
async function searchProducts(
  pool: pg.Pool,
  { q, limit, cursor, sort = 'relevance', ...asked }: ListQuery & { q: string },
): Promise<Page<ProductRow>> {
  const ranked = sort === 'relevance'
  const order: Order = ORDERS[ranked ? 'newest' : sort]
  const { values, take } = parameters()
  const filters = filtersOf(asked, order, take)
  const { path, onPath, checked, every } = filters
  const { encode, decode } = cursors(['search', q, sort, asked], keyOf([Loosely, Rank, ...order.parts]))
  const [loosely = null, from = ranked ? 4 : 1, ...place] = decode(cursor) ?? []
  const [words, loose, rank, missing] = [q, loosely === null ? null : loosely === 1, from, limit + 1].map(take)
  const start = order.start.map(take)
  const at = (place.length > 0 ? place : order.start).map(take)

  const fits = 'p.search @@ ranks.fits'
  const found = findOnPath(
    { ...filters, checked: [...checked, fits] },
    {
      // Better ranks are over; of worse ones nothing has been seen.
      place: filters.at(at.map((value, i) => `case when ranks.rank < ${rank} then ${start[i]} else ${value} end`)),
      missing: String(missing),
      walk: '(select yes from common)',
      byIndex: [
        [tellingWords, unindexed(fits), 'ranks.in_name is null'],
        ...(ranked ? [[`ts_filter(p.search, '{a}') @@ ranks.in_name`, unindexed(fits)]] : []),
      ],
    },
  )
  const { rows } = await pool.query<ProductRow & { rank: number; loose: boolean }>({
    name: `search ${sort} ${filters.name}`,
    text: `with ${queriesOf(String(words), String(loose))}, ranks as materialized (
      select ranks.* from sought, lateral (${ranked ? RANKS : RANK}) ranks (rank, fits, in_name)
    ), common as materialized (
      select count(*) >= ${DENSE} as yes
        from (select ${SIFTED} from products.products p where ${all(onPath)} order by ${by(path)} limit ${SAMPLE}) p
       where ${all(checked, everyWord)}
    ), hits as materialized (
      select p.id, p.price_cents, p.name, p.search from products.products p
       where ${all(every, stocked(filters), tellingWords, unindexed(everyWord), 'not (select yes from common)')}
       limit ${FEW + 1}
    ), few as materialized (
      select not (select yes from common) and count(*) <= ${FEW} as yes from hits
    ), of_few as materialized (
      select ranks.rank, p.id from hits p join ranks on ${fits}
       where (select yes from few) and (ranks.rank < ${rank} or ranks.rank = ${rank} and ${after(order, at.join(', '))})
       order by ranks.rank desc, ${by(order)} limit ${missing}
    ), of_many as materialized (
      select ranks.rank, found.id from (select * from ranks order by rank desc) ranks, lateral (${found}) found
       where not (select yes from few) and ranks.rank <= ${rank}
       order by ranks.rank desc limit ${missing}
    )
    select ${PRODUCT_COLUMNS}, page.rank, (select loose from sought) as loose
      from (select rank, id from of_few union all select rank, id from of_many limit ${MOST}) page
      ${PAGE_PRODUCTS}
     order by page.rank desc, ${by(order)}`,
    values,
  })
  return page(
    rows,
    limit,
    (row) => row,
    (row) => encode([row.loose ? 1 : 0, row.rank, ...order.placeOf(row)]),
  )
}
