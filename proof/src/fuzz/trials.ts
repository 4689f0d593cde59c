import { setTimeout as sleep } from 'node:timers/promises'
import { retryAfterMs, type Answer, type Client } from '../client'
import type { Complaint } from './findings'
import type { Judge } from './judge'
import type { Knowledge, View } from './known'
import type { Operation } from './operations'
import { requestOf, type Caller, type Case, type Request } from './requests'
import { differences, type Watch } from './watch'

/** A request, what was answered, and what is wrong with that. */
export type Trial = { request: Request; answer: Answer; complaints: Complaint[] }

/** 402 tells what became of a charge, 408 that nobody knows, 429 nothing. */
const NOT_REFUSALS = [402, 408, 429]
/**
 * A limit for addresses passes soon; one for failed logins does not, and is an answer like any other. An outage that passes may be
 * anything; one that stays is what this request does.
 */
const WAITED_FOR_MS = 3_000
const WAITED_TIMES: Record<number, number> = { 429: 60, 503: 3 }

export const isRefused = ({ answer: { status } }: Pick<Trial, 'answer'>): boolean =>
  status >= 400 && status < 500 && !NOT_REFUSALS.includes(status)

export type TrialOptions = {
  client: Client
  callers: readonly (Caller & { renew?: () => Promise<void> })[]
  known: Knowledge
  judge: Judge
  watch: Watch
  seed: string
  secrets: () => readonly string[]
}

export function openTrials({ client, callers, known, judge, watch, seed, secrets }: TrialOptions) {
  const served = new Map<Operation, Request>()
  let sent = 0

  async function send(request: Request): Promise<Trial> {
    for (let waited = 0; ; waited++) {
      const { method, target, body } = request
      const answer = await client.call(method, target, { headers: grouped(request.headers), ...(body && { body }) })
      const complaints = judge.complaints(request, answer, secrets())
      const waitMs = retryAfterMs(answer) ?? Infinity
      const mayWait = waitMs <= WAITED_FOR_MS && waited < (WAITED_TIMES[answer.status] ?? 0)
      if (!mayWait) return { request, answer, complaints }
      await sleep(waitMs)
    }
  }

  /** Sends what a case is with what was known at a moment, and learns from the answer. */
  async function attempt(operation: Operation, given: Case, view: View): Promise<Trial> {
    const request = await requestOf(given, operation, callers, view, `fuzz-${seed.slice(0, 24)}-${++sent}`)
    const trial = await send(request)
    const { caller } = request
    const { status } = trial.answer
    if (status >= 200 && status < 300) {
      served.set(operation, request)
      known.learnFrom(operation, request.target.split('?', 1)[0] ?? '', caller.name, trial.answer)
    }
    if (status === 401 && !request.badToken) await callers.find(({ name }) => name === caller.name)?.renew?.()
    return trial
  }

  /** Sends refused calls once more, and finds out whether that changed anything, and which of them did. */
  async function replay(
    trials: readonly Trial[],
  ): Promise<{ again: Trial[]; effects: { of: Trial; detail: string }[] }> {
    const plan = watch.plan()
    let refused = trials.filter(isRefused)
    let again: Trial[] = []
    // what has become right in the meantime is left out
    for (let round = 0; round < 2; round++) {
      const before = await watch.see(plan)
      again = await Promise.all(refused.map(({ request }) => send(request)))
      if (again.every(isRefused)) {
        const isUnchanged = differences(before, await watch.see(plan)).length === 0
        return { again, effects: isUnchanged ? [] : await effectsOf(refused, plan) }
      }
      refused = refused.filter((_, i) => again[i] && isRefused(again[i]))
    }
    return { again, effects: [] }
  }

  async function effectsOf(refused: readonly Trial[], plan: ReturnType<Watch['plan']>) {
    const effects: { of: Trial; detail: string }[] = []
    for (const of of refused) {
      const before = await watch.see(plan)
      const again = await send(of.request)
      const after = await watch.see(plan)
      const changed = differences(before, after)
      // a shop that does something by itself does it now, too
      const isOurs = isRefused(again) && differences(after, await watch.see(plan)).length === 0
      if (changed.length > 0 && isOurs) effects.push({ of, detail: changed.slice(0, 3).join('\n') })
    }
    return effects
  }

  return { send, attempt, replay, served }
}
export type Trials = ReturnType<typeof openTrials>

/** Lines of one header together, as Node's client wants them. */
function grouped(headers: Request['headers']): Record<string, string | string[]> {
  const lines = new Map<string, string[]>()
  for (const [name, value] of headers) lines.set(name, [...(lines.get(name) ?? []), value])
  return Object.fromEntries(
    [...lines].map(([name, values]) => [name, values.length === 1 ? (values[0] ?? '') : values]),
  )
}
