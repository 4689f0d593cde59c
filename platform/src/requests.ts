import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import { parse as parseForm, type ParsedUrlQuery } from 'node:querystring'
import { z } from 'zod'
import { invalidToken, type Authenticate, type Caller } from './authentication'
import { IdempotencyKey } from './idempotency'
import { ProblemError, type Violation } from './problems'
import type { RouteSpec } from './routes'

const BODY_LIMIT_BYTES = 100_000

/** The body as it was sent; rejects as soon as it is seen to be too long, rather than when all of it has come, which may be never. */
const readBytes = (request: IncomingMessage) =>
  new Promise<Buffer>((resolve, reject) => {
    const tooLong = () => reject(new ProblemError('content-too-large'))
    if (Number(request.headers['content-length'] ?? 0) > BODY_LIMIT_BYTES) tooLong()
    const chunks: Buffer[] = []
    let length = 0
    request.on('data', (chunk: Buffer) => {
      length += chunk.length
      if (length > BODY_LIMIT_BYTES) tooLong()
      else chunks.push(chunk)
    })
    request.resume() // it is paused where somebody has looked whether it is empty
    request.once('end', () => resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)))
    // The client has gone: nobody will see the answer.
    request.once('error', () => reject(new ProblemError('bad-request')))
  })

/** As much as Nginx passes on. */
const LARGEST_BYTES = 256 * 1024

/**
 * When all of a request has come that is about to be refused: Nginx passes a body on as it comes, and an answer that is faster
 * than the body costs the client its connection, unannounced. What is endless, or as good as that, is not waited for.
 */
export async function arrival(request: IncomingMessage, isTooLong: boolean): Promise<void> {
  const length = Number(request.headers['content-length'] ?? (isTooLong ? Infinity : 0))
  if (request.complete || request.destroyed || length > LARGEST_BYTES) return
  await new Promise<void>((resolve) => {
    request
      .once('end', resolve)
      .once('close', resolve)
      .once('error', () => resolve())
    request.resume()
  })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new ProblemError('malformed-json')
  }
}

/** Refuses a caller that the route is not for: 401, then 403. */
export async function admit(
  spec: RouteSpec,
  request: IncomingMessage,
  authenticate: Authenticate,
): Promise<Caller | undefined> {
  if (spec.access === 'credentials') return undefined
  // Node would keep the first of several; who reads another one (a proxy, a log) would see somebody else.
  if (isRepeated(request, 'authorization')) throw invalidToken('`Authorization` was sent more than once.')
  const caller = await authenticate(request.headers.authorization)
  if (spec.access === 'public') return caller
  if (!caller) throw new ProblemError('unauthenticated')
  if (typeof spec.access === 'object' && !spec.access.roles.includes(caller.role))
    throw new ProblemError('forbidden-role')
  return caller
}

/** Looks into the headers as they came: making `headersDistinct` of all of them costs more than the rest of admitting. */
function isRepeated({ rawHeaders }: IncomingMessage, name: string): boolean {
  let count = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const each = rawHeaders[i]
    if (each?.length === name.length && each.toLowerCase() === name) count++
  }
  return count > 1
}

const isChunked = ({ headers }: IncomingMessage) => headers['transfer-encoding'] !== undefined
const hasContent = (request: IncomingMessage) =>
  isChunked(request) || Number(request.headers['content-length'] ?? 0) > 0

/** Whether the end of a body comes before anything of it; what has come is left to be read. */
const isEmpty = (request: IncomingMessage) =>
  new Promise<boolean>((resolve) => {
    const tell = () => {
      for (const event of ['readable', 'end', 'error']) request.off(event, tell)
      resolve(request.readableLength === 0)
    }
    for (const event of ['readable', 'end', 'error']) request.on(event, tell)
  })

const needsNoBody = ({ body }: RouteSpec) => !body || body.safeParse(undefined).success

