import type { OpenAPIRegistry, RouteConfig } from '@asteasolutions/zod-to-openapi'
import { z } from 'zod'
import { PLATFORM_PROBLEMS, type ProblemDefinition, type ProblemTable } from './problems'
import type { RouteSpec } from './routes'

/** What Nginx can answer to any call. */
const IN_FRONT = [
  'bad-request',
  'request-timeout',
  'content-too-large',
  'uri-too-long',
  'rate-limited',
  'internal-error',
  'not-implemented',
  'bad-gateway',
  'service-unavailable',
  'gateway-timeout',
] as const
/** What the plumbing of a service can answer to any call. */
const EVERYWHERE = ['validation-failed', 'database-unavailable', 'outcome-unknown'] as const

function codesOf(spec: RouteSpec): Set<string> {
  const { access } = spec
  if (spec.errors) return new Set(IN_FRONT) // the service says everything in that other format
  return new Set([
    ...IN_FRONT,
    ...EVERYWHERE,
    ...spec.problems,
    ...(access === 'credentials' ? [] : ['invalid-token', 'keys-unavailable']),
    ...(access === 'public' || access === 'credentials' ? [] : ['unauthenticated']),
    ...(typeof access === 'object' ? ['forbidden-role'] : []),
    ...(spec.method === 'get' ? [] : ['malformed-json', 'unsupported-media-type']),
    ...(spec.idempotent ? ['request-in-progress', 'idempotency-key-reused'] : []),
  ])
}

const pascal = (code: string) => code.replace(/(^|-)(\w)/g, (_, __, letter: string) => letter.toUpperCase())
const schemaName = (code: string) => `${pascal(code)}Problem`

const membersOf = (code: string, { status, title, members }: ProblemDefinition) => ({
  type: z.literal(`/problems/${code}`),
  title: z.literal(title),
  status: z.literal(status).meta({ type: 'integer', enum: [status] }),
  detail: z.string().meta({ description: 'What is wrong with this request, for people.' }),
  instance: z.string().meta({ description: 'Path of the request.' }),
  code: z.literal(code).meta({ description: 'Stable; what programs decide by.' }),
  requestId: z.string().meta({ description: '`X-Request-Id` of this answer, for asking about it.' }),
  ...members,
})

/** What the problem looks like; undefined while one of its own members has no example. */
function exampleOf(code: string, { status, title, description, members = {} }: ProblemDefinition) {
  const own = Object.entries(members).map(
    ([name, schema]) => [name, (schema as z.ZodType).meta()?.['example']] as const,
  )
  if (own.some(([, example]) => example === undefined)) return undefined
  return {
    type: `/problems/${code}`,
    title,
    status,
    detail: description,
    instance: '/path/of/the/request',
    code,
    requestId: '0c9d1f6e-3a57-4a5e-8a0e-5d0f6a1b7c28',
    ...Object.fromEntries(own),
  }
}

/** The parts of a document that tell of problems; components enter `registry` as they are used. */
export function problemResponses(registry: OpenAPIRegistry, table: ProblemTable) {
  const schemas = new Map<string, z.ZodObject>()
  const responses = new Set<string>()

  /** A component for each code, so that `code`, `status` and extra members are told exactly. */
  function schemaOf(code: string, definition: ProblemDefinition): z.ZodObject {
    const known = schemas.get(code)
    if (known) return known
    const schema = z
      .object(membersOf(code, definition))
      .meta({ id: schemaName(code), description: definition.description })
    const value = exampleOf(code, definition)
    if (value) registry.registerComponent('examples', code, { summary: definition.title, value })
    schemas.set(code, schema)
    return schema
  }

  function contentOf(codes: readonly [code: string, ProblemDefinition][]) {
    const [first, second, ...rest] = codes.map(([code, definition]) => schemaOf(code, definition))
    if (!first) return {}
    const examples = codes
      .filter((each) => exampleOf(...each))
      .map(([code]) => [code, { $ref: `#/components/examples/${code}` }])
    const schema = second ? z.discriminatedUnion('code', [first, second, ...rest] as never) : first
    return {
      'application/problem+json': {
        schema,
        examples: Object.fromEntries(examples) as Record<string, { $ref: string }>,
      },
    }
  }

  /** A status with one code of the platform's is the same everywhere: it stands once, among the components. */
  function sharedResponse(code: string, status: number, definition: ProblemDefinition) {
    const name = pascal(code)
    if (!responses.has(name)) {
      const { schema: _, ...content } = contentOf([[code, definition]])['application/problem+json'] ?? {}
      registry.registerComponent('responses', name, {
        description: describe([[code, definition]]),
        headers: refusalHeaders(status, [definition]),
        content: {
          'application/problem+json': { schema: { $ref: `#/components/schemas/${schemaName(code)}` }, ...content },
        },
      })
      responses.add(name)
    }
    return { $ref: `#/components/responses/${name}` }
  }

  const responsesOf = (spec: RouteSpec): RouteConfig['responses'] => {
    const byStatus = new Map<number, [string, ProblemDefinition][]>()
    for (const code of codesOf(spec)) {
      const definition = table[code]
      if (!definition) throw new Error(`${spec.operationId} declares an unknown problem: ${code}`)
      byStatus.set(definition.status, [...(byStatus.get(definition.status) ?? []), [code, definition]])
    }
    const statuses = new Set([...byStatus.keys(), ...(spec.errors?.statuses ?? [])])
    const entries = [...statuses]
      .filter((status) => spec.responses[status] === undefined)
      .sort((a, b) => a - b)
      .map((status) => {
        const codes = byStatus.get(status) ?? []
        const [only, another] = codes
        const other = spec.errors?.statuses.includes(status) ? spec.errors.schema : undefined
        if (only && !another && !other && only[0] in PLATFORM_PROBLEMS)
          return [status, sharedResponse(only[0], status, only[1])]
        const response = {
          description: codes.length > 0 ? describe(codes) : 'Refused.',
          headers: refusalHeaders(
            status,
            codes.map(([, definition]) => definition),
          ),
          content: { ...contentOf(codes), ...(other && { 'application/json': { schema: other } }) },
        }
        return [status, response]
      })
    return Object.fromEntries(entries) as RouteConfig['responses']
  }
  return {
    responsesOf,
    // Those that only components refer to have to be named, or they would be missing.
    schemas: () => [...schemas.values()].map((schema) => ({ type: 'schema' as const, schema })),
  }
}

const describe = (codes: readonly [code: string, ProblemDefinition][]) =>
  codes.map(([code]) => `[\`${code}\`](/problems/${code})`).join(' · ')

function refusalHeaders(status: number, codes: readonly ProblemDefinition[]) {
  const waits = codes.filter(({ retryAfter }) => retryAfter !== undefined).length
  return {
    ...(waits > 0 && {
      'Retry-After': {
        description: 'Seconds to wait before the call is repeated.',
        required: waits === codes.length,
        schema: { type: 'integer' as const, minimum: 0 },
        example: 1,
      },
    }),
    ...(status === 401 && {
      'WWW-Authenticate': {
        description: 'How to authenticate (RFC 6750).',
        required: true,
        schema: { type: 'string' as const },
        example: 'Bearer',
      },
    }),
  }
}
