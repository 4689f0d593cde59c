import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { check } from './check'
import { ROOT, type Terminal } from './terminal'
import { CHROMIUM, needTool, NGINX } from './tools'

/** What is read of jest's JSON result. */
interface JestResult {
  numPassedTests: number
  numFailedTests: number
  numPendingTests: number
  numTodoTests: number
  numRuntimeErrorTestSuites: number
}

/**
 * `npm test`: the checks, then every test; arguments go to jest. What the tests need and the machine lacks is installed.
 * The last line is the count alone, `N passed, N failed`.
 */
export async function main(terminal: Terminal, args: string[]): Promise<number> {
  const failedChecks = await check(terminal)
  const tools: NodeJS.ProcessEnv = {}
  for (const wanted of [NGINX, CHROMIUM]) {
    await terminal
      .step(
        wanted.title,
        () => needTool(wanted, process.env),
        (path) => path,
      )
      .then((path) => (tools[wanted.variable] = path))
      .catch((error: Error) => terminal.say(`${error.message}\nThe tests that need it are going to fail.`))
  }
  const result = await jest(args, tools)
  // Whoever names tests leaves others out on purpose.
  const { good, lines } = verdict(result, failedChecks, Boolean(process.env.CI) && args.length === 0)
  for (const line of lines) terminal.say(line)
  return good ? 0 : 1
}

/** What is said at the end. A suite that could not even be loaded counts as a failed test, and no test at all is no success. */
export function verdict(
  result: JestResult,
  failedChecks: string[],
  mustNotSkip: boolean,
): { good: boolean; lines: string[] } {
  const failed = result.numFailedTests + result.numRuntimeErrorTestSuites
  const skipped = result.numPendingTests + result.numTodoTests
  const refused = mustNotSkip && skipped > 0
  const lines = [
    ...(failedChecks.length > 0 ? [`Failed checks: ${failedChecks.join(', ')}`] : []),
    ...(skipped > 0 ? [`${skipped} skipped${refused ? ', which is not allowed in CI' : ''}`] : []),
    `${result.numPassedTests} passed, ${failed} failed`,
  ]
  return { good: failedChecks.length === 0 && failed === 0 && result.numPassedTests > 0 && !refused, lines }
}

async function jest(args: string[], tools: NodeJS.ProcessEnv): Promise<JestResult> {
  const outputFile = join(ROOT, 'artifacts', 'jest.json')
  mkdirSync(join(ROOT, 'artifacts'), { recursive: true })
  rmSync(outputFile, { force: true })
  const program = join(ROOT, 'node_modules', 'jest', 'bin', 'jest.js')
  await new Promise((resolve) => {
    const child = spawn(process.execPath, [program, '--json', `--outputFile=${outputFile}`, ...args], {
      cwd: ROOT,
      env: { ...process.env, ...tools },
      stdio: 'inherit',
    })
    for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.once(signal, () => child.kill(signal))
    child.once('close', resolve)
  })
  try {
    return JSON.parse(readFileSync(outputFile, 'utf8')) as JestResult
  } catch {
    // Jest did not get as far as a result: its own words are above.
    return { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, numRuntimeErrorTestSuites: 1 }
  }
}
