import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const PRELOAD = join(__dirname, '../../src/chaos/skewed-clock.cjs')
const HOUR_MS = 3_600_000

/** What a process sees whose clock is off by an hour. */
function seen(expression: string): unknown {
  const folder = mkdtempSync(join(tmpdir(), 'clocks-'))
  try {
    writeFileSync(join(folder, '8003'), String(-HOUR_MS))
    const env = { PATH: process.env['PATH'], SKEWED_CLOCKS: folder, PORT: '8003' }
    return JSON.parse(
      execFileSync(process.execPath, ['-r', PRELOAD, '-p', `JSON.stringify(${expression})`], { env, encoding: 'utf8' }),
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('every way of asking for the time is an hour behind', () => {
  const now = Date.now()
  const times = seen('[Date.now(), +new Date(), Date.parse(Date())]') as number[]
  for (const time of times) expect(Math.abs(time + HOUR_MS - now)).toBeLessThan(30_000)
})

test('a time that is given stays what it is, and a date is a Date', () => {
  expect(
    seen('[new Date(0), Date.UTC(2026, 0, 1), new Date() instanceof Date, new Date("2026-01-01").getTime()]'),
  ).toEqual(['1970-01-01T00:00:00.000Z', Date.UTC(2026, 0, 1), true, Date.UTC(2026, 0, 1)])
})
