import { generateKeyPairSync } from 'node:crypto'
import jwt from 'jsonwebtoken'
import supertest from 'supertest'
import { z } from 'zod'
import { bearerAuthentication } from '@shop/platform/authentication'
import { httpApp } from '@shop/platform/http'
import { localKeys } from '@shop/platform/keys'
import { makeLog } from '@shop/platform/logging'
import { openApiDocument } from '@shop/platform/openapi'
import { problem, type Violation } from '@shop/platform/problems'
import { reply, routesOf } from '@shop/platform/routes'
import { integerParameter, text } from '@shop/platform/schemas'

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const BUYER = '01980000-0000-7000-8000-000000000001'

const tokenFor = (role: string, claims: object = {}, options: jwt.SignOptions = {}) =>
  jwt.sign({ role, ...claims }, privateKey, {
    algorithm: 'RS256',
    keyid: 'k1',
    subject: BUYER,
    issuer: 'shop-users',
    audience: 'shop',
    expiresIn: 900,
    ...options,
  })

const PROBLEMS = { 'out-of-tea': { status: 409, title: 'Out of tea', description: 'There is no tea.' } } as const
const route = routesOf<object>()(PROBLEMS)
const Tea = z.object({ id: z.string(), cups: z.int() }).meta({ id: 'Tea' })

const routes = [
  route(
    {
      method: 'post',
      path: '/teas/{id}',
      operationId: 'brew',
      tag: 'teas',
      summary: 'Brew',
      access: { roles: ['BUYER'] },
      params: z.strictObject({ id: z.string().max(10) }),
      query: z.strictObject({ sugar: integerParameter(0, 3).optional() }),
      body: z.strictObject({ cups: z.int().min(1).max(9), note: text(1, 20).optional() }),
      responses: { 201: { description: 'Brewed', body: Tea, headers: ['Location'] } },
      problems: ['out-of-tea'],
    },
    async ({ params, body }) => {
      await Promise.resolve()
      if (body.cups === 9) return problem('out-of-tea', { detail: 'Nine is too many.' })
      if (body.cups === 8) throw new Error('select secret from kettle')
      const surplus = { id: params.id, cups: body.cups, password: 'leaf' }
      return reply(201, surplus, { Location: `/teas/${params.id}` })
    },
  ),
  route(
    {
      method: 'get',
      path: '/teas/{id}',
      operationId: 'read',
      tag: 'teas',
      summary: 'Read',
      access: 'public',
      shared: true,
      params: z.strictObject({ id: z.string().max(10) }),
      responses: { 200: { description: 'Tea', body: Tea } },
      problems: [],
    },
    async ({ params }) => {
      await Promise.resolve()
      return reply(200, { id: params.id, cups: params.id === 'bad' ? 0.5 : 1 }, { ETag: '"7"' })
    },
  ),
]

const lines: string[] = []
const log = makeLog('test', 'info', { write: (line: string) => void lines.push(line) })
const app = httpApp({
  routes,
  deps: {},
  problems: PROBLEMS,
  log,
  authenticate: bearerAuthentication({
    keys: localKeys(new Map([['k1', publicKey]])),
    issuer: 'shop-users',
    audience: 'shop',
  }),
})
const brew = (body: unknown, headers: Record<string, string> = {}) =>
  supertest(app)
    .post('/teas/green')
    .set({ authorization: `Bearer ${tokenFor('BUYER')}`, ...headers })
    .send(body as object)

test('a good call is answered with what its schema allows and nothing more', async () => {
  const response = await brew({ cups: 2 })
  expect(response.status).toBe(201)
  expect(response.headers['location']).toBe('/teas/green')
  expect(response.body).toEqual({ id: 'green', cups: 2 })
})

