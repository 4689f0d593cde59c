import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'

/**
 * A race without luck: takes the lock that `lock` asks for, starts all callers, waits until `queued` of them (all, unless told)
 * stand in front of it and `ended` others have come to their end, lets them go together, and returns what each came to. (A caller
 * waits for no longer than its lock_timeout.)
 */
export async function raceThroughGate<T>(
  owner: pg.Pool,
  lock: { text: string; values?: unknown[] },
  callers: readonly (() => Promise<T>)[],
  queued = callers.length,
  ended = 0,
): Promise<PromiseSettledResult<T>[]> {
  const gate = await owner.connect()
  let ends = 0
  let attempts: Promise<PromiseSettledResult<T>[]> = Promise.resolve([])
  try {
    await gate.query('begin')
    const { rowCount } = await gate.query(lock.text, lock.values)
    if (!rowCount) throw new Error('the gate locks no row')
    attempts = Promise.allSettled(callers.map((call) => call().finally(() => ends++)))
    await untilQueued(owner, queued, () => ends === callers.length)
    for (const deadline = Date.now() + 10_000; ends < ended; await sleep(5))
      if (Date.now() > deadline) throw new Error(`only ${ends} of ${ended} calls have ended`)
    await gate.query('commit')
    gate.release()
  } catch (error) {
    gate.release(true) // ends its transaction, and thereby the callers' wait
    throw new Error(`no race: ${(error as Error).message}`, { cause: await attempts })
  }
  return attempts
}

/** Waits until `count` statements of this database stand in front of a lock; gives up after 10 s, or when `over`. */
export async function untilQueued(owner: pg.Pool, count: number, over = () => false): Promise<void> {
  for (const deadline = Date.now() + 10_000; ; await sleep(5)) {
    // Not on the gate's own connection: inside of a transaction Postgres repeats its first view of pg_stat_activity.
    const { rows } = await owner.query<{ waiting: number }>(
      `select count(*)::int as waiting from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    )
    const waiting = rows[0]?.waiting ?? 0
    if (waiting >= count) return
    if (over() || Date.now() > deadline) throw new Error(`only ${waiting} of ${count} statements wait for a lock`)
  }
}
