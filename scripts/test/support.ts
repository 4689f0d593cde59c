import { execFileSync } from 'node:child_process'
import { mkdtempSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { processBegan } from '../src/processes'
import { claimRun, type RunClaim } from '../src/run-record'
import { createSupervisor, type Program, type Supervisor } from '../src/supervisor'

/** Waits for a condition, not for a time; fails when it does not come true. */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + 20_000
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`Waited in vain: ${what}`)
    await sleep(10)
  }
}

export const isAlive = (pid: number): boolean => processBegan(pid) !== undefined

const cleanUps: (() => unknown)[] = []

/** Runs when the test that is running has ended, the last one first. */
export const later = (work: () => unknown): void => void cleanUps.push(work)

export async function cleanUp(): Promise<void> {
  for (const work of cleanUps.splice(0).reverse()) await work()
}

export function aFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'shop-scripts-test-'))
  mkdirSync(join(folder, 'logs'))
  later(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export interface Supervised {
  supervisor: Supervisor
  claim: RunClaim
  folder: string
  said: string[]
}

export async function aSupervisor(
  options: { stopTimeoutMs?: number; readyTimeoutMs?: number } = {},
): Promise<Supervised> {
  const folder = aFolder()
  const said: string[] = []
  const claim = await claimRun(join(folder, 'run.json'), 'http://test', options.stopTimeoutMs ?? 10_000)
  const supervisor = createSupervisor({
    claim,
    logDir: join(folder, 'logs'),
    say: (line) => said.push(line),
    ...options,
  })
  later(() => supervisor.stop())
  return { supervisor, claim, folder, said }
}

/** A stand-in for a service: runs the given JavaScript, and is ready once it has said so in its log. */
export function aProgram(folder: string, name: string, script = '', more: Partial<Program> = {}): Program {
  let before = 0
  const log = () => readFileSync(join(folder, 'logs', `${name}.log`), 'utf8')
  return {
    name,
    command: process.execPath,
    args: ['-e', `${script}\nconsole.log('ready', process.pid); setInterval(() => {}, 1e6)`],
    env: {},
    ready: () => {
      const found = log()
        .split('\n')
        .filter((line) => line.startsWith('ready')).length
      const isReady = found > before
      if (isReady) before = found
      return Promise.resolve(isReady)
    },
    ...more,
  }
}

interface Running {
  pid: number
  parent: number
  command: string
}

/** All that runs on this machine. */
export function processes(): Running[] {
  if (process.platform !== 'linux') {
    const lines = execFileSync('ps', ['-Ao', 'pid=,ppid=,command='], { encoding: 'utf8' }).trim().split('\n')
    return lines.flatMap((line) => {
      const [, pid, parent, command] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? []
      return command === undefined ? [] : [{ pid: Number(pid), parent: Number(parent), command }]
    })
  }
  return readdirSync('/proc').flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return []
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8')
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
      return [{ pid: Number(entry), parent, command: readFileSync(`/proc/${entry}/cmdline`, 'utf8') }]
    } catch {
      return [] // it has ended meanwhile
    }
  })
}

export const processesWith = (text: string): number[] =>
  processes()
    .filter(({ pid, command }) => command.includes(text) && isAlive(pid))
    .map(({ pid }) => pid)
