import pg from 'pg'
import { databaseClock } from '@shop/platform/clock'
import { makeLog } from '@shop/platform/logging'
import { type TestDatabase, createDatabase } from '../../tests/support/database'

const HOUR_MS = 3_600_000
const BUSY_MS = 30_000
const log = makeLog('test', 'silent')

let database: TestDatabase
beforeAll(async () => (database = await createDatabase()))
afterAll(() => database.drop())
afterEach(() => jest.restoreAllMocks())

/** By how much it is ahead of the database. */
async function ahead(now: () => Date): Promise<number> {
  const { rows } = await database.owner.query<{ at: Date }>('select clock_timestamp() as at')
  return now().getTime() - (rows[0]?.at.getTime() ?? NaN)
}
const setMachineAhead = (ms: number): void => {
  const isReally = Date.now.bind(Date)
  jest.spyOn(Date, 'now').mockImplementation(() => isReally() + ms)
}

test.each([HOUR_MS, -HOUR_MS])('a machine that is ahead by %d ms goes by the clock of the database', async (off) => {
  setMachineAhead(off)
  const clock = databaseClock({ pool: database.owner, log })
  expect(Math.abs(clock.now().getTime() - Date.now())).toBeLessThan(BUSY_MS) // until it has looked
  await clock.looked
  expect(Math.abs(await ahead(clock.now))).toBeLessThan(BUSY_MS)
  await clock.stop()
})

test('it looks again, and has caught up when its own time stood still', async () => {
  jest.useFakeTimers({ doNotFake: ['Date', 'performance', 'nextTick', 'setImmediate', 'queueMicrotask'] })
  try {
    const clock = databaseClock({ pool: database.owner, log })
    await clock.looked
    const counts = performance.now.bind(performance)
    jest.spyOn(performance, 'now').mockImplementation(() => counts() - HOUR_MS)
    expect(await ahead(clock.now)).toBeLessThan(BUSY_MS - HOUR_MS)
    jest.advanceTimersByTime(5_000)
    await clock.stop() // resolves when the look under way has ended
    expect(Math.abs(await ahead(clock.now))).toBeLessThan(BUSY_MS)
  } finally {
    jest.useRealTimers()
  }
})

test('while the database is away it is the clock of the machine', async () => {
  setMachineAhead(HOUR_MS)
  const nowhere = new pg.Pool({ connectionString: 'postgres://127.0.0.1:1/nothing' })
  const clock = databaseClock({ pool: nowhere, log })
  await clock.looked
  expect(Math.abs(clock.now().getTime() - Date.now())).toBeLessThan(BUSY_MS)
  await clock.stop()
  await nowhere.end()
})
