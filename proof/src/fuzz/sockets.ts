import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from '../client'
import { resolve as resolveIn, type Contract } from '../contract'
import type { Complaint } from './findings'
import { codesOf, operationsOf, type Operation } from './operations'
import { curiosities, refusals, type Targets } from './probes'
import type { Request } from './requests'
import { standBy, type Bystander } from './bystander'
import { answersIn, exchange, type ExchangeOptions, type SocketAnswer } from './socket'
import { differences, type Watch } from './watch'

export type SocketOptions = {
  client: Client
  document: Contract
  watch: Watch
  /** The last request of each operation that was served. */
  served: ReadonlyMap<Operation, Request>
  /** Slow clients of each kind, at the same time. */
  slowClients: number
  /** For how long a connection may stay open. */
  deadlineMs?: number
  progress: (text: string) => void
}
export type SocketReport = {
  probes: number
  slow: number
  /** First statuses; 0 where the connection was closed without an answer. */
  statuses: Map<number, number>
  findings: (Complaint & { bytes: string })[]
  bystander: Bystander
}

/** Every request ends within 10 s, and so does one that never comes to its end. */
const DEADLINE_MS = 15_000
/** No service may ever log it. */
export const SMUGGLED_ID = 'smuggled-request'
const LONGEST_SHOWN = 400
const AT_ONCE = 8
const TRIES = 10

/**
 * Sends what no HTTP client sends, and clients that take their time, while a client as any other watches. Every probe that may be
 * read in two ways hides a request that would be seen in what can be read back.
 */
export async function probeSockets(options: SocketOptions): Promise<SocketReport> {
  const { client, document, watch, progress } = options
  const resolve = <T>(node: unknown) => resolveIn<T>(document, node)
  const operations = operationsOf(document)
  const codes = new Set([
    ...operations.flatMap(({ responses }) =>
      Object.values(responses).flatMap((response) => codesOf(response, resolve)),
    ),
    ...Object.keys((document as { 'x-problems'?: object })['x-problems'] ?? {}), // of paths that are in no document, too
  ])
  const findings: SocketReport['findings'] = []
  const statuses = new Map<number, number>()
  const complain = (what: string, detail: string, bytes: string) =>
    void findings.push({ kind: what, detail, bytes: JSON.stringify(bytes.slice(0, LONGEST_SHOWN)) })
  const targets = await targetsFrom(options)
  const bystander = standBy(client, document, targets.read)

  /** A limit and an outage are waited for, for a moment. */
  async function ask(bytes: string, more: ExchangeOptions = {}) {
    for (let left = TRIES; ; left--) {
      const { text, closed, ms } = await exchange(client.url, bytes, {
        deadlineMs: options.deadlineMs ?? DEADLINE_MS,
        ...more,
      })
      const answers = read(text)
      if (![429, 503].includes(answers?.[0]?.status ?? 0) || left === 0) return { answers, text, closed, ms }
      await sleep(1_000)
    }
  }

  async function probe(what: string, bytes: string, most: number, mustRefuse: boolean): Promise<void> {
    const { answers, text, closed } = await ask(bytes)
    if (!answers) return complain(what, `it answered what is no HTTP: ${text.slice(0, 200)}`, bytes)
    const first = answers[0]?.status ?? 0
    statuses.set(first, (statuses.get(first) ?? 0) + 1)
    if (answers.length > most) complain(what, `it answered ${answers.length} times`, bytes)
    if (mustRefuse && (first < 400 || !closed))
      complain(what, `it answered ${first || 'nothing'}${closed ? '' : ' and kept the connection'}`, bytes)
    for (const answer of answers) for (const fault of faultsOf(answer, codes)) complain(what, fault, bytes)
  }

  async function slow({ what, start, drip }: Slow): Promise<void> {
    const { answers, closed, ms } = await ask(start, { drip })
    const first = answers?.[0]?.status ?? 0
    statuses.set(first, (statuses.get(first) ?? 0) + 1)
    if (!closed && first === 0)
      complain(what, `the connection was still open, without an answer, after ${Math.round(ms)} ms`, start)
    for (const answer of answers ?? []) for (const fault of faultsOf(answer, codes)) complain(what, fault, start)
  }

  const plan = watch.plan()
  const before = await watch.see(plan)
  const probes = [
    ...refusals(targets).map(({ what, bytes }) => ({ what, bytes, most: 1, mustRefuse: true })),
    ...curiosities(targets).map((each) => ({ ...each, mustRefuse: false })),
  ]
  const dawdlers = slowOnes(targets).flatMap((each) => Array.from({ length: options.slowClients }, () => each))
  const dawdling = Promise.all(dawdlers.map(slow))
  for (let from = 0; from < probes.length; from += AT_ONCE) {
    progress(`sockets: ${from} of ${probes.length} probes, ${dawdlers.length} slow clients`)
    await Promise.all(
      probes.slice(from, from + AT_ONCE).map((each) => probe(each.what, each.bytes, each.most, each.mustRefuse)),
    )
  }
  await dawdling
  const bystanding = await bystander.end()
  for (const fault of bystanding.faults) complain('a client as any other', fault, '')
  for (const difference of differences(before, await watch.see(plan)).slice(0, 3))
    complain('a hidden request was served', difference, targets.smuggled)
  return { probes: probes.length, slow: dawdlers.length, statuses, findings, bystander: bystanding }
}

