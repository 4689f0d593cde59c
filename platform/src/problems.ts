import { z } from 'zod'

/** What one problem code means; `members` are the fields that this problem carries beyond RFC 9457's own. */
export type ProblemDefinition = {
  status: number
  title: string
  /** For `/problems/<code>`: why it happens and what the caller can do. */
  description: string
  members?: z.ZodRawShape
  /** Seconds for a `Retry-After` header. */
  retryAfter?: number
}
export type ProblemTable = Readonly<Record<string, ProblemDefinition>>

export const Violation = z
  .object({
    in: z.enum(['path', 'query', 'header', 'body']),
    path: z
      .string()
      .meta({ description: 'Dotted path of the field, empty for the whole.', example: 'items.0.quantity' }),
    message: z.string(),
  })
  .meta({ id: 'Violation' })
export type Violation = z.infer<typeof Violation>

/** The codes that any call can answer, Nginx's own included. */
export const PLATFORM_PROBLEMS = {
  'bad-request': {
    status: 400,
    title: 'Bad request',
    description: 'The request line, a header or the framing of the request is malformed.',
  },
  'malformed-json': {
    status: 400,
    title: 'Malformed JSON',
    description: 'The body is empty or is not JSON (RFC 8259).',
  },
  unauthenticated: {
    status: 401,
    title: 'Authentication needed',
    description: 'The call needs an access token: `Authorization: Bearer …`. Get one from `POST /users/token`.',
  },
  'invalid-token': {
    status: 401,
    title: 'Invalid access token',
    description: 'The access token is malformed, expired, not yet valid, or not signed by this shop. Refresh it.',
  },
  'forbidden-role': {
    status: 403,
    title: 'Not for this role',
    description: "The caller's role may not make this call.",
  },
  'route-not-found': {
    status: 404,
    title: 'No such path',
    description: 'Nothing is served at this path. Paths are case-sensitive and have no trailing slash.',
  },
  'method-not-allowed': {
    status: 405,
    title: 'Method not allowed',
    description: 'The path exists, this method does not. `Allow` lists those that do.',
  },
  'request-timeout': {
    status: 408,
    title: 'Request timeout',
    description: 'The request did not arrive in time.',
  },
  'request-in-progress': {
    status: 409,
    title: 'Request in progress',
    description:
      'A call with this Idempotency-Key is being served at this moment. Repeat it after `Retry-After` seconds.',
    retryAfter: 1,
  },
  'precondition-failed': {
    status: 412,
    title: 'Changed in the meantime',
    description: '`If-Match` names an older version. Read the resource again and repeat the change on what it is now.',
  },
  'content-too-large': {
    status: 413,
    title: 'Content too large',
    description: 'A request body may have 100 kB.',
  },
  'uri-too-long': {
    status: 414,
    title: 'URI too long',
    description: 'The request line is longer than is read.',
  },
  'unsupported-media-type': {
    status: 415,
    title: 'Unsupported media type',
    description: 'The body has another media type, charset or content encoding than this call reads.',
  },
  'validation-failed': {
    status: 422,
    title: 'Validation failed',
    description: 'The request breaks the schema of this call; `errors` lists every violation.',
    members: {
      errors: z
        .array(Violation)
        .min(1)
        .meta({ example: [{ in: 'body', path: 'items.0.quantity', message: 'Too small: expected number to be >=1' }] }),
    },
  },
  'idempotency-key-reused': {
    status: 422,
    title: 'Idempotency-Key reused',
    description: 'This Idempotency-Key was used within 24 hours for this call with another request. Use a new key.',
  },
  'precondition-required': {
    status: 428,
    title: 'If-Match needed',
    description: 'This change needs `If-Match` with the ETag of what was read, so that no other change is overwritten.',
  },
  'rate-limited': {
    status: 429,
    title: 'Too many requests',
    description: 'The caller is over a rate limit. Repeat the call after `Retry-After` seconds.',
    retryAfter: 1,
  },
  'internal-error': {
    status: 500,
    title: 'Internal error',
    description: 'A fault of the shop. The log has its cause under the `requestId`.',
  },
  'not-implemented': {
    status: 501,
    title: 'Not implemented',
    description: 'The transfer coding of the request is not supported; send it with `Content-Length` or chunked.',
  },
  'bad-gateway': {
    status: 502,
    title: 'Bad gateway',
    description:
      'The service behind Nginx did not answer; it may be restarting. Its effect is unknown: repeat with the same Idempotency-Key.',
    retryAfter: 1,
  },
  'service-unavailable': {
    status: 503,
    title: 'Service unavailable',
    description: 'The service is overloaded or shutting down. Nothing was done.',
    retryAfter: 1,
  },
  'database-unavailable': {
    status: 503,
    title: 'Database unavailable',
    description: 'The database is away, locked or full. Nothing was done; repeat the call.',
    retryAfter: 1,
  },
  'outcome-unknown': {
    status: 503,
    title: 'Outcome unknown',
    description:
      'The answer was lost while the change was being committed, or took too long. Repeat the call with the same Idempotency-Key: it is done at most once.',
    retryAfter: 1,
  },
  'keys-unavailable': {
    status: 503,
    title: 'Token keys unavailable',
    description: 'The public keys that verify access tokens have not been loaded yet.',
    retryAfter: 1,
  },
  'gateway-timeout': {
    status: 504,
    title: 'Gateway timeout',
    description:
      'The service behind Nginx did not answer in time. Its effect is unknown: repeat with the same Idempotency-Key.',
    retryAfter: 1,
  },
} as const satisfies ProblemTable
export type PlatformCode = keyof typeof PLATFORM_PROBLEMS

/** A refusal on its way to the client: `code` names a row of the service's problem table. */
export type ProblemReply<Code extends string = string> = {
  problem: Code
  detail?: string
  members?: Record<string, unknown>
  headers?: Record<string, string>
}

export const problem = <const Code extends string>(
  code: Code,
  more: Omit<ProblemReply, 'problem'> = {},
): ProblemReply<Code> => ({ problem: code, ...more })

/** A refusal raised by plumbing (body parser, authentication, key claims) rather than returned by a handler. */
export class ProblemError extends Error {
  readonly reply: ProblemReply<PlatformCode>
  constructor(code: PlatformCode, more: Omit<ProblemReply, 'problem'> = {}) {
    super(more.detail ?? code)
    this.reply = problem(code, more)
  }
}

/** RFC 9457 body of a problem. */
export type ProblemBody = {
  type: string
  title: string
  status: number
  detail: string
  instance: string
  code: string
  requestId: string
  [member: string]: unknown
}

export function problemBody(
  table: ProblemTable,
  { problem: code, detail, members }: ProblemReply,
  { instance, requestId }: { instance: string; requestId: string },
): ProblemBody {
  const definition = table[code]
  if (!definition) throw new Error(`problem code without a definition: ${code}`)
  return {
    type: `/problems/${code}`,
    title: definition.title,
    status: definition.status,
    detail: detail ?? definition.description,
    instance,
    code,
    requestId,
    ...members,
  }
}