test('every violation of path, query and body is reported at once', async () => {
  const response = await supertest(app)
    .post('/teas/much-too-long-an-id?sugar=9&milk=1')
    .set('authorization', `Bearer ${tokenFor('BUYER')}`)
    .send({ cups: '2', note: 'nul\u0000', __extra: 1 })
  expect(response.status).toBe(422)
  expect(response.type).toBe('application/problem+json')
  expect(response.body).toMatchObject({
    type: '/problems/validation-failed',
    code: 'validation-failed',
    instance: '/teas/much-too-long-an-id',
  })
  const at = (response.body.errors as Violation[]).map((e) => `${e.in}:${e.path}`).sort()
  expect(at).toEqual(['body:__extra', 'body:cups', 'body:note', 'path:id', 'query:milk', 'query:sugar'])
})

test.each([
  ['malformed JSON', '{"cups":', { 'content-type': 'application/json' }, 400, 'malformed-json'],
  ['an empty body', '', { 'content-type': 'application/json' }, 400, 'malformed-json'],
  ['a primitive body', '7', { 'content-type': 'application/json' }, 422, 'validation-failed'],
  [
    '__proto__ as a field',
    '{"cups":1,"__proto__":{"admin":true}}',
    { 'content-type': 'application/json' },
    422,
    'validation-failed',
  ],
  [
    'another media type',
    'cups=1',
    { 'content-type': 'application/x-www-form-urlencoded' },
    415,
    'unsupported-media-type',
  ],
  [
    'an unknown charset',
    '{"cups":1}',
    { 'content-type': 'application/json; charset=latin1' },
    415,
    'unsupported-media-type',
  ],
  [
    'a compressed body',
    '{"cups":1}',
    { 'content-type': 'application/json', 'content-encoding': 'gzip' },
    415,
    'unsupported-media-type',
  ],
  [
    'more than 100 kB',
    `{"note":"${'x'.repeat(100_000)}"}`,
    { 'content-type': 'application/json' },
    413,
    'content-too-large',
  ],
  [
    'deep nesting',
    `{"cups":${'['.repeat(30_000)}${']'.repeat(30_000)}}`,
    { 'content-type': 'application/json' },
    422,
    'validation-failed',
  ],
])('%s is refused', async (_name, body, headers, status, code) => {
  const response = await supertest(app)
    .post('/teas/green')
    .set('authorization', `Bearer ${tokenFor('BUYER')}`)
    .set(headers as unknown as Record<string, string>)
    .serialize((raw) => raw as string)
    .send(body)
  expect([response.status, response.body.code]).toEqual([status, code])
})

test('the refusals come in their order: 401, 403, 415, 422', async () => {
  const call = (headers: Record<string, string>) => supertest(app).post('/teas/green').set(headers)
  const anonymous = await call({ 'content-type': 'text/plain' }).send('x')
  expect([anonymous.status, anonymous.headers['www-authenticate']]).toEqual([401, 'Bearer'])
  const seller = await call({ authorization: `Bearer ${tokenFor('SELLER')}`, 'content-type': 'text/plain' }).send('x')
  expect([seller.status, seller.body.code]).toEqual([403, 'forbidden-role'])
  const buyer = await call({ authorization: `Bearer ${tokenFor('BUYER')}`, 'content-type': 'text/plain' }).send('x')
  expect(buyer.status).toBe(415)
  expect((await brew({})).status).toBe(422)
})

test('a refusal of the handler carries its own detail', async () => {
  const response = await brew({ cups: 9 }, { 'x-request-id': 'client-chosen-1' })
  expect(response.body).toEqual({
    type: '/problems/out-of-tea',
    title: 'Out of tea',
    status: 409,
    detail: 'Nine is too many.',
    instance: '/teas/green',
    code: 'out-of-tea',
    requestId: 'client-chosen-1',
  })
})

test('a fault tells the client nothing and the log everything', async () => {
  lines.length = 0
  const response = await brew({ cups: 8 })
  expect([response.status, response.body.code]).toEqual([500, 'internal-error'])
  expect(JSON.stringify(response.body)).not.toContain('secret')
  expect(lines).toHaveLength(1)
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    level: 'error',
    requestId: response.body.requestId,
    status: 500,
    err: { message: 'select secret from kettle' },
  })
})

