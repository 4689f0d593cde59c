import { randomUUID } from 'node:crypto'
import pg from 'pg'
import supertest from 'supertest'
import { z } from 'zod'
import { type TestDatabase, createDatabase } from '../../tests/support/database'
import { authenticate, bearer } from '../../tests/support/tokens'
import { httpApp } from '@shop/platform/http'
import { makeLog } from '@shop/platform/logging'
import { operationsOf } from '@shop/platform/operations'
import { reply, routesOf } from '@shop/platform/routes'

const SECRET = 'correct-horse-battery'
const lines: string[] = []
const log = makeLog('test', 'info', { write: (line: string) => void lines.push(line) })
const parsed = () => lines.map((line) => JSON.parse(line) as Record<string, unknown>)

let database: TestDatabase
beforeAll(async () => {
  database = await createDatabase()
  await database.owner.query('create table secrets (id int not null, password text)')
})
afterAll(() => database.drop())
beforeEach(() => void (lines.length = 0))

const route = routesOf<object>()({})
const app = httpApp({
  routes: [
    route(
      {
        ...{ method: 'post', path: '/keep', operationId: 'keep', tag: 't', summary: 's', problems: [] },
        access: 'public',
        body: z.strictObject({ password: z.string(), fail: z.boolean().optional() }),
        responses: { 200: { description: 'd' } },
      },
      async ({ body, log }) => {
        log.info({ body: { password: body.password } }, 'keeping')
        if (body.fail) await database.owner.query('insert into secrets (password) values ($1)', [body.password])
        return reply(200)
      },
    ),
  ],
  deps: {},
  problems: {},
  log,
  authenticate,
  operations: operationsOf({ service: 'test', checks: [] }),
})
const keep = (body: object | string, headers: Record<string, string> = {}) =>
  supertest(app).post('/keep').set('content-type', 'application/json').set(headers).send(body)

test('every request has one line of JSON, with its id, and the lines of its work have the id as well', async () => {
  const id = randomUUID()
  const response = await keep({ password: SECRET }, { 'x-request-id': id })
  expect(response.headers['x-request-id']).toBe(id)
  expect(parsed().map((line) => [line['msg'], line['requestId'], line['level'], line['service']])).toEqual([
    ['keeping', id, 'info', 'test'],
    ['request', id, 'info', 'test'],
  ])
  for (const line of lines) {
    expect(line.split(id)).toHaveLength(2)
    expect(line.indexOf('\n')).toBe(line.length - 1)
  }
})

test('no secret gets into any line: not of a body, a header, a query or a path that is not ours', async () => {
  const token = bearer({ id: randomUUID(), role: 'BUYER' })
  const hidden = [SECRET, token.slice('Bearer '.length), 'mint-cookie', 'idempotent-key']
  const headers = { authorization: token, cookie: 'flavour=mint-cookie', 'idempotency-key': 'idempotent-key' }
  const statuses = [
    await keep({ password: SECRET }, headers),
    await keep({ password: SECRET, fail: true }, headers),
    await keep({ password: 7, [SECRET]: SECRET }, headers),
    await keep(`{"password":"${SECRET}`, headers),
    await keep({ password: SECRET }, { authorization: `${token}x` }),
    await supertest(app)
      .post(`/keep?password=${SECRET}&access_token=${token.slice(7)}`)
      .set(headers)
      .send({ password: SECRET }),
    await supertest(app).get(`/nothing?token=${SECRET}`).set(headers),
    await supertest(app).get(`/keep?token=${SECRET}`).set(headers),
  ].map((response) => response.status)
  expect(statuses).toEqual([200, 500, 422, 400, 401, 422, 404, 405])
  expect(parsed().filter((line) => line['msg'] === 'request')).toHaveLength(8)
  for (const line of lines) for (const secret of hidden) expect(line).not.toContain(secret)
  expect(parsed().find((line) => line['level'] === 'error')).toMatchObject({
    status: 500,
    err: { message: expect.stringContaining('null value in column "id"'), code: '23502', detail: '[redacted]' },
  })
})

test.each([
  { password: SECRET },
  { user: { password: SECRET } },
  { token: SECRET },
  { login: { token: SECRET } },
  { authorization: SECRET },
  { headers: { authorization: SECRET } },
  { err: Object.assign(new Error('x'), { body: SECRET }) },
  { err: Object.assign(new Error('x'), { config: { auth: SECRET } }) },
  { err: Object.assign(new Error('x'), { parameters: [SECRET] }) },
])('a careless line is cleaned: %j', (line) => {
  log.info(line, 'careless')
  expect(lines).toHaveLength(1)
  expect(lines[0]).not.toContain(SECRET)
})

test('an error is logged with its stack and its causes', () => {
  log.error({ err: new Error('above', { cause: new pg.DatabaseError('below', 5, 'error') }) }, 'failed')
  expect(parsed()).toEqual([
    expect.objectContaining({
      err: expect.objectContaining({ message: 'above: below', stack: expect.stringContaining('logging.test.ts') }),
    }),
  ])
})

test.each(['12345678', 'A.b_c-d9', 'x'.repeat(64)])('the request id %s is kept', async (id) => {
  const response = await keep({}, { 'x-request-id': id })
  expect([response.headers['x-request-id'], response.body.requestId]).toEqual([id, id])
})

test.each([
  ['too short', '1234567'],
  ['too long', 'x'.repeat(65)],
  ['empty', ''],
  ['a list, as Node makes of two headers', 'abcdefgh, abcdefgh'],
  ['a line of a log', 'abcdefgh"}{"level":"fatal'],
  ['markup', '<script>alert(1)</script>'],
  ['a format', '%s%s%s%s%n'],
  ['a path', '../../../etc/passwd'],
  ['not ASCII', 'abcdefg\u00fc'],
])('a request id that is %s is replaced', async (_name, id) => {
  const response = await keep({}, { 'x-request-id': id })
  expect(response.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/)
  expect(response.body.requestId).toBe(response.headers['x-request-id'])
  expect(parsed()).toEqual([expect.objectContaining({ requestId: response.body.requestId })])
  if (id !== '') expect(lines[0]).not.toContain(id)
})

test('a hostile path stays inside of its line', async () => {
  const response = await supertest(app).get('/a%0a{"level":"fatal"}%0d"\\u0000#token=secret-part')
  expect(response.status).toBe(404)
  expect(parsed()).toEqual([expect.objectContaining({ level: 'info', status: 404 })])
  expect(lines[0]).not.toContain('secret-part')
})

test('what operators ask every few seconds is not logged', async () => {
  for (const path of ['/livez', '/readyz', '/metrics', '/readyz?again']) await supertest(app).get(path).expect(200)
  expect(lines).toEqual([])
})

test('the level is honoured', () => {
  const quiet: string[] = []
  const warnings = makeLog('test', 'warn', { write: (line: string) => void quiet.push(line) })
  warnings.info('no')
  warnings.warn('yes')
  expect(quiet).toHaveLength(1)
})
