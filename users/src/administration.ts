import type pg from 'pg'
import { z } from 'zod'
import { ifMatch } from '@shop/platform/conditional'
import { cursors, LAST_ID, page, type Page } from '@shop/platform/cursors'
import { inTransaction } from '@shop/platform/postgres'
import { err, ok, type Result } from '@shop/platform/result'
import { Id } from '@shop/platform/schemas'
import { revokeAll } from './refresh-tokens'
import type { Account, AccountQuery } from './schemas'

type AccountView = z.input<typeof Account>
export type AccountRow = Omit<AccountView, 'createdAt'> & { createdAt: Date; version: number }

const ACCOUNT_COLUMNS = `id, username, email, role, display_name as "displayName", status, created_at as "createdAt", version`

export const accountView = ({ createdAt, ...row }: AccountRow): AccountView => ({
  ...row,
  createdAt: createdAt.toISOString(),
})

/** Sorts after every character of a username. */
const AFTER_NAMES = '~'

/** A page of accounts, newest first; those whose username begins with something by username. */
export async function listAccounts(
  pool: pg.Pool,
  { role, status, usernamePrefix, limit, cursor }: AccountQuery,
): Promise<Page<AccountView>> {
  const byName = usernamePrefix !== undefined
  const { encode, decode } = cursors(
    ['accounts', role, status, usernamePrefix],
    byName ? z.tuple([z.string()]) : z.tuple([Id]),
  )
  const after = decode(cursor)?.[0]
  const values: unknown[] = []
  const parameter = (value: unknown) => `$${values.push(value)}`
  const name = 'username collate "C"'
  const where = byName
    ? [
        `${name} >= ${parameter(usernamePrefix)} and ${name} < ${parameter(usernamePrefix + AFTER_NAMES)}`,
        `${name} > ${parameter(after ?? '')}`,
      ]
    : [`id < ${parameter(after ?? LAST_ID)}`]
  if (role !== undefined) where.push(`role = ${parameter(role)}`)
  if (status !== undefined) where.push(`status = '${status}'`) // named, so that the index of what is disabled fits
  const { rows } = await pool.query<AccountRow>(
    `select ${ACCOUNT_COLUMNS} from users.users where ${where.join(' and ')}
      order by ${byName ? name : 'id desc'} limit ${parameter(limit + 1)}`,
    values,
  )
  return page(rows, limit, accountView, (last) => encode([byName ? last.username : last.id]))
}

export async function findAccount(pool: pg.Pool, id: string): Promise<AccountRow | undefined> {
  const { rows } = await pool.query<AccountRow>({
    name: 'find-account',
    text: `select ${ACCOUNT_COLUMNS} from users.users where id = $1`,
    values: [id],
  })
  return rows[0]
}

type StatusRefusal = { code: 'admin-gone' | 'user-not-found' | 'precondition-failed' | 'own-account' }

/**
 * Disables an account, which ends its logins in the same transaction, or enables it. Both rows are locked, so that of two admins
 * who disable each other one stays, and who was disabled meanwhile does nothing with the rest of an access token's life.
 */
export const changeStatus = (
  pool: pg.Pool,
  change: { id: string; adminId: string; status: 'ACTIVE' | 'DISABLED'; ifMatchHeader: string | undefined },
): Promise<Result<AccountRow, StatusRefusal>> =>
  inTransaction<AccountRow, StatusRefusal>(pool, async (tx) => {
    const { id, adminId, status } = change
    const { rows } = await tx.query<AccountRow>({
      name: 'lock-accounts',
      text: `select ${ACCOUNT_COLUMNS} from users.users where id = any ($1) order by id for no key update`,
      values: [[id, adminId]],
    })
    const admin = rows.find((row) => row.id === adminId)
    if (admin?.role !== 'ADMIN' || admin.status !== 'ACTIVE') return err({ code: 'admin-gone' })
    const account = rows.find((row) => row.id === id)
    if (!account) return err({ code: 'user-not-found' })
    if (ifMatch(change.ifMatchHeader, account.version) === 'stale') return err({ code: 'precondition-failed' })
    if (id === adminId) return err({ code: 'own-account' })
    if (account.status === status) return ok(account)
    const changed = await tx.query<AccountRow>({
      name: 'change-status',
      text: `update users.users set status = $2, version = version + 1, updated_at = now() where id = $1
             returning ${ACCOUNT_COLUMNS}`,
      values: [id, status],
    })
    if (status === 'DISABLED') await revokeAll(tx, id)
    return ok(changed.rows[0] ?? account)
  })
