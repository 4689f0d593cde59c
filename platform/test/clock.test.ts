import { setImmediate } from 'node:timers/promises'
import { databaseClock } from '@shop/platform/clock'
import { makeLog } from '@shop/platform/logging'
import { openPool } from '@shop/platform/postgres'
import { openWire } from '../../proof/src/chaos/wire'
import { type TestDatabase, createDatabase } from '../../tests/support/database'
import { stopwatch } from '../../tests/support/stopwatch'

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
  expect(clock.now).toThrow('the database is not available') // until it has looked
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

describe('while the database is away', () => {
  const lines: string[] = []
  const heard = makeLog('test', 'info', { write: (line: string) => void lines.push(line) })
  beforeEach(() => (lines.length = 0))

  test('there is no time, rather than that of the machine, until it is back: at once then, as that of the database', async () => {
    setMachineAhead(-HOUR_MS)
    const wire = await openWire(database.urls.orders)
    wire.refuse()
    const pool = openPool({ connectionString: wire.url, max: 2, applicationName: 'clock', onError: () => undefined })
    const looks = jest.spyOn(pool, 'query')
    const clock = databaseClock({ pool, log: heard })
    try {
      await clock.looked
      while (looks.mock.calls.length < 4) {
        expect(clock.now).toThrow(expect.objectContaining({ name: 'DatabaseOutage', code: 'database-unavailable' }))
        expect(clock.ready()).toBe(false)
        await setImmediate()
      }
      expect(lines).toHaveLength(1) // for the first look: those that follow it within moments say nothing
      wire.restore()
      const sinceItIsBack = stopwatch()
      while (!clock.ready()) await setImmediate()
      expect(sinceItIsBack()).toBeLessThan(2_500) // not as late as the next look of those that go on for ever
      expect(Math.abs(await ahead(clock.now))).toBeLessThan(BUSY_MS)
    } finally {
      await clock.stop()
      await pool.end()
      await wire.close()
    }
  })
})
