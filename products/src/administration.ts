import type pg from 'pg'
import { z } from 'zod'
import { ifMatch } from '@shop/platform/conditional'
import { cursors, LAST_ID, page, type Page } from '@shop/platform/cursors'
import { err, ok, type Result } from '@shop/platform/result'
import { Id } from '@shop/platform/schemas'
import { firstWhere, PRODUCT_COLUMNS, withinOne, type ProductRow } from './catalogue'
import type { AllProductsQuery } from './schemas'

/** Any product there is, whoever asks for it. */
export async function findAnyProduct(pool: pg.Pool, id: string): Promise<ProductRow | undefined> {
  const { rows } = await pool.query<ProductRow>({
    name: 'find-any-product',
    text: `select ${PRODUCT_COLUMNS} from products.products p join products.inventory i on i.product_id = p.id where p.id = $1`,
    values: [id],
  })
  return rows[0]
}

/** A page of all products, newest first. The status is named, so that the indexes fit that have only one. */
export async function listAllProducts(
  pool: pg.Pool,
  { sellerId, status, limit, cursor }: AllProductsQuery,
): Promise<Page<ProductRow>> {
  const { encode, decode } = cursors(['all products', sellerId, status], z.tuple([Id]))
  const values: unknown[] = [decode(cursor)?.[0] ?? LAST_ID, limit + 1]
  const seller = sellerId === undefined ? undefined : withinOne('p.seller_id', `$${values.push(sellerId)}`)
  const where = seller ? [seller.condition, seller.before('$1')] : ['p.id < $1']
  if (status !== undefined) where.push(`p.status = '${status}'`)
  const { rows } = await pool.query<ProductRow>({
    name: `list-all-products ${sellerId === undefined ? '' : 'seller '}${status ?? ''}`,
    text: firstWhere(where.join(' and '), seller?.order ?? 'p.id desc', '$2'),
    values,
  })
  return page(
    rows,
    limit,
    (row) => row,
    (last) => encode([last.id]),
  )
}

type Refusal = { code: 'product-not-found' | 'precondition-required' | 'precondition-failed' }

/**
 * Disables a product for its seller, too, or takes that back: then it is as its seller left it. Of the version that `match`
 * names, as every edit; what changes nothing makes no new version.
 */
export async function disableProduct(
  pool: pg.Pool,
  { id, match, status }: { id: string; match: string | undefined; status: 'ACTIVE' | 'DISABLED' },
): Promise<Result<ProductRow, Refusal>> {
  const product = await findAnyProduct(pool, id)
  if (!product) return err({ code: 'product-not-found' })
  const precondition = ifMatch(match, product.version)
  if (precondition === 'missing') return err({ code: 'precondition-required' })
  if (precondition === 'stale') return err({ code: 'precondition-failed' })
  const { rows } = await pool.query<ProductRow>({
    name: 'disable-product',
    text: `update products.products p
              set status = case when $3 then 'DISABLED' else p.seller_status end,
                  seller_status = case when $3 then p.status end,
                  version = p.version + 1, updated_at = now()
             from products.inventory i
            where i.product_id = p.id and p.id = $1 and ($2::int is null or p.version = $2) and (p.seller_status is null) = $3
           returning ${PRODUCT_COLUMNS}`,
    values: [id, match === '*' ? null : product.version, status === 'DISABLED'],
  })
  if (rows[0]) return ok(rows[0])
  // Nothing to change, or another edit was faster.
  const now = await findAnyProduct(pool, id)
  return now && (now.version === product.version || match === '*') ? ok(now) : err({ code: 'precondition-failed' })
}
