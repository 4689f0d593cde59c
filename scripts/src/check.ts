import { join } from 'node:path'
import { ROOT, runTool, type Terminal } from './terminal'

const bin = (name: string): string => join(ROOT, 'node_modules', '.bin', name)

const FOLDERS = [
  'platform',
  'users',
  'products',
  'orders',
  'swagger',
  'gateway',
  'nginx',
  'scripts',
  'tests',
  'bench',
  'proof',
]

/** What `npm run check` runs, in this order: quick and common faults first. */
const CHECKS: { title: string; command: string; args: string[] }[] = [
  { title: 'Types', command: bin('tsc'), args: ['-p', 'tsconfig.json'] },
  { title: 'Format', command: bin('prettier'), args: ['--check', '--log-level', 'warn', '.'] },
  { title: 'Lint', command: bin('eslint'), args: ['.'] },
  { title: 'Arrows', command: bin('depcruise'), args: ['--output-type', 'err-long', ...FOLDERS] },
  { title: 'Unused', command: bin('knip'), args: [] },
  { title: 'Contract', command: process.execPath, args: [join('scripts', 'dist', 'openapi.js'), '--check'] },
]

/** `npm run check`: all of it, even after a failure, so that one run shows everything that is wrong. */
export async function main(terminal: Terminal): Promise<number> {
  const failed = await check(terminal)
  if (failed.length > 0) terminal.say(`\nFailed: ${failed.join(', ')}`)
  return failed.length === 0 ? 0 : 1
}

/** Returns the titles of the checks that failed. */
export async function check(terminal: Terminal): Promise<string[]> {
  const failed: string[] = []
  for (const { title, command, args } of CHECKS) {
    await terminal
      .step(title, () => runTool(command, args, { env: { ...process.env, NO_COLOR: '1' } }))
      .catch((error: Error) => {
        failed.push(title)
        terminal.say(error.message)
      })
  }
  return failed
}
