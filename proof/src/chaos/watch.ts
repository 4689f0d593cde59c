import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { childrenOf } from '../../../scripts/src/processes'
import type { Stack } from '../../../scripts/src/stack'

/** A process that was there and is not any more. */
export type Exit = { process: string; pid: number; at: number }
/** The memory of a program, all its processes together. */
export type MemorySample = { process: string; pid: number; at: number; megabytes: number }

const LOOK_EVERY_MS = 50
const WEIGH_EVERY_MS = 1_000

/** Writes down who exits, and how much memory everybody has. Times are `now()`'s. */
export function watch(stack: Pick<Stack, 'pids'>, now: () => number) {
  const exits: Exit[] = []
  const memory: MemorySample[] = []
  let seen = stack.pids()
  let weighed = -Infinity
  let stopped = false
  const look = () => {
    const at = now()
    const pids = stack.pids()
    for (const [process, pid] of Object.entries(seen)) if (pids[process] !== pid) exits.push({ process, pid, at })
    seen = pids
    if (at - weighed < WEIGH_EVERY_MS) return
    weighed = at
    for (const [process, pid] of Object.entries(pids))
      memory.push({ process, pid, at, megabytes: megabytesOf(process, pid) })
  }
  const timer = setInterval(look, LOOK_EVERY_MS)
  return {
    exits,
    memory,
    /** Looks for the last time; whatever comes later, when there is no load any more, is not looked at. */
    stop: () => {
      if (stopped) return
      stopped = true
      clearInterval(timer)
      look()
    },
  }
}

/**
 * What a service's process has in memory (RSS). Nginx and Postgres are many processes that share most of theirs: of those, what is
 * each one's own, and the shared part only where it can't be told apart.
 */
function megabytesOf(name: string, pid: number): number {
  if (name !== 'nginx' && name !== 'postgres') return kilobytes(pid, 'VmRSS') / 1024
  return [pid, ...childrenOf(pid)].reduce((sum, each) => sum + kilobytes(each, 'RssAnon'), 0) / 1024
}

/** 0 for a process that has just ended. */
function kilobytes(pid: number, field: 'VmRSS' | 'RssAnon'): number {
  try {
    if (process.platform === 'linux')
      return Number(
        new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0,
      )
    return Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' }))
  } catch {
    return 0
  }
}
