import { type Agent, request as httpRequest } from 'node:http'
import { answersIn as answersOn, exchange } from '../../proof/src/fuzz/socket'

/** An answer with its headers as they were on the wire, repeated ones included. */
export class Answer {
  readonly status: number
  readonly headers: [name: string, value: string][]
  readonly bytes: Buffer
  constructor(status: number, headers: [string, string][], bytes: Buffer) {
    this.status = status
    this.headers = headers
    this.bytes = bytes
  }
  get text(): string {
    return this.bytes.toString()
  }
  all(name: string): string[] {
    return this.headers.filter(([each]) => each.toLowerCase() === name.toLowerCase()).map(([, value]) => value)
  }
  /** The one value of a header; undefined without it, and an error when it stands twice. */
  one(name: string): string | undefined {
    const values = this.all(name)
    if (values.length > 1) throw new Error(`${name} stands ${values.length} times: ${values.join(' | ')}`)
    return values[0]
  }
  json(): Record<string, unknown> {
    return JSON.parse(this.text) as Record<string, unknown>
  }
}

export type Call = {
  method?: string
  headers?: Record<string, string | string[]>
  body?: string | Buffer
  agent?: Agent | false
}

/** Sends a request whose path is not tidied up, unlike fetch's. */
export function send(
  port: number,
  path: string,
  { method = 'GET', headers, body, agent = false }: Call = {},
): Promise<Answer> {
  return new Promise((answered, failed) => {
    const call = httpRequest({ host: '127.0.0.1', port, path, method, headers, agent }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', failed)
      response.on('end', () => {
        const raw = response.rawHeaders
        const pairs = raw.flatMap((name, index) =>
          index % 2 ? [] : [[name, raw[index + 1] ?? ''] as [string, string]],
        )
        answered(new Answer(response.statusCode ?? 0, pairs, Buffer.concat(chunks)))
      })
    })
    call.on('error', failed)
    call.end(body)
  })
}

/** Writes bytes to a socket and reads until the other side closes it (a reset counts as closing). */
export const sendRaw = async (port: number, bytes: string | Buffer): Promise<string> =>
  (await exchange(`http://127.0.0.1:${port}`, bytes, { deadlineMs: 50_000 })).text

/** The answers in what came back on a socket. */
export const answersIn = (text: string): Answer[] =>
  answersOn(text).map(({ status, headers, body }) => new Answer(status, headers, Buffer.from(body, 'latin1')))

/** Sends bytes on a socket and expects exactly one answer before it is closed. */
export async function rawAnswer(port: number, bytes: string | Buffer): Promise<Answer> {
  const answers = answersIn(await sendRaw(port, bytes))
  expect(answers).toHaveLength(1)
  return answers[0]!
}

/** Headers of every answer, whoever made it. */
export function expectCommonHeaders(
  answer: Answer,
  contentSecurityPolicy = "default-src 'none'; frame-ancestors 'none'",
): void {
  expect({
    id: answer.one('X-Request-Id'),
    sniff: answer.one('X-Content-Type-Options'),
    frame: answer.one('X-Frame-Options'),
    referrer: answer.one('Referrer-Policy'),
    opener: answer.one('Cross-Origin-Opener-Policy'),
    resource: answer.one('Cross-Origin-Resource-Policy'),
    policy: answer.one('Content-Security-Policy'),
    server: answer.one('Server'),
    poweredBy: answer.one('X-Powered-By'),
    transport: answer.one('Strict-Transport-Security'),
  }).toEqual({
    id: expect.stringMatching(/^[A-Za-z0-9._-]{8,64}$/),
    sniff: 'nosniff',
    frame: 'DENY',
    referrer: 'no-referrer',
    opener: 'same-origin',
    resource: 'same-origin',
    policy: contentSecurityPolicy,
    server: 'nginx',
    poweredBy: undefined,
    transport: undefined,
  })
  expect(answer.all('Vary')).toHaveLength(1)
}

/** The whole shape of a problem that nginx reports itself (RFC 9457). */
export function expectProblem(answer: Answer, status: number, code: string, instance: string): void {
  expect([answer.status, answer.one('Content-Type')]).toEqual([status, 'application/problem+json'])
  expect(answer.json()).toEqual({
    type: `/problems/${code}`,
    title: expect.stringMatching(/^[A-Z].*\w$/),
    status,
    detail: expect.stringMatching(/^[A-Z].*\.$/),
    instance,
    code,
    requestId: answer.one('X-Request-Id'),
  })
  expectCommonHeaders(answer)
  expect(answer.one('Cache-Control')).toBe('no-store')
  expect(answer.one('Retry-After')).toEqual(
    [429, 502, 503, 504].includes(status) ? expect.stringMatching(/^[1-9]\d*$/) : undefined,
  )
  expect(answer.one('Allow')).toEqual(status === 405 ? expect.stringContaining('GET, HEAD') : undefined)
}
