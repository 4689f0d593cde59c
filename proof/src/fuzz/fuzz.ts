import { createHash } from 'node:crypto'
import fc from 'fast-check'
import type { Client } from '../client'
import { resolve as resolveIn, type Contract } from '../contract'
import type { Complaint, Finding, Row } from './findings'
import { judgeOf } from './judge'
import { openKnowledge, type Knowledge, type View } from './known'
import { callNeighbours } from './neighbours'
import { operationsOf, type Operation } from './operations'
import { casesOf, curlOf, sweepOf, type Case, type Request } from './requests'
import { isRefused, openTrials, type Trial, type TrialOptions, type Trials } from './trials'
import { openWatch, type Watch } from './watch'

export type FuzzOptions = {
  client: Client
  document: Contract
  callers: TrialOptions['callers']
  seed: string
  /** Of each operation. */
  cases: number
  /** Ids of operations; all of them, and what lies beside them, when there is none. */
  only?: readonly string[] | undefined
  /** What no answer may contain. */
  secrets?: () => readonly string[]
  /** Told what the callers' accounts are, before anything is sent. */
  teach?: (known: Knowledge) => void
  progress?: (text: string) => void
  /** Aborted: no more is begun, and what was found until then is told. */
  signal?: AbortSignal | undefined
}

export type Fuzzed = {
  rows: Row[]
  /** The last request of each operation that was served. */
  served: ReadonlyMap<Operation, Request>
  watch: Watch
}

/** At the same time; a shop hashes a few passwords at once and refuses what queues up behind them. */
const AT_ONCE = 25
/** Plain calls of each operation that come first, twice over, so that there is something to work with. */
const PLAIN_CASES = 12
const SHRINKING_MS = 10_000
const SHRUNK_KINDS = 5
const EFFECT = 'a refused call had an effect'

/** Cases of one operation, the i-th of which is drawn again by its number; those of the sweep come first. */
type Work = { operation: Operation; sweep: readonly Case[]; arbitrary: fc.Arbitrary<Case>; seed: number; row: Row }

export async function fuzz(options: FuzzOptions): Promise<Fuzzed> {
  const { client, document, callers, seed, only, secrets = () => [], progress = () => undefined, signal } = options
  const resolve = <T>(node: unknown) => resolveIn<T>(document, node)
  const operations = operationsOf(document)
  const known = openKnowledge(operations, resolve)
  const judge = judgeOf(document, operations, resolve)
  const watch = openWatch(client, operations, callers, known)
  const trials = openTrials({ client, callers, known, judge, watch, seed, secrets })
  options.teach?.(known)

  async function run(work: Work, from: number, cases: readonly Case[]): Promise<Trial[]> {
    const view = known.view()
    const tried = await Promise.all(cases.map((each) => trials.attempt(work.operation, each, view)))
    for (const [i, { request, complaints }] of tried.entries())
      for (const complaint of complaints)
        await note(client, trials, work, { index: from + i, view, request, complaint })
    return tried
  }

  async function runAndReplay(work: Work, from: number, cases: readonly Case[]): Promise<void> {
    const view = known.view()
    const tried = await run(work, from, cases)
    const { again, effects } = await trials.replay(tried)
    const indexOf = ({ request }: Trial) => from + tried.findIndex((each) => each.request === request)
    for (const trial of again)
      for (const complaint of trial.complaints)
        await note(client, trials, work, { index: indexOf(trial), view, request: trial.request, complaint })
    for (const { of, detail } of effects)
      await note(client, trials, work, {
        index: indexOf(of),
        view,
        request: of.request,
        complaint: { kind: EFFECT, detail },
      })
    const { row } = work
    row.cases += cases.length
    row.replayed += tried.filter(isRefused).length
    for (const { answer } of tried) row.statuses.set(answer.status, (row.statuses.get(answer.status) ?? 0) + 1)
  }

  const works = operations.map((operation): Work => {
    const row: Row = { operation: operation.id, cases: 0, statuses: new Map(), replayed: 0, findings: [] }
    const arbitrary = casesOf(operation, callers, resolve)
    const own = numberFrom(`${seed} ${operation.id}`)
    return { operation, sweep: sweepOf(operation, callers, resolve, own), arbitrary, seed: own, row }
  })
  for (const round of [1, 2])
    for (const work of works) {
      if (signal?.aborted) break
      progress(`getting to know the shop: ${work.operation.id}`)
      const plain = {
        ...work,
        sweep: [],
        arbitrary: casesOf(work.operation, callers, resolve, true),
        seed: work.seed + round,
      }
      await run(plain, 0, drawn(plain, Math.min(PLAIN_CASES, options.cases)))
    }
  const chosen = works.filter(({ operation }) => only?.includes(operation.id) ?? true)
  const cases = chosen.map((work) => drawn(work, options.cases))
  const most = Math.max(...cases.map(({ length }) => length))
  for (let from = 0; from < most; from += AT_ONCE)
    for (const [i, work] of chosen.entries()) {
      if (signal?.aborted) break
      const found = works.reduce((sum, { row }) => sum + row.findings.length, 0)
      progress(`${from} of ${most} cases, ${client.counts.calls} calls, ${found} found: ${work.operation.id}`)
      const some = (cases[i] ?? []).slice(from, from + AT_ONCE)
      if (some.length > 0) await runAndReplay(work, from, some)
    }
  const rows = (only ? chosen : works).map(({ row }) => row)
  if (!only && !signal?.aborted) rows.push(await callNeighbours(client, document, callers, known))
  return { rows, served: trials.served, watch }
}

