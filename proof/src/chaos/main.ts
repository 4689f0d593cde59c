import { names, readArguments, seedOption, wholeNumber, WrongOption } from '../options'
import { grouped, held, progressOn, table } from '../report'
import { groupedBy } from './judge/evidence'
import { memoryOf } from './memory'
import { FAULT_KINDS, PACES } from './plan'
import { describe, planOf, runChaos, type ChaosOptions, type ChaosResult } from './run'

const USAGE = `Usage: npm run chaos -- [options]

Starts the shop on scratch data, lets clients at it, does to it what happens to shops, and judges what is left.

  --minutes N      how long (10)
  --seconds N      the same for less
  --seed TEXT      repeats the faults, and what the clients decide
  --faults A,B     these kinds only, or none: ${FAULT_KINDS.join(', ')}
  --pace NAME      steady, or brisk: short faults in quick succession (steady)
  --buyers N       at the same time (12)
  --plan           tells what the seed stands for, and does nothing
  --json           the result as JSON on standard output, and everything else on standard error
  --keep           leaves data and logs, as a failure does anyway

Exit status: 0 every promise held, 1 one did not, 2 the options can't be understood.`

const progress = progressOn(process.stderr)

function optionsFrom(args: readonly string[]) {
  const given = readArguments(args, {
    minutes: { type: 'string' },
    seconds: { type: 'string' },
    seed: { type: 'string' },
    faults: { type: 'string' },
    pace: { type: 'string', default: 'steady' },
    buyers: { type: 'string', default: '12' },
    plan: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  })
  const seconds =
    given.seconds === undefined
      ? 60 * wholeNumber('minutes', given.minutes ?? '10', { max: 24 * 60 })
      : wholeNumber('seconds', given.seconds)
  const [pace = 'steady'] = names('pace', given.pace, ['steady', 'brisk'] as const)
  const chaos = {
    seed: seedOption(given.seed),
    seconds,
    pace: PACES[pace],
    kinds:
      given.faults === 'none'
        ? []
        : given.faults === undefined
          ? FAULT_KINDS
          : names('faults', given.faults, FAULT_KINDS),
    clients: { buyer: wholeNumber('buyers', given.buyers, { max: 500 }), seller: 4, visitor: 2 },
    steadyMs: 1_000,
    holdMinutes: 1, // short, so that holds run out while faults are there
    keep: given.keep,
    say: progress.say,
    show: progress.show,
  } satisfies ChaosOptions
  return { chaos, plan: given.plan, json: given.json, help: given.help }
}

function summary(result: ChaosResult): string {
  const { settled, recoveries, faults } = result
  const kinds = [...groupedBy(recoveries, ({ fault }) => fault.kind)].map(([kind, all]) => {
    const slowest = all.map((each) => Math.max(...each.recoveries.map(({ ms }) => ms ?? Infinity)))
    const strikes = all.reduce((sum, { fault }) => sum + fault.strikes, 0)
    return `${kind.padEnd(22)}${String(all.length).padStart(4)}${String(strikes).padStart(9)}${inSeconds(Math.max(...slowest)).padStart(18)}`
  })
  const memory = memoryOf(result.memory).map(({ process, peakMegabytes, lives, longestLifeSeconds, warm, last }) => {
    const growth = warm === undefined || last === undefined ? '' : `${warm.toFixed(0)} → ${last.toFixed(0)}`
    return `${process.padEnd(22)}${peakMegabytes.toFixed(0).padStart(8)}${String(lives).padStart(7)}${String(longestLifeSeconds).padStart(15)}${growth.padStart(18)}`
  })
  return [
    `fault                 times  strikes  slowest recovery`,
    ...kinds,
    '',
    'memory, MB                peak  lives  longest life, s  of it, warm → last',
    ...memory,
    '',
    `${grouped(result.calls)} calls and ${faults.length} faults in ${result.seconds} s. Of the outcomes that were unknown, a repeat was told of ` +
      `${settled.hadBeenDone} that they had been done, did ${settled.doneNow}, and was refused ${settled.refused}; ` +
      `${settled.leftToReading} had no key, and the books tell.`,
    '',
    table(result.findings),
    '',
    `npm run chaos -- --seed ${result.seed} repeats it`,
  ].join('\n')
}

const inSeconds = (ms: number): string => (Number.isFinite(ms) ? `${(ms / 1000).toFixed(1)} s` : 'never')

async function main(): Promise<number> {
  const { chaos, plan, json, help } = optionsFrom(process.argv.slice(2))
  if (help) return (console.log(USAGE), 0)
  if (plan) {
    const { faults, faultsDigest, loadDigest } = planOf(chaos)
    console.log(
      [`seed ${chaos.seed}`, ...faults.map(describe), `faults ${faultsDigest}, load ${loadDigest}`].join('\n'),
    )
    return 0
  }
  const interrupted = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => interrupted.abort())
  const result = await runChaos({ ...chaos, signal: interrupted.signal })
  progress.clear()
  if (json) console.log(JSON.stringify({ ...result, memory: memoryOf(result.memory) }))
  else console.log(summary(result))
  return result.findings.every(held) ? 0 : 1
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    progress.clear()
    if (error instanceof WrongOption) console.error(`${error.message}\n\n${USAGE}`)
    else console.error(error)
    process.exit(error instanceof WrongOption ? 2 : 1)
  },
)
