import { groupedBy } from './judge/evidence'
import type { MemorySample } from './watch'

/** What a program's memory did. A process that is killed begins anew, so growth is that of the one that lived longest. */
export type Memory = {
  process: string
  peakMegabytes: number
  lives: number
  longestLifeSeconds: number
  /** Medians of that life: of its second half minute, and of its last. Undefined when it was too short. */
  warm?: number
  last?: number
}

const HALF_MINUTE_MS = 30_000

export function memoryOf(samples: readonly MemorySample[]): Memory[] {
  return [...groupedBy(samples, ({ process }) => process)].map(([process, all]) => {
    const lives = [...groupedBy(all, ({ pid }) => String(pid)).values()].sort((a, b) => b.length - a.length)
    const longest = lives[0] ?? []
    const [from, until] = [longest[0]?.at ?? 0, longest.at(-1)?.at ?? 0]
    const between = (a: number, b: number) =>
      longest.filter(({ at }) => at >= a && at <= b).map((each) => each.megabytes)
    return {
      process,
      peakMegabytes: Math.max(...all.map(({ megabytes }) => megabytes)),
      lives: lives.length,
      longestLifeSeconds: Math.round((until - from) / 1000),
      ...(until - from >= 3 * HALF_MINUTE_MS && {
        warm: median(between(from + HALF_MINUTE_MS, from + 2 * HALF_MINUTE_MS)),
        last: median(between(until - HALF_MINUTE_MS, until)),
      }),
    }
  })
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
