import { OpenAPIRegistry, OpenApiGeneratorV31, type RouteConfig } from '@asteasolutions/zod-to-openapi'
import { z } from 'zod'
import { IdempotencyKey } from './idempotency'
import { PLATFORM_PROBLEMS, type ProblemDefinition, type ProblemTable } from './problems'
import type { RouteSpec } from './routes'

export type OpenApiDocument = ReturnType<OpenApiGeneratorV31['generateDocument']>

/** The one name of the security scheme in every document, so that Swagger UI keeps its token when the document changes. */
export const SECURITY_SCHEME = 'shop'

/** What Nginx or the plumbing can answer to any call. */
const EVERYWHERE = [
  'bad-request',
  'request-timeout',
  'content-too-large',
  'uri-too-long',
  'validation-failed',
  'rate-limited',
  'internal-error',
  'bad-gateway',
  'database-unavailable',
  'service-unavailable',
  'database-unavailable',
  'outcome-unknown',
  'gateway-timeout',
] as const

function codesOf(spec: RouteSpec): string[] {
  const { access } = spec
  return [
    ...EVERYWHERE,
    ...spec.problems,
    ...(access === 'credentials' ? [] : ['invalid-token', 'keys-unavailable']),
    ...(access === 'public' || access === 'credentials' ? [] : ['unauthenticated']),
    ...(typeof access === 'object' ? ['forbidden-role'] : []),
    ...(spec.method === 'get' ? [] : ['malformed-json', 'unsupported-media-type']),
    ...(spec.idempotent ? ['request-in-progress', 'idempotency-key-reused'] : []),
  ]
}

const schemaName = (code: string) =>
  `${code.replace(/(^|-)(\w)/g, (_, __, letter: string) => letter.toUpperCase())}Problem`

/** A component schema for each problem code, so that `code`, `status` and extra members are told exactly. */
function problemSchemas(table: ProblemTable): Map<string, z.ZodType> {
  const schemaOf = ([code, { status, title, description, members }]: [string, ProblemDefinition]) =>
    z
      .object({
        type: z.literal(`/problems/${code}`),
        title: z.literal(title),
        status: z.literal(status),
        detail: z.string(),
        instance: z.string(),
        code: z.literal(code),
        requestId: z.string(),
        ...members,
      })
      .meta({ id: schemaName(code), description })
  return new Map(Object.entries(table).map((entry) => [entry[0], schemaOf(entry)]))
}

const RetryAfter = {
  'Retry-After': { description: 'Seconds to wait.', schema: { type: 'integer' as const, minimum: 0 } },
}
const header = (description: string) => ({ description, schema: { type: 'string' as const } })
const required = (description: string) => ({ ...header(description), required: true })
const successHeaders: Record<string, object> = {
  Location: { Location: required('Path of what was created.') },
  ETag: { ETag: required('Version of the resource, for If-None-Match and If-Match.') },
}

function refusals(spec: RouteSpec, table: ProblemTable, schemas: Map<string, z.ZodType>): RouteConfig['responses'] {
  const byStatus = new Map<number, string[]>()
  for (const code of new Set(codesOf(spec))) {
    const status = table[code]?.status
    if (status === undefined) throw new Error(`${spec.operationId} declares an unknown problem: ${code}`)
    byStatus.set(status, [...(byStatus.get(status) ?? []), code])
  }
  const own = Object.keys(spec.responses).map(Number)
  const statuses = new Set([...byStatus.keys(), ...(spec.errors?.statuses ?? [])])
  const entries = [...statuses]
    .filter((status) => !own.includes(status))
    .sort((a, b) => a - b)
    .map((status) => {
      const codes = byStatus.get(status) ?? []
      const variants = codes.map((code) => schemas.get(code) as z.ZodType)
      const [first, second, ...rest] = variants
      const description = codes.length > 0 ? codes.map((code) => `\`${code}\``).join(', ') : 'Refused.'
      const content = {
        ...(first && { 'application/problem+json': { schema: second ? z.union([first, second, ...rest]) : first } }),
        ...(spec.errors && { 'application/json': { schema: spec.errors.schema } }),
      }
      const headers = {
        ...(codes.some((code) => table[code]?.retryAfter !== undefined) && RetryAfter),
        ...(status === 401 && { 'WWW-Authenticate': required('`Bearer` (RFC 6750).') }),
      }
      return [status, { description, headers, content }] as const
    })
  return Object.fromEntries(entries)
}

