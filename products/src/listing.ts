import type pg from 'pg'
import { z } from 'zod'
import { cursors, LAST_ID, page, type Page } from '@shop/platform/cursors'
import { Cents, Id, text } from '@shop/platform/schemas'
import { FIRST_ID, firstWhere, MOST, PRODUCT_COLUMNS, STOCK, withinOne, type ProductRow } from './catalogue'
import { MAX_PRICE_CENTS, type ListQuery } from './schemas'

// Pages of the catalogue as prepared statements: a plan is made once, for any values, so what a statement reads is bounded by how it
// is written and not by a guess at how much there is.

type Asked = Omit<ListQuery, 'q' | 'sort' | 'limit' | 'cursor'>
type Part = z.ZodType<string | number>
type Key = readonly (string | number)[]

type Path = { columns: readonly string[]; direction: 'asc' | 'desc' }
/** An order that an index is in: from any place on, products can be read in it without sorting. */
export type Order = Path & {
  /** The place before the first product: a value for each column. */
  start: Key
  /** The place of a product, and what its values have to be. */
  placeOf: (row: ProductRow) => Key
  parts: readonly Part[]
}

const byPrice = {
  columns: ['p.price_cents', 'p.id'],
  placeOf: (row: ProductRow) => [row.priceCents, row.id],
  parts: [Cents.max(MAX_PRICE_CENTS), Id],
}
export const ORDERS = {
  newest: {
    columns: ['p.id'],
    direction: 'desc',
    start: [LAST_ID],
    placeOf: (row) => [row.id],
    parts: [Id],
  },
  price: { ...byPrice, direction: 'asc', start: [-1, LAST_ID] },
  '-price': { ...byPrice, direction: 'desc', start: [MAX_PRICE_CENTS + 1, FIRST_ID] },
  // By code point, so that a cursor means the same on every machine.
  name: {
    columns: ['p.name collate "C"', 'p.id'],
    direction: 'asc',
    start: ['', LAST_ID],
    placeOf: (row) => [row.name, row.id],
    parts: [text(1, 200), Id],
  },
} satisfies Record<string, Order>

export const keyOf = (parts: readonly Part[]): z.ZodType<Key> =>
  z
    .array(z.union([z.string(), z.number()]))
    .refine((key) => key.length === parts.length && parts.every((part, i) => part.safeParse(key[i]).success))

/** The values of a statement, and how they are named in it. */
export function parameters() {
  const values: unknown[] = []
  return { values, take: (value: unknown): string => `$${values.push(value)}` }
}

export const all = (...conditions: (string | readonly string[])[]): string => conditions.flat().join(' and ')
/** What to order by. */
export const by = ({ columns, direction }: Path): string => columns.map((column) => `${column} ${direction}`).join(', ')
export const after = ({ columns, direction }: Path, place: string): string =>
  `(${columns.join(', ')}) ${direction === 'asc' ? '>' : '<'} (${place})`

/** Conditions on `products p`. */
export type Filters = {
  /** What is asked for: lists of one name are made alike. */
  name: string
  /** The order to follow: the one asked for, or the same within one seller or category, and a place in it. */
  path: Path
  at: (place: readonly string[]) => string
  /** The conditions that are met on the path, those that are left to be checked of each product, and all of them. */
  onPath: readonly string[]
  checked: readonly string[]
  every: readonly string[]
  /** Whether there has to be stock of it. */
  inStock?: string
}

const ACTIVE = `p.status = 'ACTIVE'`

