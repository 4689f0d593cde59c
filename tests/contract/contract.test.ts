import express, { type RequestHandler } from 'express'
import { z } from 'zod'
import { openApiDocument } from '@shop/platform/openapi'
import { reply, routesOf } from '@shop/platform/routes'
import { checked } from '../support/checked'

// The checker is tried on answers that no service of ours gives: an app that answers whatever a test says.

const PROBLEMS = {
  'out-of-tea': {
    status: 409,
    title: 'Out of tea',
    description: 'There is no tea.',
    members: { left: z.array(z.strictObject({ leaf: z.string() })) },
  },
} as const
const route = routesOf<object>()(PROBLEMS)
const Leaf = z.object({ name: z.string() }).meta({ id: 'Leaf' })
const Tea = z
  .object({
    id: z.uuid(),
    cups: z.int().min(1),
    note: z.string().nullable(),
    leaf: Leaf.nullable(),
    at: z.iso.datetime(),
  })
  .meta({ id: 'Tea' })
const common = { tag: 'teas', summary: 's' }
const nothing = async () => {
  await Promise.resolve()
  return reply(200, undefined as never)
}
const document = openApiDocument({
  title: 't',
  description: 'd',
  tags: [],
  problems: PROBLEMS,
  routes: [
    route(
      {
        ...common,
        method: 'post',
        path: '/teas',
        operationId: 'brew',
        access: { roles: ['BUYER'] },
        idempotent: true,
        body: z.strictObject({ cups: z.int() }),
        responses: { 201: { description: 'd', body: Tea, headers: ['Location'] } },
        problems: ['out-of-tea'],
      },
      nothing as never,
    ),
    route(
      {
        ...common,
        method: 'get',
        path: '/teas/{id}',
        operationId: 'read',
        access: 'public',
        params: z.strictObject({ id: z.uuid() }),
        responses: { 200: { description: 'd', body: Tea } },
        problems: [],
      },
      nothing as never,
    ),
    route(
      {
        ...common,
        method: 'delete',
        path: '/teas/{id}',
        operationId: 'drink',
        access: 'authenticated',
        responses: { 204: { description: 'd' } },
        problems: [],
      },
      nothing as never,
    ),
    route(
      {
        ...common,
        method: 'put',
        path: '/teas/{id}',
        operationId: 'stir',
        access: 'authenticated',
        responses: { 200: { description: 'd' } },
        problems: [],
      },
      nothing as never,
    ),
    route(
      {
        ...common,
        method: 'get',
        path: '/teas/mine',
        operationId: 'mine',
        access: 'authenticated',
        responses: { 200: { description: 'd', body: z.object({ items: z.array(Tea) }) } },
        problems: [],
      },
      nothing as never,
    ),
  ],
})

const tea = {
  id: '01980000-0000-7000-8000-000000000001',
  cups: 1,
  note: null,
  leaf: { name: 'green' },
  at: '2026-11-21T08:30:00.000Z',
}
const outOfTea = {
  type: '/problems/out-of-tea',
  title: 'Out of tea',
  status: 409,
  detail: 'None.',
  instance: '/teas',
  code: 'out-of-tea',
  requestId: 'request-1',
  left: [{ leaf: 'black' }],
}

type Said = { status?: number; headers?: Record<string, string>; type?: string; body?: unknown }
const says = ({ status = 200, headers = {}, type = 'application/json; charset=utf-8', body }: Said) => {
  const answer: RequestHandler = (_request, response) => {
    response.status(status).set({ 'X-Request-Id': 'request-1', ...headers })
    if (body === undefined) response.removeHeader('Content-Type')
    else response.setHeader('Content-Type', type)
    response.end(body === undefined ? undefined : JSON.stringify(body))
  }
  return checked(express().set('etag', false).use(answer), document)
}
const etag = { ETag: '"1"' }
const problemJson = 'application/problem+json'
const read = (said: Said) => says({ headers: etag, ...said }).get(`/teas/${tea.id}?x=1`)
const brew = (said: Said) => says({ status: 201, headers: { Location: '/teas/1' }, ...said }).post('/teas')
const refuse = (body: object, said: Said = {}) => brew({ status: 409, headers: {}, type: problemJson, body, ...said })

