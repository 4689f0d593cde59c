import type pg from 'pg'
import { uuidv7 } from 'uuidv7'
import { z } from 'zod'
import { cursors, LAST_ID, page, type Page } from '@shop/platform/cursors'
import { err, ok, type Result } from '@shop/platform/result'
import { Id } from '@shop/platform/schemas'
import { findOwnProduct, type OwnershipRefusal } from './catalogue'
import { holdActive } from './directories'
import type { Kind, NewReceipt, Receipt } from './receiving-schemas'
import { moveStock } from './stock'

type ReceiptView = z.input<typeof Receipt>
type ReceiptRow = Omit<ReceiptView, 'createdAt'> & { createdAt: Date }

// Days as text: the driver would make of them a moment in the time zone of this process.
const RECEIPT_COLUMNS = `id, product_id as "productId", warehouse_id as "warehouseId", supplier_id as "supplierId", quantity,
  batch_number as "batchNumber", to_char(manufactured_on, 'YYYY-MM-DD') as "manufacturedOn",
  to_char(expires_on, 'YYYY-MM-DD') as "expiresOn", unit_cost_cents as "unitCostCents", movement_id as "movementId",
  created_at as "createdAt"`
const receiptView = (row: ReceiptRow): ReceiptView => ({ ...row, createdAt: row.createdAt.toISOString() })

type ReceiptRefusal =
  OwnershipRefusal | { code: `${Kind}-unavailable` } | { code: 'stock-limit-exceeded'; available: number }

/**
 * Takes units of an own product into an own warehouse: the stock, its line in the ledger, and the receipt. Warehouse and
 * supplier are held first, the stock last: orders wait for nothing but the stock.
 */
export async function receive(
  tx: pg.PoolClient,
  received: NewReceipt & { productId: string; callerId: string },
): Promise<Result<{ receipt: ReceiptView; available: number }, ReceiptRefusal>> {
  const { productId, callerId, warehouseId, supplierId, quantity } = received
  const product = await findOwnProduct(tx, productId, callerId)
  if (!product.ok) return product
  if (!(await holdActive(tx, 'warehouse', warehouseId, callerId))) return err({ code: 'warehouse-unavailable' })
  if (supplierId !== null && !(await holdActive(tx, 'supplier', supplierId, callerId)))
    return err({ code: 'supplier-unavailable' })
  const moved = await moveStock(tx, { productId, callerId, delta: quantity, reason: 'RECEIVED', note: null })
  if (!moved.ok) return err({ ...moved.error, code: 'stock-limit-exceeded' })
  const { movement, available } = moved.value
  const { rows } = await tx.query<ReceiptRow>({
    name: 'add-receipt',
    text: `insert into products.receipts (id, product_id, seller_id, warehouse_id, supplier_id, quantity, batch_number,
                                          manufactured_on, expires_on, unit_cost_cents, movement_id)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) returning ${RECEIPT_COLUMNS}`,
    values: [
      uuidv7(),
      productId,
      callerId,
      warehouseId,
      supplierId,
      quantity,
      received.batchNumber,
      received.manufacturedOn,
      received.expiresOn,
      received.unitCostCents,
      movement.id,
    ],
  })
  const [row] = rows
  if (!row) throw new Error('a receipt was not kept')
  return ok({ receipt: receiptView(row), available })
}

/** The receipts of a product, a warehouse or a supplier, newest first, if `owned` finds it to be the caller's. */
export async function listReceipts<E>(
  pool: pg.Pool,
  of: 'product' | Kind,
  { id, limit, cursor }: { id: string; limit: number; cursor?: string | undefined },
  owned: () => Promise<Result<unknown, E>>,
): Promise<Result<Page<ReceiptView>, E>> {
  const { encode, decode } = cursors(['receipts', of, id], z.tuple([Id]))
  const after = decode(cursor)?.[0] ?? LAST_ID
  const found = await owned()
  if (!found.ok) return found
  const { rows } = await pool.query<ReceiptRow>({
    name: `list-receipts-of-${of}`,
    text: `select ${RECEIPT_COLUMNS} from products.receipts where ${of}_id = $1 and id < $2 order by id desc limit $3`,
    values: [id, after, limit + 1],
  })
  return ok(page(rows, limit, receiptView, (last) => encode([last.id])))
}