function successes(spec: RouteSpec): RouteConfig['responses'] {
  const entries = Object.entries(spec.responses).flatMap(([status, { description, body, headers = [] }]) => {
    const documented = {
      ...Object.assign({}, ...headers.map((name) => successHeaders[name])),
      ...(spec.method === 'get' && { ETag: required('Version of what was read.') }),
      ...(spec.idempotent && { 'Idempotency-Replayed': header('`true` when this answer is a repeat.') }),
    } as Record<string, ReturnType<typeof header>>
    const answer = {
      description,
      headers: documented,
      ...(body && { content: { 'application/json': { schema: body } } }),
    }
    const notModified = { description: 'Not modified: `If-None-Match` names what is there.', headers: documented }
    return spec.method === 'get' && status === '200'
      ? [
          [status, answer],
          ['304', notModified],
        ]
      : [[status, answer]]
  })
  return Object.fromEntries(entries) as RouteConfig['responses']
}

function operation(spec: RouteSpec, table: ProblemTable, schemas: Map<string, z.ZodType>): RouteConfig {
  const { access, body } = spec
  const headers = {
    ...(spec.method === 'get' && {
      'if-none-match': z.string().optional().meta({ description: 'ETag of what the caller has.' }),
    }),
    ...(spec.idempotent && {
      'idempotency-key': IdempotencyKey.optional().meta({
        description: 'Makes the call safe to repeat for 24 hours: the same key gets the same answer.',
      }),
    }),
    ...spec.headers?.shape,
  }
  const content = body && {
    'application/json': { schema: body },
    ...(spec.form && { 'application/x-www-form-urlencoded': { schema: body } }),
  }
  return {
    method: spec.method,
    path: spec.path,
    operationId: spec.operationId,
    tags: [spec.tag],
    summary: spec.summary,
    ...(spec.description !== undefined && { description: spec.description }),
    'x-access': typeof access === 'object' ? access.roles.map((role) => role) : access,
    security:
      access === 'credentials'
        ? []
        : access === 'public'
          ? [{}, { [SECURITY_SCHEME]: [] }]
          : [{ [SECURITY_SCHEME]: [] }],
    request: {
      ...(spec.params && { params: spec.params }),
      ...(spec.query && { query: spec.query }),
      ...(Object.keys(headers).length > 0 && { headers: z.object(headers) }),
      ...(content && { body: { required: true, content } }),
    },
    responses: { ...successes(spec), ...refusals(spec, table, schemas) },
  }
}

/** The OpenAPI 3.1 document of a service, from the same declarations that serve it. */
export function openApiDocument(options: {
  title: string
  description: string
  tags: readonly { name: string; description: string }[]
  routes: readonly { spec: RouteSpec }[]
  problems: ProblemTable
}): OpenApiDocument {
  const table: ProblemTable = { ...PLATFORM_PROBLEMS, ...options.problems }
  const schemas = problemSchemas(table)
  const registry = new OpenAPIRegistry()
  registry.registerComponent('securitySchemes', SECURITY_SCHEME, {
    type: 'oauth2',
    description: 'Username and password of an account; the client id may stay empty.',
    flows: { password: { tokenUrl: '/users/token', refreshUrl: '/users/token', scopes: {} } },
  })
  for (const { spec } of options.routes) registry.registerPath(operation(spec, table, schemas))
  return new OpenApiGeneratorV31(registry.definitions).generateDocument({
    openapi: '3.1.0',
    info: {
      title: options.title,
      version: '1.0.0',
      description: options.description,
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    tags: options.tags.map((tag) => ({ ...tag })),
    'x-problems': Object.fromEntries(
      Object.entries(table).map(([code, { status, title, description }]) => [code, { status, title, description }]),
    ),
  })
}