type Slow = { what: string; start: string; drip: { bytes: string; everyMs: number } }

const slowOnes = ({ read, write, authorization }: Targets & { authorization: string }): Slow[] => {
  const post = `POST ${write} HTTP/1.1\r\nHost: a\r\n${authorization}Content-Type: application/json\r\n`
  return [
    { what: 'a connection without a request', start: '', drip: { bytes: '', everyMs: 1_000 } },
    {
      what: 'a header that never ends',
      start: `GET ${read} HTTP/1.1\r\nHost: a\r\nX-A: `,
      drip: { bytes: 'a', everyMs: 500 },
    },
    {
      what: 'headers that never end',
      start: `GET ${read} HTTP/1.1\r\nHost: a\r\n`,
      drip: { bytes: 'X-A: a\r\n', everyMs: 500 },
    },
    {
      what: 'a body that does not come',
      start: `${post}Content-Length: 1000\r\n\r\n`,
      drip: { bytes: '', everyMs: 1_000 },
    },
    {
      what: 'a body that comes a byte at a time',
      start: `${post}Content-Length: 1000\r\n\r\n`,
      drip: { bytes: ' ', everyMs: 500 },
    },
    {
      what: 'chunks that never end',
      start: `${post}Transfer-Encoding: chunked\r\n\r\n`,
      drip: { bytes: '1\r\n \r\n', everyMs: 500 },
    },
    {
      what: 'a chunk size that never ends',
      start: `${post}Transfer-Encoding: chunked\r\n\r\n`,
      drip: { bytes: '0', everyMs: 500 },
    },
  ]
}

function read(text: string): SocketAnswer[] | undefined {
  try {
    return answersIn(text)
  } catch {
    return undefined
  }
}

/** Refusals are problems; faults of the server are none. 501 is said of a transfer coding (RFC 9112 §6.1). */
function faultsOf({ status, headers, body }: SocketAnswer, codes: ReadonlySet<string>): string[] {
  const all = (name: string) => headers.filter(([each]) => each.toLowerCase() === name).map(([, value]) => value)
  const ids = all('x-request-id')
  const faults = [
    ...(ids.length === 1 ? [] : [`X-Request-Id stands ${ids.length} times`]),
    ...(status >= 500 && status !== 501 ? [`it answered ${status}: ${body.slice(0, 200)}`] : []),
  ]
  if (status < 400) return faults
  const [type] = all('content-type')
  if (type !== 'application/problem+json') return [...faults, `its ${status} is ${type ?? 'nothing'} and no problem`]
  if (body === '') return faults // of a HEAD
  const problem = parsed(body)
  return [
    ...faults,
    ...(codes.has(String(problem?.['code'])) ? [] : [`code ${String(problem?.['code'])} is in no document`]),
    ...(problem?.['status'] === status && problem['requestId'] === ids[0]
      ? []
      : [`status or requestId of its problem is another: ${body.slice(0, 300)}`]),
  ]
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch {
    return undefined
  }
}

/** What is read, written and hidden: calls that the shop has served before, found by what they do. */
async function targetsFrom({ client, served, watch }: SocketOptions): Promise<Targets & { authorization: string }> {
  const requests = [...served.values()]
  const [read] = requests
    .map(({ operation }) => operation)
    .filter(({ method, token, path, parameters }) => {
      const isPlain = /^[\w/]+$/.test(path) && !parameters.some(({ required }) => required)
      return method === 'GET' && token === 'optional' && isPlain
    })
  for (const request of requests.filter(
    ({ operation }) => operation.method === 'POST' && operation.token === 'needed' && operation.body,
  )) {
    const plan = watch.plan()
    const before = await watch.see(plan)
    const token = await request.caller.token() // the one that it was sent with may have expired
    const smuggled = wireText(request, token, SMUGGLED_ID)
    await exchange(client.url, wireText(request, token, 'not-smuggled'), { deadlineMs: 2_000 })
    if (!read || differences(before, await watch.see(plan)).length === 0) continue
    return { read: read.path, write: request.target, smuggled, authorization: `Authorization: Bearer ${token}\r\n` }
  }
  throw new Error('there is no call to read with, or none that shows whether it was served')
}

/** A request as bytes. Its key, if it has one, would make its second sending do nothing. */
function wireText({ method, target, headers, body }: Request, token: string, id: string): string {
  const sent = headers.filter(([name]) => !['idempotency-key', 'x-request-id', 'authorization'].includes(name))
  const lines = [
    `${method} ${target} HTTP/1.1`,
    'Host: a',
    `X-Request-Id: ${id}`,
    `Authorization: Bearer ${token}`,
    ...sent.map(([name, value]) => `${name}: ${value}`),
  ]
  const content = body?.toString('latin1') ?? ''
  return `${lines.join('\r\n')}\r\nContent-Length: ${content.length}\r\n\r\n${content}`
}
