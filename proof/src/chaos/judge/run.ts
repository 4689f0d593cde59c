import type { Staged } from '../faults'
import type { Call } from '../history'
import { SERVICE_PROCESSES } from '../plan'
import { PROBED } from '../probes'
import { groupedBy, type Evidence, type Promised } from './evidence'

/** What an answer may be besides a success: what the load provokes by itself, and what faults do. */
const EXPECTED_CODES = new Set([
  ...['insufficient-stock', 'stock-limit-exceeded', 'precondition-failed', 'request-in-progress'],
  ...['cart-empty', 'order-not-cancellable', 'invalid-transition'],
  ...['payment-declined', 'order-already-paid', 'payment-in-progress', 'order-not-payable', 'gateway-unavailable'],
  ...['invalid-token', 'unauthenticated'], // clocks
  ...['bad-gateway', 'gateway-timeout', 'service-unavailable'],
  ...['database-unavailable', 'outcome-unknown', 'keys-unavailable', 'request-timeout', 'temporarily_unavailable'],
])

/** The shop did not serve. A refusal for a reason of the call's own is none of that, nor what a test card provokes. */
const isFailure = ({ action, status, code, left }: Call): boolean =>
  !left && (status === 0 || status >= 500) && !(action === 'pay at the second try' && code === 'gateway-unavailable')

/** How long after the end of a fault the last thing went wrong, by name of probe; undefined: it never went well again. */
export function recoveriesOf({ history, faults, endedAt }: Pick<Evidence, 'history' | 'faults' | 'endedAt'>) {
  const calls = [...history.calls].sort((a, b) => a.begunAt - b.begunAt)
  return faults.map((fault, i) => {
    // What the next fault may have hit says nothing of this one.
    const until = faults[i + 1]?.begunAt ?? endedAt
    const after = calls.filter(({ begunAt, ms }) => begunAt >= fault.endedAt && begunAt + ms < until)
    const probes = PROBED.map((name) => {
      const made = after.filter(({ probe, action }) => probe && action === name)
      const bad = made.findLastIndex(({ outcome }) => outcome !== 'ok')
      const good = made[bad + 1]
      const last = bad < 0 ? {} : { last: saw(made[bad]) }
      if (!good) return { name, ms: undefined, ...last }
      return { name, ms: bad < 0 ? 0 : good.begunAt + good.ms - fault.endedAt, ...last }
    })
    const failed = after.findLast(isFailure)
    const any = failed ? { ms: failed.begunAt - fault.endedAt, last: saw(failed) } : { ms: 0 }
    return { fault, recoveries: [...probes, { name: 'any call', ...any }] }
  })
}

