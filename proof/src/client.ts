import http, { type IncomingHttpHeaders } from 'node:http'
import https from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'
import { createGunzip } from 'node:zlib'

/** What a caller may conclude from an answer: it happened, nothing happened, or nobody knows. */
export type Outcome = 'ok' | 'refused' | 'unknown'

/** RFC 9457, with the members that the shop adds. */
export type Problem = { code?: string; detail?: string; [member: string]: unknown }

export type Answer<Body = unknown> = {
  outcome: Outcome
  /** 0 when no answer came; `fault` says why. */
  status: number
  headers: IncomingHttpHeaders
  /** As they came: names and values by turns. */
  rawHeaders: readonly string[]
  text: string
  /** The JSON of a 2xx, believed to be what was asked for. */
  body: Body | undefined
  /** The JSON of any other status. */
  problem: Problem | undefined
  fault?: string
  ms: number
  /** How often it was asked for, of a shop that was busy. */
  tries: number
}

/** Whoever a call is made for; the token is asked for at each call, since it expires. */
export type Caller = { token: () => Promise<string> }

export type Call = {
  as?: Caller | undefined
  /** Bytes go out as they are and say nothing of what they are; a string is JSON already, anything else becomes it. */
  body?: unknown
  /** A list goes out as several lines. */
  headers?: Record<string, string | string[]>
  /** Idempotency-Key */
  key?: string
  timeoutMs?: number
  /** For how long a 429, 502, 503 or 504 is answered by waiting for what Retry-After says and calling again; 0: not at all. */
  patienceMs?: number
  /**
   * A 429 had no effect, the others may have had one: it is called again when the method or a key makes that safe (RFC 9110
   * §9.2.2), or when this says so.
   */
  repeatable?: boolean
}

/** A call that is still to be made. */
export type Request = Call & { method: string; path: string }

export type Counts = { calls: number; limited: number; unavailable: number; lost: number }

export type Client = {
  url: string
  counts: Readonly<Counts>
  call: <Body = unknown>(method: string, path: string, call?: Call) => Promise<Answer<Body>>
  /**
   * Many calls that arrive in the same moment: all but the last byte of each is sent, then the last bytes of all. Of a
   * server that reads whole requests before it works on them, this is as close to a race as one comes from outside.
   */
  together: <Body = unknown>(requests: readonly Request[]) => Promise<Answer<Body>[]>
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
  const kept = { keepAlive: true, timeout: IDLE_CONNECTION_MS }
  const agent = new transport.Agent({ ...kept, maxSockets: options.connections ?? 64 })
  const crowd = new transport.Agent(kept) // of `together`, where nobody may wait for a connection
  const counts: Counts = { calls: 0, limited: 0, unavailable: 0, lost: 0 }
  const quiet = quietTimes()

  async function open(method: string, path: string, call: Call, through: http.Agent | false) {
    const { body } = call
    const isJson = body !== undefined && !Buffer.isBuffer(body)
    const bytes = Buffer.isBuffer(body)
      ? body
      : Buffer.from(typeof body === 'string' ? body : (JSON.stringify(body) ?? ''))
    const headers = {
      ...(call.as && { authorization: `Bearer ${await call.as.token()}` }),
      ...(isJson && { 'content-type': 'application/json' }),
      ...(body !== undefined && { 'content-length': bytes.length }),
      ...(call.key !== undefined && { 'idempotency-key': call.key }),
      ...call.headers,
    }
    const { protocol, hostname, port } = base
    const target = { protocol, hostname: hostname.replace(/^\[|\]$/g, ''), port, path: prefix + path }
    counts.calls++
    return { bytes, sent: transport.request({ ...target, method, headers, agent: through }) }
  }

  async function answered(sent: http.ClientRequest, call: Call): Promise<Answer> {
    const timeoutMs = call.timeoutMs ?? options.timeoutMs ?? 15_000
    const timer = setTimeout(() => sent.destroy(new Error(`no whole answer within ${timeoutMs} ms`)), timeoutMs)
    const answer = await answerOf(sent)
    clearTimeout(timer)
    if (answer.status === 429) counts.limited++
    if (isBusy(answer) && answer.status !== 429) counts.unavailable++
    if (answer.status === 0) counts.lost++
    return answer
  }

  async function sendOnce(method: string, path: string, call: Call): Promise<Answer> {
    const { sent, bytes } = await open(method, path, call, agent)
    sent.end(bytes)
    return answered(sent, call)
  }

  /** Resolves when the last byte is all that is missing; for one without a body that is the end of an empty chunked one. */
  async function sendAllButLast({ method, path, ...call }: Request) {
    const { sent, bytes } = await open(method, path, call, crowd)
    const answer = answered(sent, call)
    const held = new Promise((resolve) => {
      if (bytes.length > 0) sent.write(bytes.subarray(0, -1), resolve)
      else sent.on('socket', (socket) => (socket.connecting ? socket.once('connect', resolve) : resolve(undefined)))
      sent.flushHeaders()
    })
    await Promise.race([held, answer])
    return { answer, release: () => sent.end(bytes.subarray(-1)) }
  }

  const patienceOf = (call: Call) => call.patienceMs ?? options.patienceMs ?? 0

  async function patiently<Body>(method: string, path: string, call: Call): Promise<Answer<Body>> {
    const patienceMs = patienceOf(call)
    const deadline = performance.now() + patienceMs
    for (let tries = 1; ; tries++) {
      if (patienceMs > 0) await quiet.over(method, path)
      const answer = { ...((await sendOnce(method, path, call)) as Answer<Body>), tries }
      const waitMs = mayRepeat(method, call, answer) ? retryAfterMs(answer) : undefined
      if (waitMs === undefined || performance.now() + waitMs > deadline) return answer
      quiet.keep(method, path, waitMs)
    }
  }

  return {
    url: options.url,
    counts,
    call: (method, path, call = {}) => patiently(method, path, call),
    async together<Body>(requests: readonly Request[]) {
      for (const { method, path } of requests) await quiet.over(method, path)
      const held = await Promise.all(requests.map(sendAllButLast))
      for (const { release } of held) release()
      const answers = (await Promise.all(held.map(({ answer }) => answer))) as Answer<Body>[]
      return Promise.all(
        requests.map(async ({ method, path, ...call }, i) => {
          const answer = answers[i] as Answer<Body>
          if (!mayRepeat(method, call, answer) || patienceOf(call) === 0) return answer
          quiet.keep(method, path, retryAfterMs(answer) ?? 0)
          const later = await patiently<Body>(method, path, call)
          return { ...later, tries: later.tries + 1 }
        }),
      )
    },
    async abandon(method, path, call) {
      const { sent, bytes } = await open(method, path, call, false)
      // Not events.once, which an error would reject.
      const [written, broken] = ['finish', 'close'].map((event) => new Promise((resolve) => sent.on(event, resolve)))
      sent.on('error', () => undefined) // what becomes of it is what nobody is to know
      sent.on('response', (response) => response.on('error', () => undefined).resume())
      sent.end(bytes)
      await Promise.race([written, broken])
      if (call.afterMs !== undefined) await sleep(call.afterMs)
      sent.destroy()
      await broken
    },
    close: () => [agent, crowd].forEach((each) => each.destroy()),
  }
}

