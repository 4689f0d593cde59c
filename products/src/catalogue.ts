import type pg from 'pg'
import { z } from 'zod'
import { cursors, LAST_ID, page, type Page } from '@shop/platform/cursors'
import { err, ok, type Result } from '@shop/platform/result'
import { Cents, Id, text } from '@shop/platform/schemas'
import { MAX_PRICE_CENTS, type ListQuery, type Product, type SORTS } from './schemas'

/** A product as it is read: `version` counts its edits. */
export type ProductRow = {
  id: string
  sellerId: string
  name: string
  description: string
  priceCents: number
  category: string | null
  imageUrls: string[]
  status: 'ACTIVE' | 'DISABLED'
  /** What its seller gave it, while an admin has it disabled. */
  sellerStatus: 'ACTIVE' | 'DISABLED' | null
  version: number
  createdAt: Date
  updatedAt: Date
  available: number
}

/** The columns of `products.products p` and `products.inventory i` that make a ProductRow. */
export const PRODUCT_COLUMNS = `p.id, p.seller_id as "sellerId", p.name, p.description, p.price_cents as "priceCents", p.category,
  p.image_urls as "imageUrls", p.status, p.seller_status as "sellerStatus", p.version, p.created_at as "createdAt",
  p.updated_at as "updatedAt", i.available`

export const productView = (row: ProductRow, currency: string): z.input<typeof Product> => ({
  id: row.id,
  sellerId: row.sellerId,
  name: row.name,
  description: row.description,
  priceCents: row.priceCents,
  currency,
  category: row.category,
  imageUrls: row.imageUrls,
  status: row.status,
  disabledBy: row.status === 'ACTIVE' ? null : row.sellerStatus ? 'ADMIN' : 'SELLER',
  available: row.available,
  createdAt: row.createdAt.toISOString(),
  updatedAt: row.updatedAt.toISOString(),
})

export const productTag = ({ version, available }: ProductRow): string => `"${version}-${available}"`

/** A product that `callerId` may see: an active one, or an own one. */
export async function findProduct(
  db: pg.Pool | pg.PoolClient,
  id: string,
  callerId: string | undefined,
): Promise<ProductRow | undefined> {
  const { rows } = await db.query<ProductRow>({
    name: 'find-product',
    text: `select ${PRODUCT_COLUMNS} from products.products p join products.inventory i on i.product_id = p.id
            where p.id = $1 and (p.status = 'ACTIVE' or p.seller_id = $2)`,
    values: [id, callerId],
  })
  return rows[0]
}

export type OwnershipRefusal = { code: 'product-not-found' | 'not-owner' }

/** A product of the caller's own; another seller's disabled product is not there at all. */
export async function findOwnProduct(
  db: pg.Pool | pg.PoolClient,
  id: string,
  callerId: string,
): Promise<Result<ProductRow, OwnershipRefusal>> {
  const product = await findProduct(db, id, callerId)
  if (!product) return err({ code: 'product-not-found' })
  return product.sellerId === callerId ? ok(product) : err({ code: 'not-owner' })
}

type Listed = ProductRow & { relevance: number | null }

/** How a sort orders the list. Its columns, ended by the id, are unique: they are the key of its cursors. */
type Sort = {
  columns: readonly string[]
  direction: 'asc' | 'desc'
  key: z.ZodType<readonly (string | number)[]>
  keyOf: (row: Listed) => (string | number)[]
}
const byPrice = {
  columns: ['p.price_cents', 'p.id'],
  key: z.tuple([Cents.max(MAX_PRICE_CENTS), Id]),
  keyOf: (row: Listed) => [row.priceCents, row.id],
}
const sortsOf = (relevance: string): Record<(typeof SORTS)[number], Sort> => ({
  newest: { columns: ['p.id'], direction: 'desc', key: z.tuple([Id]), keyOf: (row) => [row.id] },
  price: { ...byPrice, direction: 'asc' },
  '-price': { ...byPrice, direction: 'desc' },
  // By code point, so that a cursor means the same on every machine.
  name: {
    columns: ['p.name collate "C"', 'p.id'],
    direction: 'asc',
    key: z.tuple([text(1, 200), Id]),
    keyOf: (row) => [row.name, row.id],
  },
  relevance: {
    columns: [relevance, 'p.id'],
    direction: 'desc',
    key: z.tuple([z.number(), Id]),
    keyOf: (row) => [row.relevance ?? 0, row.id],
  },
})