const saw = (call: Call | undefined): string => (call ? `${call.action}: ${call.status} ${call.code ?? ''}`.trim() : '')
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`
const nameOf = (fault: Staged): string => `${fault.kind} at ${seconds(fault.begunAt)}`

const isInOrder = ({ kind }: Staged): boolean => kind === 'rolling-restart' || kind === 'nginx-reload'

export const RUN: readonly Promised[] = [
  {
    name: 'bounded',
    promise: 'every call ends in time',
    look: (tally, { history, allowed }) => {
      const ordered = history.calls.map(({ ms }) => ms).sort((a, b) => a - b)
      for (const { action, begunAt, ms, status } of history.calls)
        tally.that(ms <= allowed.callMs, () => `${action} at ${seconds(begunAt)} took ${seconds(ms)} (${status})`)
      const at = (part: number) => ordered[Math.floor((ordered.length - 1) * part)] ?? 0
      tally.note(
        `${seconds(allowed.callMs)} are allowed; median ${at(0.5).toFixed(0)} ms, 99% within ${seconds(at(0.99))}, slowest ${seconds(at(1))}`,
      )
    },
  },
  {
    name: 'recovery',
    promise: 'after each fault everything is served again in time',
    look: (tally, evidence) => {
      const all = recoveriesOf(evidence)
      const first = evidence.faults[0]?.begunAt ?? Infinity
      for (const call of evidence.history.calls)
        if (call.begunAt + call.ms < first)
          tally.that(
            !isFailure(call) || (call.status > 0 && call.ms > evidence.allowed.refusalMs),
            () => `before any fault: ${call.action} at ${seconds(call.begunAt)} failed (${saw(call)})`,
          )
      for (const { fault, recoveries } of all)
        for (const { name, ms, last } of recoveries)
          tally.that(
            ms !== undefined && ms <= evidence.allowed.recoveryMs,
            () =>
              `after ${nameOf(fault)}: ${name} ${ms === undefined ? 'never went well' : `was well after ${seconds(ms)} only`} (${last ?? 'not tried'})`,
          )
      const slowest = all
        .map(({ recoveries }) => Math.max(...recoveries.map(({ ms }) => ms ?? Infinity)))
        .sort((a, b) => a - b)
      const at = (part: number) => seconds(slowest[Math.floor((slowest.length - 1) * part)] ?? 0)
      tally.note(`${seconds(evidence.allowed.recoveryMs)} are allowed; half within ${at(0.5)}, the slowest ${at(1)}`)
    },
  },
  {
    name: 'survival',
    promise: 'no process ends that was not ended',
    look: (tally, { exits, faults, running }) => {
      for (const process of ['postgres', 'nginx', ...SERVICE_PROCESSES])
        tally.that(running.includes(process), () => `${process} does not run in the end`)
      const due = groupedBy(
        faults.flatMap(({ ended }) => ended),
        (name) => name,
      )
      for (const [process, gone] of groupedBy(exits, (exit) => exit.process)) {
        const times = due.get(process)?.length ?? 0
        const when = gone.map(({ at }) => seconds(at)).join(', ')
        tally.that(
          gone.length <= times,
          () => `${process} ended ${gone.length} times (at ${when}), and was ended ${times} times`,
        )
      }
      for (const [process, times] of due) {
        const gone = exits.filter((exit) => exit.process === process).length
        tally.that(
          gone >= times.length,
          () => `${process} was ended ${times.length} times, and was seen to go ${gone} times`,
        )
      }
      tally.count('exits', exits.length)
    },
  },
  {
    name: 'drained',
    promise: 'restarts and reloads in order cut no call: what was begun is answered',
    when: ({ faults }) => faults.some(isInOrder),
    look: (tally, { history, faults, endedAt }) => {
      const spans = faults.flatMap((fault, i) =>
        isInOrder(fault) ? [[fault.begunAt, faults[i + 1]?.begunAt ?? endedAt] as const] : [],
      )
      const within = (at: number) => spans.some(([from, until]) => at >= from && at <= until)
      for (const { calls, wish, mark } of history.deeds) {
        const [first, ...repeats] = calls
        if (!first || first.left || !within(first.begunAt) || !within(first.begunAt + first.ms)) continue
        // Whoever got no answer of the service's, and is told by a repeat that it had been done, was cut off.
        const unanswered = first.status === 0 || first.status === 502 || first.status === 504
        const done = repeats.find(({ outcome }) => outcome === 'ok')
        tally.that(
          !unanswered || !done?.replayed,
          () => `${wish.do} ${mark} at ${seconds(first.begunAt)} was done, and not answered (${first.status})`,
        )
        if (unanswered) tally.count('calls turned away')
      }
    },
  },
  {
    name: 'answers',
    promise: 'whatever is refused is refused for a reason that exists; nothing is a fault of the shop (500)',
    look: (tally, { history }) => {
      for (const { action, begunAt, status, code, outcome } of history.calls) {
        if (outcome === 'ok' || status === 0) continue
        const expected = code !== undefined && EXPECTED_CODES.has(code) && status !== 500
        tally.that(expected, () => `${action} at ${seconds(begunAt)} was answered ${status} ${code ?? ''}`)
      }
    },
  },
  {
    name: 'staged',
    promise: 'every kind of fault has hit something',
    when: ({ faults }) => faults.length > 0,
    look: (tally, { faults }) => {
      for (const [kind, staged] of groupedBy(faults, (fault) => fault.kind))
        tally.that(
          staged.some(({ strikes }) => strikes > 0),
          `${kind} hit nothing in ${staged.length} times`,
        )
      tally.count('faults', faults.length)
    },
  },
]
