import { isUtf8 } from 'node:buffer'
import express, { type Request, type RequestHandler, type Response } from 'express'
import { z } from 'zod'
import { invalidToken, type Authenticate, type Caller } from './authentication'
import { IdempotencyKey } from './idempotency'
import { ProblemError, type Violation } from './problems'
import type { RouteSpec } from './routes'

const BODY_LIMIT_BYTES = 100_000

const verify = (_request: unknown, _response: unknown, body: Buffer, encoding: string) => {
  if (body.length === 0) throw new ProblemError('malformed-json', { detail: 'The body is empty.' })
  // Decoded all the same, every byte that is none would become the same U+FFFD.
  if (encoding === 'utf-8' && !isUtf8(body))
    throw new ProblemError('malformed-json', { detail: 'The body is not UTF-8.' })
}
// Compressed bodies are refused (415): the limit then counts what is sent. Media types are checked before.
const options = { limit: BODY_LIMIT_BYTES, inflate: false, type: () => true, verify }
const readJson = express.json({ ...options, strict: false })
const readForm = express.urlencoded({ ...options, extended: false })

const run = (middleware: RequestHandler, request: Request, response: Response) =>
  new Promise<void>((resolve, reject: (error: Error) => void) => {
    void middleware(request, response, (error?: unknown) => (error ? reject(error as Error) : resolve()))
  })

/** Rejects as soon as the body is seen to be too long: the parser answers only when all of it has come, which may be never. */
const tooLong = (request: Request) =>
  new Promise<never>((_resolve, reject) => {
    const check = (length: number) => {
      if (length > BODY_LIMIT_BYTES) reject(new ProblemError('content-too-large'))
    }
    check(Number(request.headers['content-length'] ?? 0))
    let seen = 0
    request.on('data', (chunk: Buffer) => check((seen += chunk.length)))
  })

/** Refuses a caller that the route is not for: 401, then 403. */
export async function admit(
  spec: RouteSpec,
  request: Request,
  authenticate: Authenticate,
): Promise<Caller | undefined> {
  if (spec.access === 'credentials') return undefined
  // Node would keep the first of several; who reads another one (a proxy, a log) would see somebody else.
  const [authorization, ...others] = request.headersDistinct['authorization'] ?? []
  if (others.length > 0) throw invalidToken('`Authorization` was sent more than once.')
  const caller = await authenticate(authorization)
  if (spec.access === 'public') return caller
  if (!caller) throw new ProblemError('unauthenticated')
  if (typeof spec.access === 'object' && !spec.access.roles.includes(caller.role))
    throw new ProblemError('forbidden-role')
  return caller
}

const mediaType = (request: Request) => request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase()
const hasContent = (request: Request) =>
  request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0

/** The parsed body: 415, 400 or 413 when it cannot be one. A call without a body needs no content type, and none may hide there. */
export async function readBody(spec: RouteSpec, request: Request, response: Response): Promise<unknown> {
  if (!spec.body && (spec.method === 'get' || !hasContent(request))) return undefined
  const type = mediaType(request)
  const reader =
    type === 'application/json'
      ? readJson
      : spec.form && type === 'application/x-www-form-urlencoded'
        ? readForm
        : undefined
  if (!reader) {
    throw new ProblemError('unsupported-media-type', {
      detail: `This call reads application/json${spec.form ? ' or application/x-www-form-urlencoded' : ''}.`,
    })
  }
  await Promise.race([run(reader, request, response), tooLong(request)])
  if (spec.body && request.body === undefined)
    throw new ProblemError('malformed-json', { detail: 'The body is empty.' })
  return request.body
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
export function requestParser(spec: RouteSpec): (request: Request, body: unknown) => Parsed {
  const schemas = schemasOf(spec)
  return (request, body) => {
    const violations: Violation[] = []
    const parse = (part: keyof typeof schemas, value: unknown): unknown => {
      const result = schemas[part].safeParse(value)
      if (!result.success) violations.push(...result.error.issues.flatMap((issue) => violationsOf(part, issue)))
      return result.data
    }
    const parsed = {
      params: parse('path', { ...request.params }),
      query: parse('query', { ...request.query }),
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