/**
 * A page of active products. The page is cut from the products alone, then completed: a search may match very many. Not a
 * named statement: the plan that fits depends on what is asked for (a rare word, a category of one product or of all).
 */
export async function listProducts(pool: pg.Pool, { limit, cursor, ...asked }: ListQuery): Promise<Page<ProductRow>> {
  const { q, category, sellerId, minPriceCents, maxPriceCents, inStock } = asked
  const sort = asked.sort ?? (q === undefined ? 'newest' : 'relevance')
  const values: unknown[] = []
  const parameter = (value: unknown) => `$${values.push(value)}`
  const where = [`p.status = 'ACTIVE'`]
  let relevance = 'null'
  if (q !== undefined) {
    const query = `products.prefix_query(${parameter(q)})`
    where.push(`p.search @@ ${query}`)
    // As a double it returns from a cursor as the same number.
    if (sort === 'relevance') relevance = `ts_rank(p.search, ${query})::float8`
  }
  if (category !== undefined) where.push(`p.category = ${parameter(category)}`)
  if (sellerId !== undefined) where.push(`p.seller_id = ${parameter(sellerId)}`)
  if (minPriceCents !== undefined) where.push(`p.price_cents >= ${parameter(minPriceCents)}`)
  if (maxPriceCents !== undefined) where.push(`p.price_cents <= ${parameter(maxPriceCents)}`)
  if (inStock !== undefined) where.push(inStock ? 'i.available > 0' : 'i.available = 0')

  const { columns, direction, key, keyOf } = sortsOf(relevance)[sort]
  const { encode, decode } = cursors(
    ['products', sort, q, category, sellerId, minPriceCents, maxPriceCents, inStock],
    key,
  )
  const after = decode(cursor)
  if (after)
    where.push(`(${columns.join(', ')}) ${direction === 'asc' ? '>' : '<'} (${after.map(parameter).join(', ')})`)
  const order = columns.map((column) => `${column} ${direction}`).join(', ')
  const stock = 'join products.inventory i on i.product_id = p.id'
  const { rows } = await pool.query<Listed>(
    `with page as (
       select p.id from products.products p ${inStock === undefined ? '' : stock}
        where ${where.join(' and ')}
        order by ${order} limit ${parameter(limit + 1)}
     )
     select ${PRODUCT_COLUMNS}, ${relevance} as relevance
       from page join products.products p on p.id = page.id ${stock}
      order by ${order}`,
    values,
  )
  return page(
    rows,
    limit,
    (row) => row,
    (last) => encode(keyOf(last)),
  )
}

/** A seller's own products, disabled ones too, newest first. */
export async function listOwnProducts(
  pool: pg.Pool,
  sellerId: string,
  { limit, cursor }: { limit: number; cursor?: string | undefined },
): Promise<Page<ProductRow>> {
  const { encode, decode } = cursors(['own products', sellerId], z.tuple([Id]))
  const { rows } = await pool.query<ProductRow>({
    name: 'list-own-products',
    text: `select ${PRODUCT_COLUMNS} from products.products p join products.inventory i on i.product_id = p.id
            where p.seller_id = $1 and p.id < $2 order by p.id desc limit $3`,
    values: [sellerId, decode(cursor)?.[0] ?? LAST_ID, limit + 1],
  })
  return page(
    rows,
    limit,
    (row) => row,
    (last) => encode([last.id]),
  )
}

/** Anybody may think up a category, so their number is bounded: the most used ones are told. */
const MAX_CATEGORIES = 1000

export async function listCategories(pool: pg.Pool): Promise<{ slug: string; name: string; productCount: number }[]> {
  const { rows } = await pool.query<{ slug: string; productCount: number }>({
    name: 'list-categories',
    text: `select slug, "productCount" from (
             select category as slug, count(*)::int as "productCount" from products.products
              where status = 'ACTIVE' and category is not null
              group by category order by count(*) desc, category collate "C" limit ${MAX_CATEGORIES}) most_used
            order by slug collate "C"`,
  })
  return rows.map((row) => ({ slug: row.slug, name: nameOf(row.slug), productCount: row.productCount }))
}

/** home-office: Home office */
const nameOf = (slug: string) => slug.charAt(0).toUpperCase() + slug.slice(1).replaceAll('-', ' ')
