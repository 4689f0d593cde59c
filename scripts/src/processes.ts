import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** A process as it is written down: with the time it began, so that a stranger who gets its pid later is left alone. */
export interface Recorded {
  name: string
  pid: number
  began: string
  stopSignal: NodeJS.Signals
}

interface Stat {
  state: string
  parent: number
  group: number
  began: string
}

const boot = (() => {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return 'boot'
  }
})()

function stat(pid: number): Stat | undefined {
  try {
    if (process.platform === 'linux') {
      // proc(5): the name in parentheses may hold anything; state follows it, then parent, group, … and start time.
      const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
      const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
      return {
        state: fields[0] ?? '',
        parent: Number(fields[1]),
        group: Number(fields[2]),
        began: `${boot} ${fields[19]}`,
      }
    }
    const text = execFileSync('ps', ['-o', 'stat=,ppid=,pgid=,lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim()
    const [state = '', parent = '', group = '', ...began] = text.split(/\s+/)
    return { state, parent: Number(parent), group: Number(group), began: `${boot} ${began.join(' ')}` }
  } catch {
    return undefined
  }
}

/** The dead whom nobody has buried yet hold nothing, yet a signal can't tell them from the living. */
const isZombie = ({ state }: Stat): boolean => state.startsWith('Z') || state.startsWith('X')

/** When the process began, as an opaque text; undefined when it has ended. */
export function processBegan(pid: number): string | undefined {
  const found = stat(pid)
  return found && !isZombie(found) ? found.began : undefined
}

/** The command line of a running process; empty when there is none. */
export function commandOf(pid: number): string {
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
    return execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' })
  } catch {
    return ''
  }
}

/** What a running process has started itself. */
export const childrenOf = (pid: number): number[] =>
  allPids().filter((each) => {
    const found = stat(each)
    return found !== undefined && found.parent === pid && !isZombie(found)
  })

/** Running processes whose current folder is this one; unknown, hence none, outside Linux. */
export function processesIn(folder: string): number[] {
  if (process.platform !== 'linux') return []
  return allPids().filter((pid) => cwdOf(pid) === folder)
}

function allPids(): number[] {
  const found =
    process.platform === 'linux'
      ? readdirSync('/proc')
      : execFileSync('ps', ['-Ao', 'pid='], { encoding: 'utf8' }).split('\n')
  return found.filter((entry) => /^ *\d+ *$/.test(entry)).map(Number)
}

function cwdOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/cwd`)
  } catch {
    return undefined
  }
}

export const isRunning = (recorded: Recorded): boolean => processBegan(recorded.pid) === recorded.began

/** Signals a process, if it is there (still) and ours. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // It has ended by itself, or belongs to another user.
  }
}

/** Every child leads a process group of its own, so that what it has started in turn goes with it. */
export const signalGroup = (pid: number, name: NodeJS.Signals): void => signal(-pid, name)

function groupRuns(group: number): boolean {
  try {
    process.kill(-group, 0)
  } catch {
    return false
  }
  if (process.platform !== 'linux') return true
  return allPids().some((pid) => {
    const found = stat(pid)
    return found !== undefined && found.group === group && !isZombie(found)
  })
}

/** Something of a recorded process is there still: itself, or what it left in its group (an nginx worker outlives a killed master). */
function isLeftOver(recorded: Recorded): boolean {
  const leader = processBegan(recorded.pid)
  // A group's id is not given away while it has members, so a leaderless one of this boot is the recorded one.
  return leader === undefined ? recorded.began.startsWith(boot) && groupRuns(recorded.pid) : leader === recorded.began
}

const describe = (all: Recorded[]): string => all.map(({ name, pid }) => `${name} (process ${pid})`).join(', ')

/** Ends what is left of the given processes, asking first; returns the names of those that were still there. */
export async function endLeftOvers(recorded: Recorded[], stopTimeoutMs: number): Promise<string[]> {
  const left = recorded.filter(isLeftOver)
  for (const each of left) {
    signalGroup(each.pid, each.stopSignal)
    signalGroup(each.pid, 'SIGCONT')
  }
  const deadline = Date.now() + stopTimeoutMs
  while (left.some(isLeftOver)) {
    const late = Date.now() - deadline
    if (late > 0) for (const each of left.filter(isLeftOver)) signalGroup(each.pid, 'SIGKILL')
    if (late > 5_000)
      throw new Error(`Left over from an earlier run and not to be ended: ${describe(left.filter(isLeftOver))}`)
    await sleep(20)
  }
  return left.map((each) => each.name)
}
