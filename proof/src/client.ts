import http, { type IncomingHttpHeaders } from 'node:http'
import https from 'node:https'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'

/** What a caller may conclude from an answer: it happened, nothing happened, or nobody knows. */
export type Outcome = 'ok' | 'refused' | 'unknown'

/** RFC 9457, with the members that the shop adds. */
export type Problem = { code?: string; detail?: string; [member: string]: unknown }

export type Answer<Body = unknown> = {
  outcome: Outcome
  /** 0 when no answer came; `fault` says why. */
  status: number
  headers: IncomingHttpHeaders
  text: string
  /** The JSON of a 2xx, believed to be what was asked for. */
  body: Body | undefined
  /** The JSON of any other status. */
  problem: Problem | undefined
  fault?: string
  ms: number
}

/** Whoever a call is made for; the token is asked for at each call, since it expires. */
export type Caller = { token: () => Promise<string> }

export type Call = {
  as?: Caller | undefined
  /** A string goes out as it is, anything else as JSON. */
  body?: unknown
  headers?: Record<string, string>
  /** Idempotency-Key */
  key?: string
  timeoutMs?: number
  /**
   * For how long a 429 or 503 is answered by waiting for what Retry-After says and calling again; 0: not at all. For calls
   * that may be repeated: give those that create a key.
   */
  patienceMs?: number
}

export type Counts = { calls: number; limited: number; unavailable: number; lost: number }

export type Client = {
  url: string
  counts: Readonly<Counts>
  call: <Body = unknown>(method: string, path: string, call?: Call) => Promise<Answer<Body>>
  /**
   * Sends the request and destroys the connection when all of it is written, or `afterMs` later: whether the shop has
   * done what was asked, and what it answered, is lost.
   */
  abandon: (method: string, path: string, call: Call & { afterMs?: number }) => Promise<void>
  close: () => void
}

export type ClientOptions = {
  url: string
  /** At the same time. */
  connections?: number
  /** Of every call that says nothing else. The shop promises 10 s. */
  timeoutMs?: number
  patienceMs?: number
}

/** Servers close idle connections, Node's after 5 s: a call must not meet one that is being closed. */
const IDLE_CONNECTION_MS = 4_000

export function openClient(options: ClientOptions): Client {
  const base = new URL(options.url)
  const prefix = base.pathname.replace(/\/$/, '')
  const transport = base.protocol === 'https:' ? https : http
  const agent = new transport.Agent({
    keepAlive: true,
    maxSockets: options.connections ?? 64,
    timeout: IDLE_CONNECTION_MS,
  })
  const counts: Counts = { calls: 0, limited: 0, unavailable: 0, lost: 0 }
  const quiet = quietTimes()

  async function request(method: string, path: string, call: Call, ownConnection: boolean) {
    const payload = call.body === undefined || typeof call.body === 'string' ? call.body : JSON.stringify(call.body)
    const headers = {
      ...(call.as && { authorization: `Bearer ${await call.as.token()}` }),
      ...(payload !== undefined && {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(payload),
      }),
      ...(call.key !== undefined && { 'idempotency-key': call.key }),
      ...call.headers,
    }
    const { protocol, hostname, port } = base
    const target = { protocol, hostname: hostname.replace(/^\[|\]$/g, ''), port, path: prefix + path }
    counts.calls++
    return { payload, sent: transport.request({ ...target, method, headers, agent: ownConnection ? false : agent }) }
  }

  async function sendOnce(method: string, path: string, call: Call): Promise<Answer> {
    const begun = performance.now()
    const { sent, payload } = await request(method, path, call, false)
    const timeoutMs = call.timeoutMs ?? options.timeoutMs ?? 15_000
    const timer = setTimeout(() => sent.destroy(new Error(`no whole answer within ${timeoutMs} ms`)), timeoutMs)
    sent.end(payload)
    const answer = await answerOf(sent, begun)
    clearTimeout(timer)
    if (answer.status === 429) counts.limited++
    if (answer.status === 503) counts.unavailable++
    if (answer.status === 0) counts.lost++
    return answer
  }

  return {
    url: options.url,
    counts,
    async call<Body>(method: string, path: string, call: Call = {}) {
      const patienceMs = call.patienceMs ?? options.patienceMs ?? 0
      const deadline = performance.now() + patienceMs
      for (;;) {
        if (patienceMs > 0) await quiet.over(method, path)
        const answer = (await sendOnce(method, path, call)) as Answer<Body>
        const waitMs = isBusy(answer) ? retryAfterMs(answer) : undefined
        if (waitMs === undefined || performance.now() + waitMs > deadline) return answer
        quiet.keep(method, path, waitMs)
      }
    },
    async abandon(method, path, call) {
      const { sent, payload } = await request(method, path, call, true)
      const broken = new Promise((resolve) => sent.on('close', resolve))
      sent.on('error', () => undefined) // what becomes of it is what nobody is to know
      sent.on('response', (response) => response.on('error', () => undefined).resume())
      sent.end(payload)
      await Promise.race([once(sent, 'finish'), broken])
      if (call.afterMs !== undefined) await sleep(call.afterMs)
      sent.destroy()
      await broken
    },
    close: () => agent.destroy(),
  }
}

