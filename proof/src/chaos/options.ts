import { inLines, names, readArguments, seedOption, wholeNumber } from '../options'
import { FAULT_KINDS, PACES, type FaultKind } from './plan'
import type { ChaosOptions } from './run'

export const USAGE = `npm run chaos -- [options]
  --minutes n       how long (10); --seconds n for less
  --seed text       repeats the faults, and what the clients decide, if the other options are the same (drawn and printed)
  --faults a,b      some kinds of fault, or none for load alone:
                    ${inLines(FAULT_KINDS, 20)}
  --pace name       steady, or brisk: short faults in quick succession (steady)
  --buyers n        at the same time (12)
  --plan            tells which faults the seed stands for, and does nothing
  --keep            leaves data, logs and evidence.json behind, as a failure does anyway
  --json            the result as JSON on stdout; progress goes to stderr (npm run --silent chaos -- --json)

It starts the shop on scratch data, lets clients at it, does to it what happens to shops, and judges what is left. Exit status: 0
when all promises held, 1 when one did not or could not be looked at, 2 when the options are wrong.`

export type Options = Omit<ChaosOptions, 'say' | 'show' | 'signal'> & { plan: boolean; json: boolean }

export function optionsFrom(args: readonly string[]): Options | 'help' {
  const given = readArguments(args, {
    minutes: { type: 'string', default: '10' },
    seconds: { type: 'string' },
    seed: { type: 'string' },
    faults: { type: 'string' },
    pace: { type: 'string', default: 'steady' },
    buyers: { type: 'string', default: '12' },
    plan: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  })
  if (given.help) return 'help'
  const [pace = 'steady'] = names('pace', given.pace, ['steady', 'brisk'] as const)
  const seconds =
    given.seconds === undefined
      ? 60 * wholeNumber('minutes', given.minutes, { max: 24 * 60 })
      : wholeNumber('seconds', given.seconds)
  const { plan, keep, json } = given
  return {
    ...{ seconds, plan, keep, json },
    seed: seedOption(given.seed),
    pace: PACES[pace],
    kinds: kindsOf(given.faults),
    clients: { buyer: wholeNumber('buyers', given.buyers, { max: 500 }), seller: 4, visitor: 2 },
    steadyMs: 1_000,
    allowed: { callMs: 10_000, recoveryMs: 5_000, refusalMs: 10_000 }, // as the shop promises
    holdMinutes: 1, // short, so that holds run out while faults are there
  }
}

function kindsOf(given: string | undefined): readonly FaultKind[] {
  if (given === undefined) return FAULT_KINDS
  return given === 'none' ? [] : names('faults', given, FAULT_KINDS)
}
