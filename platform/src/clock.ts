import type pg from 'pg'
import type { Logger } from 'pino'
import { periodically, untilDone, type Repeated } from './periodic'
import { DatabaseOutage } from './postgres'

const LOOK_EVERY_MS = 5_000
const FIRST_LOOK_EVERY_MS = 250

export type DatabaseClock = Repeated & {
  /** Raises an outage until there was a look: by the machine's own clock an order could be over the moment it is placed. */
  now: () => Date
  /** Resolves after the first look, also when the database is away. */
  looked: Promise<void>
  /** Whether there was one that succeeded. */
  ready: () => boolean
}

/**
 * The time by the database's clock, which all replicas share: one whose own clock is set an hour ahead would else end the holds of
 * everybody's orders. Between two looks it goes on by a clock that nobody can set.
 */
export function databaseClock({ pool, log }: { pool: pg.Pool; log: Logger }): DatabaseClock {
  let originMs = Date.now() - performance.now()
  let seen = false
  const look = async () => {
    const asked = performance.now()
    const { rows } = await pool.query<{ ms: number }>({
      name: 'clock',
      text: 'select extract(epoch from clock_timestamp())::float8 * 1000 as ms',
    })
    const heard = performance.now()
    // It said so at some moment since it was asked: what this allows for is kept, else it is moved to the nearest that it allows for.
    for (const { ms } of rows) originMs = Math.min(Math.max(originMs, ms - heard), ms - asked)
    seen = true
  }
  const name = 'look at the clock of the database'
  const looked = look().catch((error: unknown) =>
    log.warn({ err: error }, 'the clock of the database was not seen yet'),
  )
  const looks = [
    periodically({ everyMs: LOOK_EVERY_MS, log, name }, look),
    // Without a line for each: what the other one says every five seconds is enough.
    untilDone({ everyMs: FIRST_LOOK_EVERY_MS, log: log.child({}, { level: 'silent' }), name }, async () => {
      await looked
      if (!seen) await look()
    }),
  ]
  return {
    now: () => {
      if (!seen) throw new DatabaseOutage('database-unavailable', 'its clock was not seen yet')
      return new Date(originMs + performance.now())
    },
    looked,
    ready: () => seen,
    stop: async () => void (await Promise.all(looks.map(({ stop }) => stop()))),
  }
}