function answerOf(sent: http.ClientRequest, begun: number): Promise<Answer> {
  return new Promise((resolve) => {
    const lost = (fault: string) =>
      resolve({
        ...{ outcome: 'unknown', status: 0, headers: {}, text: '', body: undefined, problem: undefined },
        fault,
        ms: performance.now() - begun,
      })
    sent.on('error', (error) => lost(error.message))
    sent.on('response', (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text += chunk))
      response.on('error', (error) => lost(error.message))
      response.on('end', () => resolve(read(response, text, performance.now() - begun)))
    })
  })
}

function read({ statusCode = 0, headers }: http.IncomingMessage, text: string, ms: number): Answer {
  const json = headers['content-type']?.includes('json') ? parsed(text) : undefined
  const good = statusCode >= 200 && statusCode < 300
  const problem = good ? undefined : (json as Problem | undefined)
  const body = good ? json : undefined
  return { outcome: outcomeOf(statusCode, problem?.code), status: statusCode, headers, text, body, problem, ms }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined // a body that is no JSON is seen as none; its text is there
  }
}

/** 408 is told when a request may have arrived whole, and `request-in-progress` while its first sending is undecided. */
function outcomeOf(status: number, code: string | undefined): Outcome {
  if (status >= 200 && status < 400) return 'ok'
  if (status < 400 || status >= 500 || status === 408 || code === 'request-in-progress') return 'unknown'
  return 'refused'
}

/** Neither a right answer nor a wrong one: the shop asks to be called again later. */
export const isBusy = ({ status }: Pick<Answer, 'status'>): boolean => status === 429 || status === 503

/** RFC 9110 §10.2.3: seconds or a date. Undefined when the answer does not say. */
export function retryAfterMs({ headers }: Pick<Answer, 'headers'>): number | undefined {
  const value = headers['retry-after']
  if (value === undefined) return undefined
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now()
  return Number.isNaN(ms) ? undefined : Math.max(0, ms)
}

/** One Retry-After holds back every call that counts against the same limit; logging in has one of its own. */
function quietTimes() {
  const until = new Map<string, number>()
  const limitOf = (method: string, path: string) =>
    /^POST \/users(\/token)?$/.test(`${method} ${path}`) ? 'login' : ''
  return {
    keep: (method: string, path: string, ms: number) => {
      const limit = limitOf(method, path)
      until.set(limit, Math.max(until.get(limit) ?? 0, performance.now() + ms))
    },
    over: async (method: string, path: string) => {
      const limit = limitOf(method, path)
      for (let left = 1; left > 0;) {
        left = (until.get(limit) ?? 0) - performance.now()
        if (left > 0) await sleep(left)
      }
    },
  }
}