export function filtersOf(asked: Asked, order: Order, take: (value: unknown) => string): Filters {
  const { category, sellerId, minPriceCents, maxPriceCents, inStock } = asked
  const names: string[] = []
  const [onPath, checked, every] = [[ACTIVE], [] as string[], [ACTIVE]]
  const within: { column: string; value: string }[] = []
  const one = (name: string, column: string, given: string | undefined) => {
    if (given === undefined) return
    const value = take(given)
    names.push(name)
    every.push(`${column} = ${value}`)
    if (order === ORDERS.newest && within.length === 0) {
      within.push({ column, value })
      onPath.push(withinOne(column, value).condition)
    } else checked.push(`${column} = ${value}`)
  }
  one('seller', 'p.seller_id', sellerId)
  one('category', 'p.category', category)
  if (minPriceCents !== undefined || maxPriceCents !== undefined) {
    const range = `p.price_cents between ${take(minPriceCents ?? 0)} and ${take(maxPriceCents ?? MAX_PRICE_CENTS)}`
    names.push('price')
    every.push(range)
    const conditions = order.columns.includes('p.price_cents') ? onPath : checked
    conditions.push(range)
  }
  const path = { ...order, columns: [...within.map(({ column }) => column), ...order.columns] }
  const at = (place: readonly string[]) => [...within.map(({ value }) => value), ...place].join(', ')
  if (inStock === undefined) return { name: names.join(' '), path, at, onPath, checked, every }
  return { name: [...names, 'stock'].join(' '), path, at, onPath, checked, every, inStock: take(inStock) }
}
/** Asked of one product after the other. */
export const stocked = ({ inStock }: Filters): string[] =>
  inStock ? [`(select i.available > 0 from products.inventory i where i.product_id = p.id) = ${inStock}`] : []

/** What orders and conditions are about: less than all, for the sake of the size of plans. */
export const SIFTED = 'p.id, p.seller_id, p.name, p.price_cents, p.category, p.search'
/** The products of a page of ids. */
export const PAGE_PRODUCTS = `cross join lateral (select * from products.products where id = page.id limit 1) p ${STOCK}`

/** How many products a path is followed for, in search of those that the filters let through. */
const STEPS = 2000

/**
 * A query for the ids of the first `missing` products after a place that pass all filters. Those near are found by some steps along
 * the path. When that is too few, the filters let so little through that finding the rest by their own indexes, and sorting it, is
 * quick: `byIndex` are the ways to. `walk` tells whether any step is worth while.
 */
export function findOnPath(
  filters: Filters,
  wanted: { place: string; missing: string; walk?: string; byIndex?: readonly (readonly string[])[] },
): string {
  const { path, onPath, checked, every, inStock } = filters
  const { place, missing, walk = 'true', byIndex = [[]] } = wanted
  const steps = `products.products p where ${all(onPath, after(path, place))} order by ${by(path)}`
  const lastStep = `select ${path.columns.join(', ')} from ${steps} offset ${STEPS - 1} limit 1`
  const far = byIndex.map(
    (conditions) => `(
          select ${SIFTED} from products.products p ${inStock ? 'join products.inventory i on i.product_id = p.id' : ''}
           where ${all(every, conditions, inStock ? `(i.available > 0) = ${inStock}` : [])}
             and (select count(*) from near) < ${missing}
             and case when ${walk} then ${after(path, lastStep)} else ${after(path, place)} end
          offset 0 -- not to be pulled up, or the path might be followed to the end
        )`,
  )
  return `with near as materialized (
        select p.id from (select ${SIFTED} from ${steps} limit case when ${walk} then ${STEPS} else 0 end) p
         where ${all('true', checked, stocked(filters))}
         order by ${by(path)} limit ${missing}
      ), far as materialized (
        select p.id from (${far.join(' union all ')}) p order by ${by(path)} limit ${missing}
      )
      select id from near union all select id from far limit ${2 * MOST}`
}

/** A page of active products in an order that an index is in. */
export async function listProducts(
  pool: pg.Pool,
  {
    limit,
    cursor,
    sort = 'newest',
    ...asked
  }: Asked & Pick<ListQuery, 'limit' | 'cursor'> & { sort?: keyof typeof ORDERS | undefined },
): Promise<Page<ProductRow>> {
  const order: Order = ORDERS[sort]
  const { values, take } = parameters()
  const filters = filtersOf(asked, order, take)
  const { encode, decode } = cursors(['products', sort, asked], keyOf(order.parts))
  const place = filters.at((decode(cursor) ?? order.start).map(take))
  const missing = take(limit + 1)
  const { path, onPath, checked, inStock } = filters
  const { rows } = await pool.query<ProductRow>({
    name: `list ${sort} ${filters.name}`,
    text:
      checked.length === 0 && inStock === undefined
        ? firstWhere(all(onPath, after(path, place)), by(path), missing)
        : `select ${PRODUCT_COLUMNS} from (${findOnPath(filters, { place, missing })}) page ${PAGE_PRODUCTS}
            order by ${by(path)} limit ${missing}`,
    values,
  })
  return page(
    rows,
    limit,
    (row) => row,
    (last) => encode(order.placeOf(last)),
  )
}
