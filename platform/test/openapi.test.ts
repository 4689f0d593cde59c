import { z } from 'zod'
import { EntityTags } from '@shop/platform/conditional'
import { openApiDocument } from '@shop/platform/openapi'
import { reply, routesOf } from '@shop/platform/routes'
import { booleanParameter, integerParameter, pageOf, pageQuery, text } from '@shop/platform/schemas'

const PROBLEMS = {
  'tea-not-found': { status: 404, title: 'No such tea', description: 'There is none.' },
  'out-of-tea': {
    status: 409,
    title: 'Out of tea',
    description: 'There is not enough.',
    members: { left: z.int().meta({ example: 2 }) },
  },
  'out-of-water': {
    status: 409,
    title: 'Out of water',
    description: 'There is none.',
    members: { wells: z.array(z.string()) },
  },
} as const
const route = routesOf<object>()(PROBLEMS)
const Tea = z
  .object({ id: z.uuid(), note: text(1, 20).nullable(), kind: z.enum(['GREEN', 'BLACK']).nullable() })
  .meta({ id: 'Tea' })
const NewTea = z.strictObject({ cups: z.int().min(1), note: text(1, 20).optional() }).meta({ id: 'NewTea' })
const unused = () => Promise.resolve(reply(200, undefined as never)) as never

const routes = [
  route(
    {
      method: 'post',
      path: '/teas',
      operationId: 'brewTea',
      tag: 'teas',
      summary: 'Brew',
      description: 'Makes tea.',
      access: { roles: ['BUYER', 'SELLER'] },
      idempotent: true,
      body: NewTea,
      responses: { 201: { description: 'Brewed.', body: Tea, headers: ['Location', 'ETag'] } },
      problems: ['out-of-tea', 'out-of-water'],
    },
    unused,
  ),
  route(
    {
      method: 'get',
      path: '/teas',
      operationId: 'listTeas',
      tag: 'teas',
      summary: 'List',
      access: 'public',
      query: z.strictObject({
        ...pageQuery,
        hot: booleanParameter.optional(),
        maxCups: integerParameter(0, 9).optional().meta({ description: 'At most.' }),
      }),
      responses: { 200: { description: 'Teas.', body: pageOf(Tea) } },
      problems: [],
    },
    unused,
  ),
  route(
    {
      method: 'patch',
      path: '/teas/{id}',
      operationId: 'stirTea',
      tag: 'teas',
      summary: 'Stir',
      access: 'authenticated',
      params: z.strictObject({ id: z.uuid() }),
      headers: z.object({ 'if-match': EntityTags.optional() }),
      body: NewTea,
      responses: { 204: { description: 'Stirred.', headers: ['ETag'] } },
      problems: ['tea-not-found'],
    },
    unused,
  ),
  route(
    {
      method: 'post',
      path: '/teas/token',
      operationId: 'enterTeaHouse',
      tag: 'teas',
      summary: 'Enter',
      access: 'credentials',
      form: true,
      body: NewTea,
      responses: { 200: { description: 'In.', body: Tea } },
      problems: [],
      errors: { schema: z.object({ error: z.string() }), statuses: [400], render: () => ({ status: 400, body: {} }) },
    },
    unused,
  ),
]
const document = openApiDocument({
  title: 'Teas',
  description: 'Teas.',
  tags: [{ name: 'teas', description: 'Leaves and water.' }],
  routes,
  problems: PROBLEMS,
})
type Method = 'get' | 'post' | 'patch'
type Operation = {
  responses?: Record<string, unknown>
  parameters?: object[]
  description?: string
  [other: string]: unknown
}
const at = (path: string, method: Method) => document.paths?.[path]?.[method] as Operation | undefined
const parameters = (path: string, method: Method): Record<string, object> => {
  const list = (at(path, method)?.parameters ?? []) as { name: string }[]
  return Object.fromEntries(list.map((each) => [each.name, each]))
}

test('parameters have the types that they mean and headers their usual spelling', () => {
  expect(parameters('/teas', 'get')).toMatchObject({
    limit: { in: 'query', required: false, schema: { type: 'integer', minimum: 1, maximum: 100, default: 20 } },
    hot: { in: 'query', schema: { type: 'boolean' } },
    maxCups: { in: 'query', description: 'At most.', schema: { type: 'integer', minimum: 0, maximum: 9 } },
    'If-None-Match': { in: 'header', required: false },
  })
  expect(Object.keys(parameters('/teas/{id}', 'patch'))).toEqual(['id', 'If-Match'])
  expect(Object.keys(parameters('/teas', 'post'))).toEqual(['Idempotency-Key'])
})

test('what clients send is closed, what they get may grow, and what may be missing is a type', () => {
  expect(document.components?.schemas?.['NewTea']).toMatchObject({ additionalProperties: false, required: ['cups'] })
  expect(document.components?.schemas?.['Tea']).toEqual({
    type: 'object',
    required: ['id', 'note', 'kind'],
    properties: {
      id: expect.objectContaining({ type: 'string', format: 'uuid' }),
      note: { type: ['string', 'null'], minLength: 1, maxLength: 20 },
      kind: { type: ['string', 'null'], enum: ['GREEN', 'BLACK', null] },
    },
  })
})

