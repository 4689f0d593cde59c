import type pg from 'pg'
import { untilQueued } from '../../tests/support/gate'
import { stopwatch } from '../../tests/support/stopwatch'
import { type TestDatabase, createDatabase } from '../../tests/support/database'
import { SQLSTATE, asOutage, inTransaction, openPool } from '../src/postgres'
import { err, ok } from '../src/result'

let database: TestDatabase
let pool: pg.Pool
const lost: Error[] = []

beforeAll(async () => {
  database = await createDatabase()
  pool = openPool({
    connectionString: database.ownerUrl,
    max: 5,
    applicationName: 'transactions',
    onError: (error) => lost.push(error),
  })
  await database.owner.query('create table counters (id int primary key, n int not null check (n >= 0))')
})
beforeEach(() => database.owner.query('truncate counters'))
afterEach(() => {
  // Every connection is back in the pool, and none was lost on the way.
  expect(pool.idleCount).toBe(pool.totalCount)
  expect(lost).toEqual([])
})
afterAll(async () => {
  await pool.end()
  await database.drop()
})

const insert = (tx: pg.PoolClient, id: number) => tx.query('insert into counters values ($1, 0)', [id])
const counters = async () =>
  (await database.owner.query<{ id: number; n: number }>('select id, n from counters order by id')).rows

test('what an accepted work wrote is committed, and its value returned', async () => {
  const result = await inTransaction(pool, async (tx) => {
    await insert(tx, 1)
    return ok('done')
  })
  expect(result).toEqual({ ok: true, value: 'done' })
  expect(await counters()).toEqual([{ id: 1, n: 0 }])
})

test('a refusal is returned, and what the work had written is rolled back', async () => {
  const result = await inTransaction(pool, async (tx) => {
    await insert(tx, 1)
    return err({ code: 'no' })
  })
  expect(result).toEqual({ ok: false, error: { code: 'no' } })
  expect(await counters()).toEqual([])
})

test('an exception is thrown on as it is, and what the work had written is rolled back', async () => {
  const bug = new Error('bug')
  const attempt = inTransaction(pool, async (tx) => {
    await insert(tx, 1)
    throw bug
  })
  await expect(attempt).rejects.toBe(bug)
  expect(await counters()).toEqual([])
})

test('a violated constraint reaches the caller with its SQLSTATE and is no outage', async () => {
  const error: unknown = await inTransaction(pool, async (tx) =>
    ok(await tx.query('insert into counters values (1, -1)')),
  ).catch((error: unknown) => error)
  expect(error).toMatchObject({ code: SQLSTATE.checkViolation, constraint: 'counters_n_check' })
  expect(asOutage(error)).toBeUndefined()
})

test('a failure that the work swallowed is not reported as committed', async () => {
  const attempt = inTransaction(pool, async (tx) => {
    await insert(tx, 1)
    await insert(tx, 1).catch(() => {})
    return ok('done')
  })
  await expect(attempt).rejects.toThrow('ended in ROLLBACK')
  expect(await counters()).toEqual([])
})

test('a deferred constraint that fails at COMMIT is a failure', async () => {
  await database.owner.query(
    'create table nodes (id int primary key, parent int references nodes deferrable initially deferred)',
  )
  const attempt = inTransaction(pool, async (tx) => ok(await tx.query('insert into nodes values (1, 2)')))
  await expect(attempt).rejects.toMatchObject({ code: SQLSTATE.foreignKeyViolation })
})

test('two works that deadlock both succeed, at a later attempt', async () => {
  await database.owner.query('insert into counters values (1, 0), (2, 0)')
  const bothHoldOne = barrier(2)
  let attempts = 0
  const addInOrder = (first: number, second: number) =>
    inTransaction(pool, async (tx) => {
      attempts++
      // A machine that stands still for a second would let the lock time out before the deadlock is looked for.
      await tx.query('set local lock_timeout = 0')
      await tx.query('update counters set n = n + 1 where id = $1', [first])
      await bothHoldOne()
      await tx.query('update counters set n = n + 1 where id = $1', [second])
      return ok(undefined)
    })
  expect(await Promise.all([addInOrder(1, 2), addInOrder(2, 1)])).toEqual([ok(undefined), ok(undefined)])
  // Three; four when both saw the deadlock at the same moment.
  expect(attempts).toBeGreaterThanOrEqual(3)
  expect(await counters()).toEqual([
    { id: 1, n: 2 },
    { id: 2, n: 2 },
  ])
})

test('a work that fails to serialize is repeated as a whole, on the new state', async () => {
  await database.owner.query('insert into counters values (1, 0)')
  const bothHaveRead = barrier(2)
  const increment = () =>
    inTransaction(pool, async (tx) => {
      await tx.query('set transaction isolation level repeatable read')
      const { rows } = await tx.query<{ n: number }>('select n from counters where id = 1')
      await bothHaveRead()
      const n = (rows[0]?.n ?? 0) + 1
      await tx.query('update counters set n = $1 where id = 1', [n])
      return ok(n)
    })
  const results = await Promise.all([increment(), increment()])
  expect(results).toEqual(expect.arrayContaining([ok(1), ok(2)]))
  expect(await counters()).toEqual([{ id: 1, n: 2 }])
})

test('a work that never serializes is given up after three repeats, as an outage', async () => {
  let attempts = 0
  const error: unknown = await inTransaction(pool, (tx) => {
    attempts++
    return tx.query(`do $$ begin raise exception 'no' using errcode = '40001'; end $$`).then(() => ok(undefined))
  }).catch((error: unknown) => error)
  expect(attempts).toBe(4)
  expect(error).toMatchObject({ code: SQLSTATE.serializationFailure })
  expect(asOutage(error)).toMatchObject({ code: 'database-unavailable', cause: error })
})

test('a row locked for longer than lock_timeout is an outage after two seconds, and the connection stays in use', async () => {
  await database.owner.query('insert into counters values (1, 0)')
  const holder = await database.owner.connect()
  await holder.query('begin')
  await holder.query('select from counters where id = 1 for update')
  const elapsed = stopwatch()
  const attempt = inTransaction(pool, async (tx) => ok(await tx.query('update counters set n = 1 where id = 1'))).catch(
    (error: unknown) => error,
  )
  await untilQueued(database.owner, 1)
  const error = await attempt
  const waited = elapsed()
  await holder.query('rollback')
  holder.release()
  expect(error).toMatchObject({ code: SQLSTATE.lockNotAvailable })
  expect(asOutage(error)).toMatchObject({ code: 'database-unavailable' })
  expect(waited).toBeLessThan(3_000)
})

/** Holds the first `count` callers until all of them have come; later ones pass. */
function barrier(count: number): () => Promise<void> {
  let come = 0
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => (open = resolve))
  return () => {
    if (++come === count) open()
    return opened
  }
}
