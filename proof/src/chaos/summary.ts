import { grouped, held, table } from '../report'
import { groupedBy } from './judge/evidence'
import { memoryOf } from './memory'
import type { ChaosResult } from './run'

/** What a run comes to, for whoever watched it. */
export function summary(result: ChaosResult): string {
  const { seed, seconds, calls, faults, settled, findings } = result
  const good = findings.filter(held).length
  return [
    aligned([['fault', 'times', 'hit', 'slowest recovery'], ...faultRows(result)]),
    '',
    aligned([['memory, MB', 'peak', 'lives', 'longest life', 'median of each of its minutes'], ...memoryRows(result)]),
    '',
    table(findings),
    '',
    `${good} of ${findings.length} promises held: ${grouped(calls)} calls and ${faults.length} faults in ${seconds} s. Of the outcomes ` +
      `that were unknown a repeat was told of ${grouped(settled.hadBeenDone)} that they had been done, did ${grouped(settled.doneNow)} ` +
      `and was refused ${grouped(settled.refused)}; ${grouped(settled.leftToReading)} could not be repeated, and the books told.`,
    `Seed ${seed}, faults ${result.plan.faultsDigest}, load ${result.plan.loadDigest}.`,
  ].join('\n')
}

const inSeconds = (ms: number): string => (Number.isFinite(ms) ? `${(ms / 1000).toFixed(1)} s` : 'never')

const faultRows = ({ recoveries }: ChaosResult): string[][] =>
  [...groupedBy(recoveries, ({ fault }) => fault.kind)].map(([kind, all]) => {
    const slowest = all.map((each) => Math.max(...each.recoveries.map(({ ms }) => ms ?? Infinity)))
    const strikes = all.reduce((sum, { fault }) => sum + fault.strikes, 0)
    return [kind, grouped(all.length), grouped(strikes), inSeconds(Math.max(...slowest))]
  })

const memoryRows = ({ memory }: ChaosResult): string[][] =>
  memoryOf(memory).map(({ process, peakMegabytes, lives, longestLifeSeconds, minutes }) => [
    process,
    peakMegabytes.toFixed(0),
    grouped(lives),
    `${longestLifeSeconds} s`,
    minutes.map((megabytes) => megabytes.toFixed(0).padStart(3)).join(' '),
  ])

/** The first column to the left, the others to the right. */
function aligned(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)))
  const cell = (text: string, i: number) => (i === 0 ? text.padEnd(widths[i] ?? 0) : text.padStart(widths[i] ?? 0))
  return rows.map((row) => row.map(cell).join('  ').trimEnd()).join('\n')
}