test('answers that keep the contract pass, and remain supertest’s to assert on', async () => {
  const response = await read({ body: tea }).set('accept', 'application/json').expect(200)
  expect(response.body).toEqual(tea)
  await read({ body: { ...tea, leaf: null } })
  await read({ status: 304 })
  await brew({ body: tea })
  await brew({ body: tea, headers: { Location: '/teas/1', 'Idempotency-Replayed': 'true' } })
  await refuse(outOfTea)
  await says({ headers: etag, body: { items: [tea] } }).get('/teas/mine')
  await says({ status: 204 }).delete(`/teas/${tea.id}`)
  await says({ headers: etag, body: tea }).head(`/teas/${tea.id}`)
})

test.each<[string, () => Promise<unknown>, RegExp]>([
  [
    'a status that is not documented',
    () => read({ status: 202, body: tea }),
    /202 is not documented for read: only 200, 304/,
  ],
  ['a missing field', () => read({ body: { ...tea, note: undefined } }), /must have required property 'note'/],
  ['a field that is not declared', () => read({ body: { ...tea, secret: 1 } }), /secret/],
  ['a field that is not declared, deeper', () => read({ body: { ...tea, leaf: { name: 'x', kg: 1 } } }), /\/leaf .*kg/],
  [
    '… and in a list',
    () => says({ headers: etag, body: { items: [{ ...tea, kg: 1 }] } }).get('/teas/mine'),
    /\/items\/0 .*kg/,
  ],
  ['another type', () => read({ body: { ...tea, cups: '1' } }), /\/cups must be integer/],
  ['a value out of range', () => read({ body: { ...tea, cups: 0 } }), /\/cups must be >= 1/],
  ['null where it is not allowed', () => read({ body: { ...tea, cups: null } }), /\/cups must be integer/],
  ['another format', () => read({ body: { ...tea, at: 'yesterday' } }), /\/at must match format "date-time"/],
  ['no body where one is documented', () => read({}), /content type \(none\) is not documented/],
  [
    'a body where none is documented',
    () => says({ body: tea }).put(`/teas/${tea.id}`),
    /has a body, and none is documented/,
  ],
  ['another content type', () => read({ body: tea, type: 'text/html' }), /content type text\/html is not documented/],
  ['a success that calls itself a problem', () => read({ body: tea, type: problemJson }), /is not documented/],
  ['a missing header', () => brew({ body: tea, headers: {} }), /header location is missing/],
  ['no ETag on what was read', () => read({ body: tea, headers: {} }), /header etag is missing/],
  [
    'a header that is not documented',
    () => brew({ body: tea, headers: { Location: '/', 'Retry-After': '1' } }),
    /retry-after is not documented/,
  ],
  [
    'a header of another type',
    () => read({ status: 429, type: problemJson, headers: { 'Retry-After': 'soon' }, body: outOfTea }),
    /header retry-after: .*integer/,
  ],
  ['a problem of another status', () => refuse({ ...outOfTea, status: 400 }), /status of the problem is 400, not 409/],
  [
    'a code of another status',
    () => refuse({ ...outOfTea, code: 'bad-request' }),
    /code bad-request is not documented for 409: only .*out-of-tea/,
  ],
  [
    'a problem whose type is not its code',
    () => refuse({ ...outOfTea, type: '/problems/other' }),
    /type of the problem is/,
  ],
  [
    'a problem of another request',
    () => refuse({ ...outOfTea, requestId: 'request-2' }),
    /requestId of the problem is/,
  ],
  [
    'a problem without its members',
    () => refuse({ ...outOfTea, left: undefined }),
    /must have required property 'left'/,
  ],
  ['a problem with more than its members', () => refuse({ ...outOfTea, stack: 'at …' }), /stack/],
  [
    'a problem sent as plain JSON',
    () => refuse(outOfTea, { type: 'application/json' }),
    /application\/json is not documented/,
  ],
  ['an unknown path that is served', () => says({ body: tea }).get('/coffees'), /no such path, so only 404/],
  [
    'an unknown path refused in HTML',
    () => says({ status: 404, type: 'text/html', body: 'x' }).get('/coffees'),
    /is not problem\+json/,
  ],
  ['an unknown method that is served', () => says({ body: tea }).patch('/teas'), /no such method, so only 405/],
  [
    'an unknown method where no id is',
    () => says({ status: 405, type: problemJson, body: outOfTea }).patch('/teas/green'),
    /no such path, so only 404/,
  ],
  [
    'a 405 without Allow',
    () => says({ status: 405, type: problemJson, body: outOfTea }).patch('/teas'),
    /has no Allow/,
  ],
])('%s fails', async (_name, call, message) => {
  await expect(call()).rejects.toThrow(message)
})
