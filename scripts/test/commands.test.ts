import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { main as reset } from '../src/reset'
import { claimRun } from '../src/run-record'
import { ROOT, silent } from '../src/terminal'
import { verdict } from '../src/test'
import { aFolder, cleanUp, later } from './support'

afterEach(cleanUp)

describe('npm test', () => {
  const nothing = {
    numPassedTests: 0,
    numFailedTests: 0,
    numPendingTests: 0,
    numTodoTests: 0,
    numRuntimeErrorTestSuites: 0,
  }

  test('is good when something passed and nothing failed', () => {
    expect(verdict({ ...nothing, numPassedTests: 12 }, [], true)).toEqual({
      good: true,
      lines: ['12 passed, 0 failed'],
    })
  })

  test.each([
    ['a failed test', { numFailedTests: 1 }, [], ['12 passed, 1 failed']],
    ['a suite that does not load', { numRuntimeErrorTestSuites: 1 }, [], ['12 passed, 1 failed']],
    ['a failed check', {}, ['Lint'], ['Failed checks: Lint', '12 passed, 0 failed']],
    ['no test at all', { numPassedTests: 0 }, [], ['0 passed, 0 failed']],
    ['a test skipped in CI', { numTodoTests: 1 }, [], ['1 skipped, which is not allowed in CI', '12 passed, 0 failed']],
  ])('is not good with %s', (_what, result, checks, lines) => {
    expect(verdict({ ...nothing, numPassedTests: 12, ...result }, checks, true)).toEqual({ good: false, lines })
  })

  test('outside CI, or when tests were named, some may be left out', () => {
    const result = { ...nothing, numPassedTests: 1, numPendingTests: 3 }
    expect(verdict(result, [], false)).toEqual({ good: true, lines: ['3 skipped', '1 passed, 0 failed'] })
  })
})

describe('npm run reset', () => {
  /** The command on a data folder of its own. */
  function resetting(dataDir: string, args: string[] = [], databaseUrl?: string): Promise<number> {
    const before = { ...process.env }
    later(() => (process.env = before))
    process.env.DATA_DIR = dataDir
    delete process.env.DATABASE_URL
    if (databaseUrl) process.env.DATABASE_URL = databaseUrl
    return reset(silent, args)
  }

  test('takes the data away and keeps secrets', async () => {
    const folder = aFolder()
    mkdirSync(join(folder, 'postgres'))
    writeFileSync(join(folder, 'postgres', 'PG_VERSION'), '18')
    writeFileSync(join(folder, 'secrets.json'), '{}')
    writeFileSync(join(folder, 'gateway-journal.jsonl'), '')
    expect(await resetting(folder)).toBe(0)
    expect(existsSync(join(folder, 'postgres'))).toBe(false)
    expect(existsSync(join(folder, 'gateway-journal.jsonl'))).toBe(false)
    expect(existsSync(join(folder, 'secrets.json'))).toBe(true)
    expect(existsSync(join(folder, 'run.json'))).toBe(false)
  })

  test('refuses while the shop runs', async () => {
    const folder = aFolder()
    mkdirSync(join(folder, 'postgres'))
    const claim = await claimRun(join(folder, 'run.json'), 'http://test', 1_000)
    later(() => claim.release())
    await expect(resetting(folder)).rejects.toThrow('The shop of this folder is running already')
    expect(existsSync(join(folder, 'postgres'))).toBe(true)
  })

  test("asks before it empties somebody's server, without telling the password", async () => {
    const refused = resetting(aFolder(), [], 'postgres://owner:hidden@db.example:5432/shop')
    await expect(refused).rejects.toThrow(
      /schemas users, products and orders of db\.example:5432\/shop.*--drop-schemas/s,
    )
    await expect(refused).rejects.not.toThrow('hidden')
  })
})

test('an unknown command is answered with those there are', async () => {
  const answer = await new Promise((resolve) => {
    execFile(process.execPath, [join(ROOT, 'scripts', 'run.mjs'), 'strat'], (error, _stdout, stderr) =>
      resolve({ code: error?.code, stderr }),
    )
  })
  expect(answer).toEqual({ code: 1, stderr: expect.stringContaining('start|dev|reset|check|test|build') as string })
})
