import { readdirSync, readFileSync } from 'node:fs'

/** Linux counts in USER_HZ, 100 on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100

/** CPU milliseconds that each process has used so far, with its children: Postgres's sessions, Nginx's workers. Linux only. */
export function cpuOf(pids: Readonly<Record<string, number>>): Record<string, number> {
  const processes = allProcesses()
  const used = (pid: number): number => {
    const children = [...processes].filter(([, { parent }]) => parent === pid)
    return (processes.get(pid)?.ticks ?? 0) + children.reduce((sum, [child]) => sum + used(child), 0)
  }
  return Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, (used(pid) * 1000) / TICKS_PER_SECOND]))
}

/** What was used between two readings, divided by the number of answers; processes that did next to nothing are left out. */
export function cpuPerAnswer(
  before: Readonly<Record<string, number>>,
  after: Readonly<Record<string, number>>,
  answers: number,
): Record<string, number> | undefined {
  if (Object.keys(after).length === 0 || answers === 0) return undefined
  const each = Object.entries(after).map(([name, ms]) => [name, (ms - (before[name] ?? 0)) / answers] as const)
  return Object.fromEntries(each.filter(([, ms]) => ms >= 0.001))
}

function allProcesses(): Map<number, { parent: number; ticks: number }> {
  const found = new Map<number, { parent: number; ticks: number }>()
  if (process.platform !== 'linux') return found
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    try {
      // proc(5): the name, in parentheses, may contain anything; then state, ppid … utime, stime, cutime, cstime (14 to 17).
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      const ticks = fields.slice(11, 15).reduce((sum, each) => sum + Number(each), 0)
      found.set(Number(entry), { parent: Number(fields[1]), ticks })
    } catch {
      // ended meanwhile: its parent's cutime has it
    }
  }
  return found
}
