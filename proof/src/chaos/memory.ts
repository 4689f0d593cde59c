import { groupedBy } from './judge/evidence'
import type { MemorySample } from './watch'

/** What a program's memory did. A process that is killed begins anew, so growth is that of the one that lived longest. */
export type Memory = {
  process: string
  peakMegabytes: number
  lives: number
  longestLifeSeconds: number
  /** The median of each minute of that life. */
  minutes: number[]
}

const MINUTE_MS = 60_000

export function memoryOf(samples: readonly MemorySample[]): Memory[] {
  return [...groupedBy(samples, ({ process }) => process)].map(([process, all]) => {
    const lives = [...groupedBy(all, ({ pid }) => String(pid)).values()].sort((a, b) => b.length - a.length)
    const longest = lives[0] ?? []
    const [from, until] = [longest[0]?.at ?? 0, longest.at(-1)?.at ?? 0]
    const minutes = groupedBy(longest, ({ at }) => String(Math.floor((at - from) / MINUTE_MS)))
    return {
      process,
      peakMegabytes: Math.max(...all.map(({ megabytes }) => megabytes)),
      lives: lives.length,
      longestLifeSeconds: Math.round((until - from) / 1000),
      minutes: [...minutes.values()].map((minute) => median(minute.map(({ megabytes }) => megabytes))),
    }
  })
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