function answerOf(sent: http.ClientRequest): Promise<Answer> {
  const begun = performance.now()
  return new Promise((resolve) => {
    const lost = (fault: string) =>
      resolve({
        ...{
          outcome: 'unknown',
          status: 0,
          headers: {},
          rawHeaders: [],
          text: '',
          body: undefined,
          problem: undefined,
        },
        fault,
        ms: performance.now() - begun,
        tries: 1,
      })
    sent.on('error', (error) => lost(error.message))
    sent.on('response', (response) => {
      let text = ''
      const hasContent = sent.method !== 'HEAD' && response.statusCode !== 304
      const isCompressed = hasContent && response.headers['content-encoding'] === 'gzip'
      const content = isCompressed ? response.pipe(createGunzip()) : response
      content.setEncoding('utf8')
      content.on('data', (chunk: string) => (text += chunk))
      for (const stream of [response, content]) stream.on('error', (error) => lost(error.message))
      content.on('end', () => resolve(read(response, text, performance.now() - begun)))
    })
  })
}

function read({ statusCode = 0, headers, rawHeaders }: http.IncomingMessage, text: string, ms: number): Answer {
  const json = headers['content-type']?.includes('json') ? parsed(text) : undefined
  const good = statusCode >= 200 && statusCode < 300
  const problem = good ? undefined : (json as Problem | undefined)
  const body = good ? json : undefined
  return {
    outcome: outcomeOf(statusCode, problem?.code),
    status: statusCode,
    headers,
    rawHeaders,
    text,
    body,
    problem,
    ms,
    tries: 1,
  }
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
export const isBusy = ({ status }: Pick<Answer, 'status'>): boolean => [429, 502, 503, 504].includes(status)

const mayRepeat = (method: string, call: Call, answer: Answer): boolean =>
  answer.status === 429 ||
  (isBusy(answer) && (call.repeatable ?? (call.key !== undefined || ['GET', 'HEAD', 'PUT', 'DELETE'].includes(method))))

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
