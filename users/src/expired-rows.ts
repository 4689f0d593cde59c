import type pg from 'pg'

const BITE = 1000

/** Drops a bounded bite of refresh tokens and failure counters that have expired; any replica may, at any time. */
export async function dropExpiredRows(pool: pg.Pool): Promise<void> {
  await pool.query(
    `delete from users.refresh_tokens where token_hash in (
       select token_hash from users.refresh_tokens where expires_at <= now()
        order by expires_at limit $1 for update skip locked)`,
    [BITE],
  )
  await pool.query(
    `delete from users.login_failures where key in (
       select key from users.login_failures where expire <= $2 order by expire limit $1 for update skip locked)`,
    [BITE, Date.now()],
  )
}
