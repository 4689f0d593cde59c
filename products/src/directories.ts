import pg from 'pg'
import { uuidv7 } from 'uuidv7'
import { z } from 'zod'
import { ifMatch } from '@shop/platform/conditional'
import { cursors, LAST_ID, page, type Page } from '@shop/platform/cursors'
import { SQLSTATE } from '@shop/platform/postgres'
import { err, ok, type Result } from '@shop/platform/result'
import { Id } from '@shop/platform/schemas'
import type { DIRECTORIES, Kind } from './receiving-schemas'

// A seller's warehouses and a seller's suppliers: two tables of one shape, `products.<kind>s`.

export type Entry = {
  id: string
  name: string
  status: 'ACTIVE' | 'DISABLED'
  version: number
  createdAt: Date
  updatedAt: Date
}

const ENTRY_COLUMNS = `id, name, status, version, created_at as "createdAt", updated_at as "updatedAt"`

/** Names differ by more than case; those of disabled ones stay taken. */
export async function addEntry<K extends Kind>(
  tx: pg.PoolClient,
  kind: K,
  { id = uuidv7(), sellerId, name }: { id?: string; sellerId: string; name: string },
): Promise<Result<Entry, { code: `${K}-name-taken` }>> {
  const { rows } = await tx.query<Entry>({
    name: `add-${kind}`,
    text: `insert into products.${kind}s (id, seller_id, name) values ($1, $2, $3)
           on conflict do nothing returning ${ENTRY_COLUMNS}`,
    values: [id, sellerId, name],
  })
  return rows[0] ? ok(rows[0]) : err({ code: `${kind}-name-taken` })
}

/** One of the seller's own: what others keep is not there at all. */
export async function findEntry<K extends Kind>(
  pool: pg.Pool,
  kind: K,
  id: string,
  sellerId: string,
): Promise<Result<Entry, { code: `${K}-not-found` }>> {
  const { rows } = await pool.query<Entry>({
    name: `find-${kind}`,
    text: `select ${ENTRY_COLUMNS} from products.${kind}s where seller_id = $1 and id = $2`,
    values: [sellerId, id],
  })
  return rows[0] ? ok(rows[0]) : err({ code: `${kind}-not-found` })
}

/** Newest first, disabled ones too. */
export async function listEntries(
  pool: pg.Pool,
  kind: Kind,
  { sellerId, limit, cursor }: { sellerId: string; limit: number; cursor?: string | undefined },
): Promise<Page<Entry>> {
  const { encode, decode } = cursors([kind, sellerId], z.tuple([Id]))
  const { rows } = await pool.query<Entry>({
    name: `list-${kind}s`,
    text: `select ${ENTRY_COLUMNS} from products.${kind}s where seller_id = $1 and id < $2 order by id desc limit $3`,
    values: [sellerId, decode(cursor)?.[0] ?? LAST_ID, limit + 1],
  })
  return page(
    rows,
    limit,
    (row) => row,
    (last) => encode([last.id]),
  )
}

type EditRefusal<K extends Kind> = {
  code: `${K}-not-found` | 'precondition-required' | 'precondition-failed' | `${K}-name-taken`
}

/** As a product's edit: only of the version that `match` names, and no new version for changes that change nothing. */
export async function editEntry<K extends Kind>(
  pool: pg.Pool,
  kind: K,
  edit: {
    id: string
    sellerId: string
    match: string | undefined
    changes: z.output<(typeof DIRECTORIES)[Kind]['Changes']>
  },
): Promise<Result<Entry, EditRefusal<K>>> {
  const { id, sellerId, match, changes } = edit
  const found = await findEntry(pool, kind, id, sellerId)
  if (!found.ok) return found
  const entry = found.value
  const precondition = ifMatch(match, entry.version)
  if (precondition === 'missing') return err({ code: 'precondition-required' })
  if (precondition === 'stale') return err({ code: 'precondition-failed' })
  const { name = entry.name, status = entry.status } = changes
  if (name === entry.name && status === entry.status) return found
  try {
    const { rows } = await pool.query<Entry>({
      name: `edit-${kind}`,
      text: `update products.${kind}s
                set name = coalesce($4, name), status = coalesce($5, status), version = version + 1, updated_at = now()
              where id = $1 and seller_id = $2 and ($3::int is null or version = $3)
             returning ${ENTRY_COLUMNS}`,
      values: [id, sellerId, match === '*' ? null : entry.version, changes.name, changes.status],
    })
    return rows[0] ? ok(rows[0]) : err({ code: 'precondition-failed' })
  } catch (error) {
    if (isNameTaken(error, kind)) return err({ code: `${kind}-name-taken` })
    throw error
  }
}

const isNameTaken = (error: unknown, kind: Kind): boolean =>
  error instanceof pg.DatabaseError &&
  error.code === SQLSTATE.uniqueViolation &&
  error.constraint === `${kind}s_name_key`

/** Whether the seller has it and it is active; if so it stays that until the transaction ends. */
export async function holdActive(tx: pg.PoolClient, kind: Kind, id: string, sellerId: string): Promise<boolean> {
  const { rowCount } = await tx.query({
    name: `hold-${kind}`,
    text: `select from products.${kind}s where seller_id = $1 and id = $2 and status = 'ACTIVE' for share`,
    values: [sellerId, id],
  })
  return rowCount === 1
}