test('the problems of one status are told apart by their code', () => {
  expect(at('/teas', 'post')?.responses?.['409']).toMatchObject({
    description: expect.stringContaining('[`out-of-tea`](/problems/out-of-tea)'),
    headers: { 'Retry-After': { required: false } }, // only request-in-progress has it
    content: {
      'application/problem+json': {
        schema: {
          oneOf: [
            { $ref: '#/components/schemas/OutOfTeaProblem' },
            { $ref: '#/components/schemas/OutOfWaterProblem' },
            { $ref: '#/components/schemas/RequestInProgressProblem' },
          ],
          discriminator: { propertyName: 'code', mapping: { 'out-of-tea': '#/components/schemas/OutOfTeaProblem' } },
        },
        // A member without an example would make a false one.
        examples: {
          'out-of-tea': { $ref: '#/components/examples/out-of-tea' },
          'request-in-progress': { $ref: '#/components/examples/request-in-progress' },
        },
      },
    },
  })
  expect(document.components?.examples).not.toHaveProperty('out-of-water')
  expect(document.components?.examples?.['out-of-tea']).toMatchObject({
    summary: 'Out of tea',
    value: { status: 409, left: 2 },
  })
  expect(document.components?.schemas?.['OutOfTeaProblem']).toMatchObject({
    properties: { status: { type: 'integer', enum: [409] }, code: { enum: ['out-of-tea'] }, left: { type: 'integer' } },
    required: ['type', 'title', 'status', 'detail', 'instance', 'code', 'requestId', 'left'],
  })
})

test('a refusal that is the same everywhere stands once', () => {
  expect(at('/teas', 'post')?.responses?.['429']).toEqual({ $ref: '#/components/responses/RateLimited' })
  expect(document.components?.responses?.['RateLimited']).toMatchObject({
    headers: { 'Retry-After': { required: true, schema: { type: 'integer' } } },
    content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/RateLimitedProblem' } } },
  })
  expect(document.components?.schemas).toHaveProperty('RateLimitedProblem')
})

test('every $ref points at something', () => {
  const names = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/(\w+)\/([^"]+)"/g)]
  expect(names.length).toBeGreaterThan(50)
  for (const [, kind, name] of names) expect(document.components?.[kind as 'schemas']).toHaveProperty([name ?? ''])
})

test('who may call is said to people, to programs and to Swagger UI', () => {
  const told = ([path, method]: ['/teas' | '/teas/{id}' | '/teas/token', Method]) => {
    const operation = at(path, method)
    return [operation?.['x-access'], operation?.security, operation?.description?.split('\n\n').at(-1)]
  }
  expect(told(['/teas', 'post'])).toEqual([['BUYER', 'SELLER'], [{ shop: [] }], 'Who may call: role BUYER or SELLER.'])
  expect(told(['/teas', 'get'])).toEqual(['public', [{}, { shop: [] }], expect.stringContaining('anyone')])
  expect(told(['/teas/{id}', 'patch'])).toEqual(['authenticated', [{ shop: [] }], expect.stringContaining('logged in')])
  expect(told(['/teas/token', 'post'])).toEqual(['credentials', [], expect.stringContaining('credentials')])
  expect(at('/teas', 'post')?.description).toMatch(/^Makes tea\.\n\n/)
})

test('headers of answers are documented, 304 among the answers of what has an ETag', () => {
  const headersOf = (path: string, method: Method, status: string) => {
    const response = at(path, method)?.responses?.[status] as { headers: Record<string, { required?: boolean }> }
    return Object.entries(response.headers).map(([name, { required }]) => (required ? `${name}!` : name))
  }
  const common = ['X-Request-Id', 'Cache-Control']
  expect(headersOf('/teas', 'post', '201')).toEqual([...common, 'Location!', 'ETag!', 'Idempotency-Replayed'])
  expect(headersOf('/teas', 'post', '401')).toEqual(['WWW-Authenticate!'])
  expect(headersOf('/teas', 'get', '200')).toEqual([...common, 'ETag!'])
  expect(headersOf('/teas', 'get', '304')).toEqual([...common, 'ETag!'])
  expect(headersOf('/teas/{id}', 'patch', '204')).toEqual([...common, 'ETag!'])
})

test('the token endpoint answers its own format beside problems of what is in front of it', () => {
  const refused = at('/teas/token', 'post')?.responses?.['400']
  expect(Object.keys((refused as { content: object }).content)).toEqual([
    'application/problem+json',
    'application/json',
  ])
  expect(Object.keys((at('/teas/token', 'post')?.requestBody as { content: object }).content)).toEqual([
    'application/json',
    'application/x-www-form-urlencoded',
  ])
})

test('every code is listed with its meaning', () => {
  expect(document['x-problems']).toMatchObject({
    'out-of-tea': { status: 409, title: 'Out of tea', description: 'There is not enough.' },
    'route-not-found': { status: 404 },
  })
})
