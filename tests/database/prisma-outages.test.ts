import { randomUUID } from 'node:crypto'
import { PrismaPg } from '@prisma/adapter-pg'
import type pg from 'pg'
import { asOutage, openPool } from '../../platform/src/postgres'
import { PrismaClient } from '../../users/src/generated/prisma/client'
import { type TestDatabase, createDatabase } from '../support/database'
import { type Wire, openWire } from '../../proof/src/chaos/wire'

// Prisma wraps what pg says in errors of its own. These are the shapes that asOutage relies on, so that an upgrade that
// changes one is noticed here.

let database: TestDatabase
let wire: Wire
let pool: pg.Pool
let prisma: PrismaClient

beforeAll(async () => {
  database = await createDatabase()
  // Where sessions are not in UTC by themselves.
  await database.owner.query(
    `do $$ begin execute format('alter database %I set timezone to ''Asia/Tokyo''', current_database()); end $$`,
  )
})
beforeEach(async () => {
  wire = await openWire(database.urls.users)
  pool = openPool({ connectionString: wire.url, max: 1, applicationName: 'prisma', onError: () => {} })
  prisma = new PrismaClient({ adapter: new PrismaPg(pool, { schema: 'users' }) })
})
afterEach(async () => {
  await prisma.$disconnect()
  await wire.close()
  await pool.end()
})
afterAll(() => database.drop())

const aUser = (fields: Partial<Parameters<PrismaClient['user']['create']>[0]['data']> = {}) => {
  const id = randomUUID()
  return { id, username: id, email: `${id}@example.org`, passwordHash: 'x', role: 'BUYER', ...fields }
}
const failureOf = (attempt: PromiseLike<unknown>): Promise<unknown> =>
  Promise.resolve(attempt).then(
    () => undefined,
    (error: unknown) => error,
  )
const unavailable = { code: 'database-unavailable' }
/** Each statement commits by itself. */
const unknown = { code: 'outcome-unknown' }

describe('no outage, but for the caller to answer', () => {
  test('a taken username, and an e-mail address taken in another case: P2002 with the name of the index', async () => {
    const user = await prisma.user.create({ data: aUser({ email: `Zoe@${randomUUID()}` }) })
    const taken = async (fields: Parameters<typeof aUser>[0]) => {
      const error = await failureOf(prisma.user.create({ data: aUser(fields) }))
      expect(asOutage(error)).toBeUndefined()
      return error
    }
    const violation = (index: string) => ({
      code: 'P2002',
      meta: { driverAdapterError: { cause: { originalCode: '23505', constraint: { index } } } },
    })
    expect(await taken({ username: user.username })).toMatchObject(violation('users_username_key'))
    expect(await taken({ email: user.email.toUpperCase() })).toMatchObject(violation('users_email_key'))
  })

  test('a violated check, and a row that is not there', async () => {
    const wrong = await failureOf(prisma.user.create({ data: aUser({ role: 'KING' }) }))
    expect(wrong).toMatchObject({ meta: { driverAdapterError: { cause: { originalCode: '23514' } } } })
    expect(asOutage(wrong)).toBeUndefined()
    const missing = await failureOf(prisma.user.update({ where: { id: randomUUID() }, data: { version: 2 } }))
    expect(missing).toMatchObject({ code: 'P2025' })
    expect(asOutage(missing)).toBeUndefined()
  })
})

describe('an outage', () => {
  test('is a locked row, with the SQLSTATE inside', async () => {
    const { id } = await prisma.user.create({ data: aUser() })
    const holder = await database.owner.connect()
    await holder.query('begin')
    await holder.query('select from users.users where id = $1 for update', [id])
    const error = await failureOf(prisma.user.update({ where: { id }, data: { version: 2 } }))
    await holder.query('rollback')
    holder.release()
    expect(error).toMatchObject({ code: 'P2039', meta: { driverAdapterError: { cause: { originalCode: '55P03' } } } })
    expect(asOutage(error)).toMatchObject(unavailable)
  })

  test('is a server that ends the session, and the next call is served', async () => {
    const attempt = failureOf(prisma.$queryRaw`select 1 as one from pg_sleep(5)`)
    await untilAsleep()
    await database.owner.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'prisma'`,
    )
    const error = await attempt
    expect(error).toMatchObject({ meta: { driverAdapterError: { cause: { originalCode: '57P01' } } } })
    expect(asOutage(error)).toMatchObject(unknown)
    expect(await prisma.user.count()).toBeGreaterThanOrEqual(0)
  })

  test('is a connection that breaks, which Prisma leaves as pg had it; what was under way may have been done', async () => {
    const user = aUser()
    wire.cutAt('INSERT', 'after')
    const error = await failureOf(prisma.user.create({ data: user }))
    expect(error).toMatchObject({ message: 'Connection terminated unexpectedly' })
    expect(asOutage(error)).toMatchObject(unknown)
    expect(await prisma.user.count({ where: { id: user.id } })).toBe(1)
  })

  test('is a network gone silent', async () => {
    wire.blackHole()
    const error = await failureOf(prisma.user.count())
    expect(error).toMatchObject({ message: 'Connection terminated due to connection timeout' })
    expect(asOutage(error)).toMatchObject(unavailable)
  })

  test('is a server that is not there', async () => {
    await wire.close()
    for (const attempt of [prisma.user.count(), prisma.$transaction((tx) => tx.user.count())]) {
      const error = await failureOf(attempt)
      expect(error).toMatchObject({ meta: { driverAdapterError: { cause: { kind: 'DatabaseNotReachable' } } } })
      expect(asOutage(error)).toMatchObject(unavailable)
    }
    wire = await openWire(database.urls.users)
  })

  test('is a pool in use, for a statement and for a transaction', async () => {
    const taken = await pool.connect()
    const [statement, transaction] = await Promise.all([
      failureOf(prisma.user.count()),
      failureOf(prisma.$transaction((tx) => tx.user.count())),
    ])
    taken.release()
    expect(statement).toMatchObject({ message: 'timeout exceeded when trying to connect' })
    expect(transaction).toMatchObject({ code: 'P2028' })
    expect(asOutage(statement)).toMatchObject(unavailable)
    expect(asOutage(transaction)).toMatchObject(unavailable)
  })
})

test('times are kept to the millisecond, in UTC', async () => {
  const createdAt = new Date('2026-07-01T12:00:00.123Z')
  const { id } = await prisma.user.create({ data: aUser({ createdAt }) })
  expect(await prisma.user.findUnique({ where: { id }, select: { createdAt: true } })).toEqual({ createdAt })
  const { rows } = await database.owner.query('select created_at from users.users where id = $1', [id])
  expect(rows).toEqual([{ created_at: createdAt }])
})

async function untilAsleep(): Promise<void> {
  for (const deadline = Date.now() + 10_000; Date.now() < deadline;) {
    const { rowCount } = await database.owner.query(
      `select from pg_stat_activity where application_name = 'prisma' and wait_event = 'PgSleep'`,
    )
    if (rowCount === 1) return
  }
  throw new Error('nothing sleeps')
}
