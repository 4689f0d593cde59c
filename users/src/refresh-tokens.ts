import { createHash, randomBytes } from 'node:crypto'
import type pg from 'pg'
import { uuidv7 } from 'uuidv7'
import { inTransaction } from '@shop/platform/postgres'
import { err, ok, type Result } from '@shop/platform/result'

// Whatever takes tokens away (reuse, revocation, a new password) or gives new ones holds a lock on the user's row first. A
// delete doesn't see rows that are inserted while it waits, so without that a token could be born past its revocation.

const LIFETIME = '30 days'

const newToken = (): string => randomBytes(32).toString('base64url')
/** 256 random bits need no slow hash. */
const digest = (token: string): Buffer => createHash('sha256').update(token).digest()

/**
 * The first token of a login, if the password that was checked is still the user's; undefined if it was changed or the account
 * disabled meanwhile (which revoked all tokens: this one must not come after).
 */
export async function startFamily(
  pool: pg.Pool,
  user: { id: string; passwordHash: string },
): Promise<string | undefined> {
  const token = newToken()
  const { rowCount } = await pool.query({
    name: 'start-token-family',
    text: `insert into users.refresh_tokens (token_hash, family_id, user_id, expires_at)
           select $1, $2, id, now() + $3::interval from users.users
            where id = $4 and password_hash = $5 and status = 'ACTIVE' for share`,
    values: [digest(token), uuidv7(), LIFETIME, user.id, user.passwordHash],
  })
  return rowCount === 1 ? token : undefined
}

export type Rotated = { userId: string; role: string; refreshToken: string }
export type RotationRefusal = { code: 'token-unknown' } | { code: 'token-reused'; userId: string; familyId: string }

/**
 * Uses a token up and answers its successor. One that was used before has been copied, by whom is unknown: its whole family
 * is revoked, which commits although the answer is a refusal. Of two callers with one token exactly one gets a successor,
 * and the other, being a reuse, takes it away.
 */
export async function rotate(pool: pg.Pool, token: string): Promise<Result<Rotated, RotationRefusal>> {
  const hash = digest(token)
  const outcome = await inTransaction<Rotated | Extract<RotationRefusal, { code: 'token-reused' }>, RotationRefusal>(
    pool,
    async (tx) => {
      const owner = await lockOwner(tx, hash)
      const found = owner && (await findToken(tx, hash))
      if (!found) return err({ code: 'token-unknown' })
      if (found.used) {
        await dropFamily(tx, found.familyId)
        return ok({ code: 'token-reused', userId: owner.id, familyId: found.familyId })
      }
      if (found.expired) return err({ code: 'token-unknown' })
      return ok({ userId: owner.id, role: owner.role, refreshToken: await succeed(tx, hash) })
    },
  )
  if (!outcome.ok) return outcome
  return 'code' in outcome.value ? err(outcome.value) : ok(outcome.value)
}

async function lockOwner(tx: pg.ClientBase, hash: Buffer): Promise<{ id: string; role: string } | undefined> {
  const { rows } = await tx.query<{ id: string; role: string }>({
    name: 'lock-token-owner',
    text: `select id, role from users.users
            where id = (select user_id from users.refresh_tokens where token_hash = $1) for no key update`,
    values: [hash],
  })
  return rows[0]
}

/** A statement of its own, so that it sees what was committed before the lock was granted. */
async function findToken(tx: pg.ClientBase, hash: Buffer) {
  const { rows } = await tx.query<{ familyId: string; used: boolean; expired: boolean }>({
    name: 'find-token',
    text: `select family_id as "familyId", used_at is not null as used, expires_at <= now() as expired
             from users.refresh_tokens where token_hash = $1`,
    values: [hash],
  })
  return rows[0]
}

async function succeed(tx: pg.ClientBase, hash: Buffer): Promise<string> {
  const successor = newToken()
  await tx.query({
    name: 'rotate-token',
    text: `with used as (
             update users.refresh_tokens set used_at = now() where token_hash = $1 returning family_id, user_id)
           insert into users.refresh_tokens (token_hash, family_id, user_id, expires_at)
           select $2, family_id, user_id, now() + $3::interval from used`,
    values: [hash, digest(successor), LIFETIME],
  })
  return successor
}

const dropFamily = (tx: pg.ClientBase, familyId: string) =>
  tx.query('delete from users.refresh_tokens where family_id = $1', [familyId])

/** RFC 7009: ends the family of a refresh token. An unknown token is fine. */
export async function revoke(pool: pg.Pool, token: string): Promise<void> {
  const hash = digest(token)
  await inTransaction(pool, async (tx) => {
    const owner = await lockOwner(tx, hash)
    const found = owner && (await findToken(tx, hash))
    if (found) await dropFamily(tx, found.familyId)
    return ok(undefined)
  })
}

/** Ends every login of a user whose row the transaction has locked. */
export async function revokeAll(tx: pg.ClientBase, userId: string): Promise<void> {
  await tx.query('delete from users.refresh_tokens where user_id = $1', [userId])
}
