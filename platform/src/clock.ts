import type pg from 'pg'
import type { Logger } from 'pino'
import { periodically, type Repeated } from './periodic'

const LOOK_EVERY_MS = 5_000

export type DatabaseClock = Repeated & {
  now: () => Date
  /** Resolves after the first look, also when the database is away: until there is one, the machine's own clock has to do. */
  looked: Promise<void>
}

/**
 * The time by the database's clock, which all replicas share: one whose own clock is set an hour ahead would else end the holds of
 * everybody's orders. Between two looks it goes on by a clock that nobody can set.
 */
export function databaseClock({ pool, log }: { pool: pg.Pool; log: Logger }): DatabaseClock {
  let originMs = Date.now() - performance.now()
  const look = async () => {
    const asked = performance.now()
    const { rows } = await pool.query<{ ms: number }>({
      name: 'clock',
      text: 'select extract(epoch from clock_timestamp())::float8 * 1000 as ms',
    })
    const heard = performance.now()
    // It said so at some moment since it was asked: what this allows for is kept, else it is moved to the nearest that it allows for.
    for (const { ms } of rows) originMs = Math.min(Math.max(originMs, ms - heard), ms - asked)
  }
  const { stop } = periodically({ everyMs: LOOK_EVERY_MS, log, name: 'look at the clock of the database' }, look)
  return {
    now: () => new Date(originMs + performance.now()),
    looked: look().catch((error: unknown) => log.warn({ err: error }, 'the clock of the database was not seen yet')),
    stop,
  }
}
