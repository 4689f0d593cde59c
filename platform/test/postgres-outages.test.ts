import net from 'node:net'
import { once } from 'node:events'
import type pg from 'pg'
import { type TestDatabase, createDatabase } from '../../tests/support/database'
import { type Wire, openWire } from '../../proof/src/chaos/wire'
import { stopwatch } from '../../tests/support/stopwatch'
import { DatabaseOutage, asOutage, inTransaction, openPool } from '../src/postgres'
import { ok } from '../src/result'

let database: TestDatabase
let wire: Wire
let pool: pg.Pool
let lost: Error[]

beforeAll(async () => {
  database = await createDatabase()
  await database.owner.query('create table facts (id int primary key)')
})
beforeEach(async () => {
  await database.owner.query('truncate facts')
  wire = await openWire(database.ownerUrl)
  lost = []
  pool = openPool({
    connectionString: wire.url,
    max: 2,
    applicationName: 'outages',
    onError: (error) => lost.push(error),
  })
})
afterEach(async () => {
  await wire.close()
  await pool.end()
})
afterAll(() => database.drop())

const record = (id: number) =>
  inTransaction(pool, async (tx) => ok(await tx.query('insert into facts values ($1)', [id]).then(() => id)))
const facts = async () => (await database.owner.query<{ id: number }>('select id from facts order by id')).rows
const failureOf = (attempt: Promise<unknown>): Promise<unknown> =>
  attempt.then(
    () => undefined,
    (error: unknown) => error,
  )
// Not events.once: an 'error' event comes first, which would reject it.
const ended = (tx: pg.PoolClient) => new Promise<void>((resolve) => tx.once('end', resolve))
const terminateAll = () =>
  database.owner.query(`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'outages'`)

describe('a lost connection', () => {
  test('while idle is reported once, and the next work gets a new one', async () => {
    await record(1)
    const removed = new Promise((resolve) => pool.once('remove', resolve))
    await Promise.all([removed, terminateAll()])
    expect(lost.map((error) => error.message)).toContain('terminating connection due to administrator command')
    expect(new Set(lost).size).toBe(lost.length)
    expect(await record(2)).toEqual(ok(2))
  })

  test('in the middle of a work is its failure and an outage, and nothing of it is kept', async () => {
    const error = await failureOf(
      inTransaction(pool, async (tx) => {
        await tx.query('insert into facts values (1)')
        // Ended by somebody else it could as well be known to be lost before its next statement, which then is not even sent.
        return ok(await tx.query('select pg_terminate_backend(pg_backend_pid())'))
      }),
    )
    expect(error).toBeInstanceOf(DatabaseOutage)
    expect(asOutage(error)).toBe(error)
    expect(error).toMatchObject({ code: 'database-unavailable', cause: { code: '57P01' } })
    expect(await facts()).toEqual([])
    expect(pool.totalCount).toBe(0)
    expect(await record(3)).toEqual(ok(3))
  })

  test('that is known before COMMIT is sent leaves no doubt about the outcome', async () => {
    const commits = wire.listenFor('commit')
    const error = await failureOf(
      inTransaction(pool, async (tx) => {
        await tx.query('insert into facts values (1)')
        await Promise.all([ended(tx), terminateAll()])
        return ok(undefined)
      }),
    )
    expect(asOutage(error)).toMatchObject({ code: 'database-unavailable' })
    expect(lost.map((error) => error.message)).toContain('terminating connection due to administrator command')
    expect(commits()).toBe(0)
    expect(await facts()).toEqual([])
  })

  test('does not hide what else went wrong in the work', async () => {
    const bug = new Error('bug')
    const attempt = inTransaction(pool, async (tx) => {
      await Promise.all([ended(tx), terminateAll()])
      throw bug
    })
    await expect(attempt).rejects.toBe(bug)
    expect(await record(1)).toEqual(ok(1))
  })

  test('when the answer to COMMIT is lost has an unknown outcome: here it was committed', async () => {
    const commits = wire.listenFor('commit')
    wire.cutAt('commit', 'after')
    const error = await failureOf(record(1))
    expect(error).toBeInstanceOf(DatabaseOutage)
    expect(error).toMatchObject({ code: 'outcome-unknown' })
    expect(asOutage(error)).toBe(error)
    expect(await facts()).toEqual([{ id: 1 }])
    expect(commits()).toBe(1)
    expect(await record(2)).toEqual(ok(2))
  })

  test('when COMMIT itself is lost has an unknown outcome: here it was not committed', async () => {
    wire.cutAt('commit', 'before')
    expect(await failureOf(record(1))).toMatchObject({ code: 'outcome-unknown' })
    expect(await record(2)).toEqual(ok(2))
    expect(await facts()).toEqual([{ id: 2 }])
  })
})

test('a statement by itself, whose answer is lost, has an unknown outcome: here it was done, and here it was not', async () => {
  for (const [id, when] of [
    [1, 'after'],
    [2, 'before'],
  ] as const) {
    wire.cutAt('insert', when)
    const error = await failureOf(pool.query('insert into facts values ($1)', [id]))
    expect(asOutage(error)).toMatchObject({ code: 'outcome-unknown', cause: error })
  }
  expect(await facts()).toEqual([{ id: 1 }])
})

test('a connection that breaks while it is made leaves no doubt about the work that it was made for', async () => {
  wire.refuse()
  const error = await failureOf(record(1))
  expect(asOutage(error)).toMatchObject({ code: 'database-unavailable', cause: { code: 'ECONNRESET' } })
  wire.restore()
  expect(await record(1)).toEqual(ok(1))
})

test('a server that is not there is an outage at once', async () => {
  const { port } = await closedPort()
  const nowhere = openPool({
    connectionString: `postgres://nobody:x@localhost:${port}/none`,
    max: 1,
    applicationName: 'outages',
    onError: (error) => lost.push(error),
  })
  const elapsed = stopwatch()
  const error = await failureOf(inTransaction(nowhere, () => Promise.resolve(ok(1))))
  expect(asOutage(error)).toMatchObject({ code: 'database-unavailable', cause: { code: 'ECONNREFUSED' } })
  expect(elapsed()).toBeLessThan(1_000)
  await nowhere.end()
  expect(asOutage(await failureOf(nowhere.query('select 1')))).toMatchObject({ code: 'database-unavailable' })
})

test('every session is in UTC, names its service, and is watched by the server for clients that vanish', async () => {
  const { rows } = await pool.query<Record<string, string>>(
    `select current_setting('timezone') as zone, current_setting('application_name') as name,
            current_setting('client_connection_check_interval') as check, current_setting('statement_timeout') as statement,
            current_setting('lock_timeout') as lock, current_setting('idle_in_transaction_session_timeout') as idle`,
  )
  expect(rows).toEqual([{ zone: 'UTC', name: 'outages', check: '1s', statement: '5s', lock: '2s', idle: '5s' }])
})

test.each([new Error('bug'), new TypeError('fetch failed'), { code: 'ECONNREFUSED' }, 'ECONNREFUSED', null, undefined])(
  'what is no failure of the database is no outage: %p',
  (error) => expect(asOutage(error)).toBeUndefined(),
)

async function closedPort(): Promise<{ port: number }> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  server.close()
  await once(server, 'close')
  return { port }
}
