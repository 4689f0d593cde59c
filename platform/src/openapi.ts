import { OpenAPIRegistry, OpenApiGeneratorV31, type RouteConfig } from '@asteasolutions/zod-to-openapi'
import { z } from 'zod'
import { IdempotencyKey } from './idempotency'
import { problemResponses } from './openapi-problems'
import { PLATFORM_PROBLEMS, type ProblemTable } from './problems'
import type { Access, RouteSpec } from './routes'

export type OpenApiDocument = ReturnType<OpenApiGeneratorV31['generateDocument']>

/** The one name of the security scheme in every document, so that Swagger UI keeps its token when the document changes. */
const SECURITY_SCHEME = 'shop'

const header = (description: string, example: string, required = false) => ({
  description,
  required,
  schema: { type: 'string' as const },
  example,
})
const ETAG = header('Version of the resource, for `If-None-Match` and `If-Match`.', '"3"', true)
const LOCATION = header('Path of what was created.', '/path/of/it', true)
const REPLAYED = header('`true` when this answer repeats that of an earlier call with the same key.', 'true')
/** Of every answer; a refusal has the id in its body as well and is never stored, so there they are left out as noise. */
const commonHeaders = {
  'X-Request-Id': header(
    'Names this request in logs and problems; the one that the client sent, when it was a sane one.',
    '0c9d1f6e-3a57-4a5e-8a0e-5d0f6a1b7c28',
    true,
  ),
  'Cache-Control': header('`no-cache`: revalidate by ETag. `no-store`: do not keep.', 'no-cache'),
}

function successes(spec: RouteSpec): RouteConfig['responses'] {
  const entries = Object.entries(spec.responses).flatMap(([status, { description, body, headers = [] }]) => {
    const documented = {
      'X-Request-Id': { $ref: '#/components/headers/X-Request-Id' },
      'Cache-Control': { $ref: '#/components/headers/Cache-Control' },
      ...(headers.includes('Location') && { Location: LOCATION }),
      ...((headers.includes('ETag') || spec.method === 'get') && { ETag: ETAG }),
      ...(spec.idempotent && { 'Idempotency-Replayed': REPLAYED }),
    }
    const content = body && { 'application/json': { schema: body } }
    const answer = { description, headers: documented, ...(content && { content }) }
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

/** `if-match` is `If-Match` to readers; services see headers in lower case. */
const spelled = (name: string) => name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase())

function headersOf(spec: RouteSpec): z.ZodObject | undefined {
  const headers: Record<string, z.ZodType> = {
    ...(spec.method === 'get' && {
      'if-none-match': z
        .string()
        .optional()
        .meta({ description: 'ETag of what the caller has: `304` when it is still that.' }),
    }),
    ...(spec.idempotent && {
      'idempotency-key': IdempotencyKey.optional().meta({
        description:
          'Makes the call safe to repeat for 24 hours: the same key with the same request gets the same answer.',
      }),
    }),
    ...(spec.headers?.shape as Record<string, z.ZodType> | undefined),
  }
  const entries = Object.entries(headers).map(([name, schema]) => [spelled(name), schema])
  return entries.length > 0 ? z.object(Object.fromEntries(entries) as typeof headers) : undefined
}

function whoMayCall(access: Access): string {
  if (typeof access === 'object') return `role ${access.roles.join(' or ')}`
  return {
    public: 'anyone; a token that is sent must be good',
    authenticated: 'anyone who is logged in',
    credentials: 'anyone; the body carries the credentials, `Authorization` is not read',
  }[access]
}

function securityOf(access: Access): Record<string, string[]>[] {
  if (access === 'credentials') return []
  return access === 'public' ? [{}, { [SECURITY_SCHEME]: [] }] : [{ [SECURITY_SCHEME]: [] }]
}

function operation(spec: RouteSpec, problems: RouteConfig['responses']): RouteConfig {
  const { access, body } = spec
  const headers = headersOf(spec)
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
    description: [spec.description, `Who may call: ${whoMayCall(access)}.`].filter(Boolean).join('\n\n'),
    'x-access': typeof access === 'object' ? [...access.roles] : access,
    security: securityOf(access),
    request: {
      ...(spec.params && { params: spec.params }),
      ...(spec.query && { query: spec.query }),
      ...(headers && { headers }),
      ...(content && { body: { required: !spec.body?.safeParse(undefined).success, content } }),
    },
    responses: { ...successes(spec), ...problems },
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
  const registry = new OpenAPIRegistry()
  registry.registerComponent('securitySchemes', SECURITY_SCHEME, {
    type: 'oauth2',
    description: 'Username and password of an account; client id and secret stay empty.',
    flows: { password: { tokenUrl: '/users/token', refreshUrl: '/users/token', scopes: {} } },
  })
  for (const [name, value] of Object.entries(commonHeaders)) registry.registerComponent('headers', name, value)
  const { responsesOf, schemas } = problemResponses(registry, table)
  for (const { spec } of options.routes) registry.registerPath(operation(spec, responsesOf(spec)))
  const document = new OpenApiGeneratorV31([...registry.definitions, ...schemas()]).generateDocument({
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
  return problemsLast(document)
}

/** Readers of the list of schemas look for a product, not for one of thirty problems. */
export function problemsLast(document: OpenApiDocument): OpenApiDocument {
  const schemas = Object.entries(document.components?.schemas ?? {})
  const isProblem = ([name]: [string, unknown]) => name.endsWith('Problem')
  const ordered = [...schemas.filter((each) => !isProblem(each)), ...schemas.filter(isProblem)]
  return { ...document, components: { ...document.components, schemas: Object.fromEntries(ordered) } }
}
