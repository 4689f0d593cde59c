import { isDeepStrictEqual } from 'node:util'
import type pg from 'pg'
import { uuidv7 } from 'uuidv7'
import type { z } from 'zod'
import { ifMatch } from '@shop/platform/conditional'
import { err, ok, type Result } from '@shop/platform/result'
import { findOwnProduct, PRODUCT_COLUMNS, type OwnershipRefusal, type ProductRow } from './catalogue'
import type { NewProduct, ProductChanges } from './schemas'

/**
 * Adds a product, its stock and, when it begins with any, the movement that says so: one statement, so all or nothing.
 * Undefined, and nothing done, when there is a product of this id.
 */
export async function addProduct(
  tx: pg.PoolClient,
  product: z.output<typeof NewProduct> & { id: string; sellerId: string },
): Promise<ProductRow | undefined> {
  const { id, sellerId, name, description, priceCents, category, imageUrls, stock } = product
  const { rows } = await tx.query<ProductRow>({
    name: 'add-product',
    text: `
      with p as (
        insert into products.products (id, seller_id, name, description, price_cents, category, image_urls)
        values ($1, $2, $3, $4, $5, $6, $9)
        on conflict (id) do nothing
        returning id, seller_id, name, description, price_cents, category, image_urls, status, seller_status, version,
                  created_at, updated_at
      ), i as (
        insert into products.inventory (product_id, available) select id, $7::int from p returning available
      ), received as (
        insert into products.stock_movements (id, product_id, delta, reason, actor_id)
        select $8::uuid, id, $7::int, 'RECEIVED', seller_id from p where $7::int > 0
      )
      select ${PRODUCT_COLUMNS} from p, i`,
    values: [id, sellerId, name, description, priceCents, category, stock, uuidv7(), imageUrls],
  })
  return rows[0]
}

type EditRefusal = OwnershipRefusal | { code: 'precondition-required' | 'precondition-failed' | 'disabled-by-admin' }

/**
 * Edits an own product if it still is the version that `match` (the If-Match header) names: of two editors who read the same
 * version one succeeds. Changes that change nothing make no new version. While an admin has it disabled, `status` is what it
 * will return to, and can't be ACTIVE.
 */
export async function editProduct(
  pool: pg.Pool,
  edit: { id: string; callerId: string; match: string | undefined; changes: z.output<typeof ProductChanges> },
): Promise<Result<ProductRow, EditRefusal>> {
  const { id, callerId, match, changes } = edit
  const found = await findOwnProduct(pool, id, callerId)
  if (!found.ok) return found
  const product = found.value
  const precondition = ifMatch(match, product.version)
  if (precondition === 'missing') return err({ code: 'precondition-required' })
  if (precondition === 'stale') return err({ code: 'precondition-failed' })
  const own = { ...product, status: product.sellerStatus ?? product.status }
  if (changes.status === 'ACTIVE' && product.sellerStatus !== null) return err({ code: 'disabled-by-admin' })
  if (!changesAnything(own, changes)) return found

  const { name, description, priceCents, category, imageUrls, status } = changes
  const { rows } = await pool.query<ProductRow>({
    name: 'edit-product',
    text: `update products.products p
              set name = coalesce($3, p.name), description = coalesce($4, p.description),
                  price_cents = coalesce($5, p.price_cents),
                  status = case when p.seller_status is null then coalesce($6, p.status) else p.status end,
                  seller_status = case when p.seller_status is not null then coalesce($6, p.seller_status) end,
                  category = case when $7 then $8 else p.category end, image_urls = coalesce($9, p.image_urls),
                  version = p.version + 1, updated_at = now()
             from products.inventory i
            where i.product_id = p.id and p.id = $1 and ($2::int is null or p.version = $2)
              and ($6::text is distinct from 'ACTIVE' or p.seller_status is null)
           returning ${PRODUCT_COLUMNS}`,
    values: [
      id,
      match === '*' ? null : product.version, // `*` is satisfied by whatever the product is by now
      name,
      description,
      priceCents,
      status,
      category !== undefined,
      category,
      imageUrls,
    ],
  })
  if (rows[0]) return ok(rows[0])
  return err({ code: match === '*' ? 'disabled-by-admin' : 'precondition-failed' }) // an admin or another editor was faster
}

const changesAnything = (product: ProductRow, changes: z.output<typeof ProductChanges>): boolean =>
  Object.entries(changes).some(([field, value]) => !isDeepStrictEqual(product[field as keyof typeof changes], value))
