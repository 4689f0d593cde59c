import type pg from 'pg'
import { type TestDatabase, createDatabase } from '../../tests/support/database'
import { stopwatch } from '../../tests/support/stopwatch'
import { openWire } from '../../proof/src/chaos/wire'
import { asOutage, inTransaction, openPool } from '../src/postgres'
import { ok } from '../src/result'

// What these tests wait for are the limits themselves, so they wait side by side.

let database: TestDatabase

beforeAll(async () => {
  database = await createDatabase()
  await database.owner.query('create table facts (id uuid primary key default gen_random_uuid())')
})
afterAll(() => database.drop())

const record = (pool: pg.Pool) =>
  inTransaction(pool, async (tx) => ok(await tx.query('insert into facts default values')))
const outage = { code: 'database-unavailable' }

async function arrange() {
  const wire = await openWire(database.ownerUrl)
  const lost: (Error & { code?: string })[] = []
  const pool = openPool({
    connectionString: wire.url,
    max: 2,
    applicationName: 'timeouts',
    onError: (error) => lost.push(error),
  })
  const close = async () => {
    await wire.close()
    await pool.end()
  }
  return { wire, pool, lost, close }
}

/** What the attempt failed with, and after how many seconds. */
async function failureOf(attempt: Promise<unknown>): Promise<{ error: unknown; seconds: number }> {
  const elapsed = stopwatch()
  const error: unknown = await attempt.then(
    () => undefined,
    (error: unknown) => error,
  )
  return { error, seconds: elapsed() / 1000 }
}

test.concurrent(
  'a network gone silent fails a statement within seven seconds, and healed serves the next',
  async () => {
    const { wire, pool, close } = await arrange()
    await record(pool)
    wire.blackHole()
    const { error, seconds } = await failureOf(record(pool))
    expect(asOutage(error)).toMatchObject({ ...outage, cause: { message: 'Query read timeout' } })
    expect(seconds).toBeLessThan(7)
    expect(pool.totalCount).toBe(0)
    wire.restore()
    expect(await record(pool)).toMatchObject({ ok: true })
    await close()
  },
)

test.concurrent('a network gone silent fails a new connection within three seconds', async () => {
  const { wire, pool, close } = await arrange()
  wire.blackHole()
  const { error, seconds } = await failureOf(record(pool))
  expect(asOutage(error)).toMatchObject(outage)
  expect(seconds).toBeLessThan(3)
  await close()
})

test.concurrent(
  'a network gone silent in front of COMMIT leaves the outcome unknown, within seven seconds',
  async () => {
    const { wire, pool, close } = await arrange()
    const { error, seconds } = await failureOf(
      inTransaction(pool, async (tx) => {
        await tx.query('insert into facts default values')
        wire.blackHole()
        return ok(undefined)
      }),
    )
    expect(error).toMatchObject({ code: 'outcome-unknown' })
    expect(seconds).toBeLessThan(7)
    await close()
  },
)

test.concurrent('a work that keeps busy for too long is ended before nine seconds have passed', async () => {
  const { pool, close } = await arrange()
  const { error, seconds } = await failureOf(
    inTransaction(pool, async (tx) => {
      for (;;) await tx.query('select pg_sleep(3)')
    }),
  )
  expect(asOutage(error)).toMatchObject(outage)
  expect(seconds).toBeLessThan(9)
  expect(await record(pool)).toMatchObject({ ok: true })
  await close()
})

test.concurrent('a statement that runs for longer than five seconds is ended by the server', async () => {
  const { pool, close } = await arrange()
  // Our own limit is out of the way: of a machine that stood still for a second both would find their time over.
  const asked = { text: 'select pg_sleep(30)', query_timeout: 40_000 } as pg.QueryConfig
  const { error, seconds } = await failureOf(pool.query(asked))
  expect(error).toMatchObject({ code: '57014' })
  expect(asOutage(error)).toMatchObject(outage)
  expect(seconds).toBeLessThan(6)
  await close()
})

test.concurrent(
  'a work that idles in its transaction for five seconds loses its connection, and with it its locks',
  async () => {
    const { pool, lost, close } = await arrange()
    const { error } = await failureOf(
      inTransaction(pool, async (tx) => {
        await tx.query('lock table facts in row exclusive mode')
        await new Promise<void>((resolve) => tx.once('end', resolve))
        return ok(undefined)
      }),
    )
    expect(asOutage(error)).toMatchObject(outage)
    expect(lost.map(({ code }) => code)).toContain('25P03')
    await close()
  },
)

test.concurrent('a pool whose connections are all in use refuses within three seconds', async () => {
  const { pool, close } = await arrange()
  const taken = [await pool.connect(), await pool.connect()]
  const { error, seconds } = await failureOf(record(pool))
  for (const client of taken) client.release()
  expect(asOutage(error)).toMatchObject(outage)
  expect(seconds).toBeLessThan(3)
  expect(await record(pool)).toMatchObject({ ok: true })
  await close()
})