test('the line of a request has its id, path and caller, and neither headers nor query', async () => {
  lines.length = 0
  await brew({ cups: 2 }, { 'x-request-id': 'client-chosen-2', cookie: 'flavour=mint' }).query({ sugar: 2 })
  expect(lines).toHaveLength(1)
  expect(lines[0]?.split('client-chosen-2')).toHaveLength(2)
  expect(JSON.parse(lines[0] ?? '')).toEqual({
    level: 'info',
    time: expect.any(String),
    service: 'test',
    requestId: 'client-chosen-2',
    method: 'POST',
    path: '/teas/green',
    route: '/teas/{id}',
    callerId: BUYER,
    status: 201,
    ms: expect.any(Number),
    msg: 'request',
  })
})

test('a reply that breaks its own schema is a fault, not a bad request', async () => {
  const response = await supertest(app).get('/teas/bad')
  expect([response.status, response.body.code]).toEqual([500, 'internal-error'])
})

test('unknown paths, other spellings and other methods are told apart', async () => {
  for (const path of ['/nothing', '/TEAS/green', '/teas/green/']) {
    const response = await supertest(app).get(path)
    expect([path, response.status, response.body.code]).toEqual([path, 404, 'route-not-found'])
  }
  for (const method of ['put', 'options', 'patch'] as const) {
    const response = await supertest(app)[method]('/teas/green')
    expect([response.status, response.body.code, response.headers['allow']]).toEqual([
      405,
      'method-not-allowed',
      'GET, HEAD, POST',
    ])
  }
  // Where no call could take the id, another method has no path.
  const strange = await supertest(app).put('/teas/much-too-long-an-id')
  expect([strange.status, strange.body.code]).toEqual([404, 'route-not-found'])
  const malformed = await supertest(app).get('/teas/%zz')
  expect([malformed.status, malformed.body.code]).toEqual([400, 'bad-request'])
})

test('a fixed segment wins over a parameter, from the left, however the calls are declared', async () => {
  const answering = (path: `/${string}`) =>
    route(
      {
        ...{ method: 'get', path, operationId: path, tag: 't', summary: 's', access: 'public' },
        params: z.object({}),
        responses: { 200: { description: 'd', body: z.object({ path: z.string() }) } },
        problems: [],
      },
      () => Promise.resolve(reply(200, { path })),
    )
  const crossing = httpApp({
    routes: ['/teas/{id}/cups', '/teas/{id}', '/teas/mine/{id}', '/teas/mine', '/teas/.well-known'].map((path) =>
      answering(path as `/${string}`),
    ),
    deps: {},
    problems: PROBLEMS,
    log,
    authenticate: () => Promise.resolve(undefined),
  })
  const served = async (path: string) =>
    ((await supertest(crossing).get(path).expect(200)).body as { path: string }).path
  expect(await served('/teas/mine')).toBe('/teas/mine')
  expect(await served('/teas/.well-known')).toBe('/teas/.well-known')
  expect(await served('/teas/green')).toBe('/teas/{id}')
  expect(await served('/teas/green/cups')).toBe('/teas/{id}/cups')
  expect(await served('/teas/mine/cups')).toBe('/teas/mine/{id}')
})

test('If-None-Match is answered 304 with the tag, and cache rules depend on Authorization', async () => {
  const first = await supertest(app).get('/teas/green')
  expect([first.headers['etag'], first.headers['cache-control'], first.headers['vary']]).toEqual([
    '"7"',
    'no-cache',
    'Authorization',
  ])
  const again = await supertest(app).get('/teas/green').set('if-none-match', '"1", W/"7"')
  expect([again.status, again.text, again.headers['etag']]).toEqual([304, '', '"7"'])
  const own = await supertest(app)
    .get('/teas/green')
    .set('authorization', `Bearer ${tokenFor('BUYER')}`)
  expect([own.status, own.headers['cache-control']]).toEqual([200, 'private, no-cache'])
})