const UTF_8 = /;\s*charset\s*=\s*"?utf-8"?\s*(;|$)/i

/** What a body is parsed by; 415 for what the call does not read. Compressed bodies are not: the limit counts what is sent. */
function parserFor(spec: RouteSpec, { headers }: IncomingMessage): (text: string) => unknown {
  const contentType = headers['content-type'] ?? ''
  const [type = ''] = contentType.split(';', 1)
  const parse = { 'application/json': parseJson, ...(spec.form && { 'application/x-www-form-urlencoded': parseForm }) }[
    type.trim().toLowerCase()
  ]
  const coding = headers['content-encoding'] ?? 'identity'
  if (!parse || coding.toLowerCase() !== 'identity' || (/charset/i.test(contentType) && !UTF_8.test(contentType))) {
    throw new ProblemError('unsupported-media-type', {
      detail: `This call reads application/json${spec.form ? ' or application/x-www-form-urlencoded' : ''}.`,
    })
  }
  return parse
}

/**
 * The parsed body: 415, 400 or 413 when it cannot be one. A call that needs none needs no content type, and none may hide there.
 */
export async function readBody(spec: RouteSpec, request: IncomingMessage): Promise<unknown> {
  if (!spec.body && spec.method === 'get') return undefined
  if (!hasContent(request) && needsNoBody(spec)) return undefined
  if (isChunked(request) && needsNoBody(spec) && (await isEmpty(request))) return undefined
  const parse = parserFor(spec, request)
  const body = await readBytes(request)
  if (body.length === 0) throw new ProblemError('malformed-json', { detail: 'The body is empty.' })
  // Decoded all the same, every byte that is none would become the same U+FFFD.
  if (!isUtf8(body)) throw new ProblemError('malformed-json', { detail: 'The body is not UTF-8.' })
  return parse(body.toString('utf8'))
}

/** The query string's fields; one that is repeated is a list. */
function queryOf(url = ''): ParsedUrlQuery | Record<string, never> {
  const start = url.indexOf('?')
  return start < 0 ? {} : { ...parseForm(url.slice(start + 1)) }
}

const nothing = z.strictObject({})
const noBody = z.union([z.undefined(), nothing])

/** The schemas that a request of this route is held to. */
const schemasOf = (spec: RouteSpec) => ({
  path: spec.params ?? nothing,
  query: spec.query ?? nothing,
  header: spec.idempotent
    ? (spec.headers ?? z.object({})).extend({ 'idempotency-key': IdempotencyKey.optional() })
    : (spec.headers ?? z.object({})),
  body: spec.body ?? noBody,
})

export type Parsed = {
  params: Record<string, unknown>
  query: Record<string, unknown>
  headers: Record<string, unknown>
  body: unknown
}

/** Parses all four parts before it refuses, so that a client sees every violation at once. */
export function requestParser(
  spec: RouteSpec,
): (request: IncomingMessage, params: Record<string, unknown>, body: unknown) => Parsed {
  const schemas = schemasOf(spec)
  return (request, params, body) => {
    const violations: Violation[] = []
    const parse = (part: keyof typeof schemas, value: unknown): unknown => {
      const result = schemas[part].safeParse(value)
      if (!result.success) violations.push(...result.error.issues.flatMap((issue) => violationsOf(part, issue)))
      return result.data
    }
    const parsed = {
      params: parse('path', params),
      query: parse('query', queryOf(request.url)),
      headers: parse('header', request.headers),
      body: parse('body', body),
    }
    if (violations.length > 0) throw new ProblemError('validation-failed', { members: { errors: violations } })
    return parsed as Parsed
  }
}

function violationsOf(part: Violation['in'], issue: z.core.$ZodIssue): Violation[] {
  const at = (path: PropertyKey[], message: string): Violation => ({
    in: part,
    path: path.map(String).join('.'),
    message,
  })
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => at([...issue.path, key], 'is not a known field'))
  return [at(issue.path, issue.message)]
}
