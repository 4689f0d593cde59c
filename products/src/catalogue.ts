import type pg from 'pg'
import { z } from 'zod'
import { cursors, LAST_ID, page, type Page } from '@shop/platform/cursors'
import { err, ok, type Result } from '@shop/platform/result'
import { Id } from '@shop/platform/schemas'
import { MAX_PAGE, type OwnQuery, type Product } from './schemas'

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
  /** As Postgres writes them in UTC, the zone of our sessions: as dates they would be parsed only to be written again. */
  createdAt: string
  updatedAt: string
  available: number
}

/** The columns of `products.products p` and `products.inventory i` that make a ProductRow. */
export const PRODUCT_COLUMNS = `p.id, p.seller_id as "sellerId", p.name, p.description, p.price_cents as "priceCents", p.category,
  to_json(p.image_urls) as "imageUrls", p.status, p.seller_status as "sellerStatus", p.version, p.created_at::text as "createdAt",
  p.updated_at::text as "updatedAt", i.available`

/** Has `available` of a product `p`. The limit keeps it one look-up a product, whatever plan would be thought better. */
export const STOCK = 'cross join lateral (select available from products.inventory where product_id = p.id limit 1) i'

/** Rows of the longest page, and one more. A limit that is known when a plan is made keeps it one for a page, not for a part of the table. */
export const MOST = MAX_PAGE + 1

export const FIRST_ID = '00000000-0000-7000-8000-000000000000'
/**
 * Of one seller, or one category, the newest first. Said in a way that only the index which begins with that column has: told of an
 * equality, Postgres may as well follow another index, past the products of everybody else.
 */
export const withinOne = (column: string, value: string) => ({
  condition: `(${column}, p.id) > (${value}, '${FIRST_ID}')`,
  before: (id: string): string => `(${column}, p.id) < (${value}, ${id})`,
  order: `${column} desc, p.id desc`,
})

/** The first products that meet the conditions on `p`, by an order that an index is in. */
export const firstWhere = (conditions: string, order: string, limit: string): string =>
  `select ${PRODUCT_COLUMNS} from (
     select p.* from products.products p where ${conditions} order by ${order} limit ${MOST}
   ) p ${STOCK} order by ${order} limit ${limit}`

/** `2026-11-21 08:30:00.5+00` as RFC 3339 writes it, with milliseconds. */
function timestamp(text: string): string {
  if (!text.endsWith('+00')) throw new Error(`a session is not in UTC: ${text}`)
  return `${text.slice(0, 10)}T${text.slice(11, 19)}.${text.slice(20, -3).padEnd(3, '0')}Z`
}

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
  createdAt: timestamp(row.createdAt),
  updatedAt: timestamp(row.updatedAt),
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

/**
 * Of every session: a plan is made once for a statement and kept, as the statements are made for that, and it goes by indexes however
 * small a table was then. One request is not worth several processes, or a compiler.
 */
export const SESSION_SETTINGS = {
  plan_cache_mode: 'force_generic_plan',
  enable_seqscan: 'off',
  max_parallel_workers_per_gather: '0',
  jit: 'off',
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

/** A seller's own products, disabled ones too, newest first; with `lowStock` the active ones of which no more than that is left. */
export async function listOwnProducts(
  pool: pg.Pool,
  sellerId: string,
  { lowStock, limit, cursor }: OwnQuery,
): Promise<Page<ProductRow>> {
  const { encode, decode } = cursors(['own products', sellerId, lowStock], z.tuple([Id]))
  const own = withinOne('p.seller_id', '$1')
  const conditions = `${own.condition} and ${own.before('$2')}`
  const low = `p.status = 'ACTIVE' and (select i.available from products.inventory i where i.product_id = p.id) <= $4`
  const { rows } = await pool.query<ProductRow>({
    name: lowStock === undefined ? 'list-own-products' : 'list-own-products-low',
    text: firstWhere(lowStock === undefined ? conditions : `${conditions} and ${low}`, own.order, '$3'),
    values: [sellerId, decode(cursor)?.[0] ?? LAST_ID, limit + 1, ...(lowStock === undefined ? [] : [lowStock])],
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