test.each([
  ['expired', tokenFor('BUYER', {}, { expiresIn: -10 })],
  [
    'without exp',
    jwt.sign({ role: 'BUYER', sub: BUYER }, privateKey, {
      algorithm: 'RS256',
      keyid: 'k1',
      issuer: 'shop-users',
      audience: 'shop',
    }),
  ],
  ['issued in the future', tokenFor('BUYER', { iat: Math.floor(Date.now() / 1000) + 3600 })],
  [
    'longer-lived than tokens are',
    tokenFor('BUYER', { iat: Math.floor(Date.now() / 1000) - 1000 }, { expiresIn: 5000 }),
  ],
  ['of another issuer', tokenFor('BUYER', {}, { issuer: 'else' })],
  ['for another audience', tokenFor('BUYER', {}, { audience: 'else' })],
  ['with a role that is no string', tokenFor({ admin: true } as never)],
  ['of an unknown key', tokenFor('BUYER', {}, { keyid: '../../etc/passwd' })],
  ['unsigned', `${Buffer.from('{"alg":"none","kid":"k1"}').toString('base64url')}.${tokenFor('BUYER').split('.')[1]}.`],
  [
    'signed with the public key as a secret',
    jwt.sign({ role: 'BUYER', sub: BUYER }, publicKey.export({ type: 'spki', format: 'pem' }), {
      algorithm: 'HS256',
      keyid: 'k1',
    }),
  ],
  ['garbage', 'abc'],
])('a token %s is 401, on a public route too', async (_name, token) => {
  for (const call of [supertest(app).get('/teas/green'), supertest(app).post('/teas/green').send({ cups: 1 })]) {
    const response = await call.set('authorization', `Bearer ${token}`)
    expect([response.status, response.body.code]).toEqual([401, 'invalid-token'])
    expect(response.headers['www-authenticate']).toMatch(/^Bearer/)
  }
})

test('two Authorization headers are 401, whatever they say', async () => {
  const [first, second] = [tokenFor('BUYER'), tokenFor('SELLER')].map((token) => `Bearer ${token}`)
  for (const authorization of [
    [first, second],
    [first, first],
    [first, 'Bearer abc'],
  ]) {
    const response = await supertest(app)
      .get('/teas/green')
      .set('authorization', authorization as unknown as string)
    expect([response.status, response.body.code]).toEqual([401, 'invalid-token'])
  }
})

test('the document lists every status by number and no default', () => {
  const document = openApiDocument({ title: 't', description: 'd', tags: [], routes, problems: PROBLEMS })
  const brewing = document.paths?.['/teas/{id}']?.post
  expect(Object.keys(brewing?.responses ?? {})).toEqual([
    '201',
    '400',
    '401',
    '403',
    '408',
    '409',
    '413',
    '414',
    '415',
    '422',
    '429',
    '500',
    '501',
    '502',
    '503',
    '504',
  ])
  expect(document.components?.schemas).toHaveProperty('OutOfTeaProblem')
})

test('a token that was good once is refused when it has expired', async () => {
  const start = Date.now()
  const clock = jest.spyOn(Date, 'now')
  const token = tokenFor('BUYER')
  const call = () => supertest(app).get('/teas/green').set('authorization', `Bearer ${token}`)
  expect((await call()).status).toBe(200)
  clock.mockReturnValue(start + 890_000)
  expect((await call()).status).toBe(200)
  clock.mockReturnValue(start + 906_000)
  expect((await call()).status).toBe(401)
  clock.mockRestore()
})

test('an empty Authorization header is none', async () => {
  const anonymous = await supertest(app).get('/teas/green').set('authorization', '')
  expect(anonymous.status).toBe(200)
  const refused = await supertest(app).post('/teas/green').set('authorization', '').send({ cups: 1 })
  expect([refused.status, refused.body.code]).toEqual([401, 'unauthenticated'])
})