const drawn = ({ sweep, arbitrary, seed }: Work, count: number): Case[] => [
  ...sweep,
  ...fc.sample(arbitrary, { seed, numRuns: count }),
]

const numberFrom = (text: string): number => createHash('sha256').update(text).digest().readInt32LE(0)

type Seen = { index: number; view: View; request: Request; complaint: Complaint }

/** Keeps the first complaint of a kind, with the smallest request that shows it, and counts the others. */
async function note(client: Client, trials: Trials, work: Work, seen: Seen): Promise<void> {
  const { kind, detail } = seen.complaint
  const { findings } = work.row
  const known = findings.find((each) => each.kind === kind)
  if (known) return void known.times++
  const finding: Finding = { operation: work.operation.id, kind, detail, times: 1, again: false, curl: '' }
  findings.push(finding)
  const showing =
    (findings.length <= SHRUNK_KINDS && (await smallest(trials, work, seen))) || (await shownAgain(trials, seen))
  const { request } = showing ?? seen
  const token = request.caller.role === undefined ? undefined : await request.caller.token()
  Object.assign(finding, {
    detail: showing?.detail ?? detail,
    again: showing !== undefined,
    curl: curlOf(client.url, request, token),
  })
}

type Showing = { request: Request; detail: string }

/** The smallest case that shows the same fault, starting from the one that showed it, with what was known then. */
async function smallest(trials: Trials, work: Work, { index, view, complaint }: Seen): Promise<Showing | undefined> {
  let found: Showing | undefined
  const isFine = async (given: Case) => {
    const { request, complaints } = await trials.attempt(work.operation, given, view)
    const detail = await detailOf(trials, request, complaints, complaint.kind)
    if (detail !== undefined) found = { request, detail }
    return detail === undefined
  }
  const { sweep, arbitrary, seed } = work
  const swept = sweep[index]
  const replaying = {
    seed,
    path: String(swept ? 0 : index - sweep.length),
    numRuns: 1,
    interruptAfterTimeLimit: SHRINKING_MS,
  }
  await fc.check(fc.asyncProperty(swept ? fc.constant(swept) : arbitrary, isFine), replaying)
  return found
}

async function shownAgain(trials: Trials, { request, complaint }: Seen): Promise<Showing | undefined> {
  const { complaints } = await trials.send(request)
  const detail = await detailOf(trials, request, complaints, complaint.kind)
  return detail === undefined ? undefined : { request, detail }
}

/** What there is of this kind to complain about. */
async function detailOf(trials: Trials, request: Request, complaints: readonly Complaint[], kind: string) {
  if (kind !== EFFECT) return complaints.find((each) => each.kind === kind)?.detail
  const { effects } = await trials.replay([await trials.send(request)])
  return effects[0]?.detail
}
