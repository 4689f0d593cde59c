import { once } from 'node:events'
import net from 'node:net'
import { Router } from 'express'
import { z } from 'zod'
import { httpApp } from '@shop/platform/http'
import { makeLog } from '@shop/platform/logging'
import { reply, routesOf } from '@shop/platform/routes'
import { listen, type RunningServer } from '@shop/platform/server'
import type { Json } from '../../tests/support/checked'

/** A handler that waits until the test lets it go. */
let arrived: () => void
let work: () => Promise<void>
let started: number

const route = routesOf<object>()({})
const body = z.strictObject({ note: z.string().max(200_000) })
const described = { tag: 'notes', summary: 's', access: 'public', problems: [] } as const
const Note = z.object({ note: z.string() })
const routes = [
  route(
    {
      ...described,
      method: 'post',
      path: '/notes',
      operationId: 'write',
      body,
      responses: { 201: { description: 'd', body: Note } },
    },
    async (input) => {
      started++
      arrived()
      await work()
      return reply(201, { note: input.body.note })
    },
  ),
  route(
    {
      ...described,
      method: 'post',
      path: '/notes/{id}/pin',
      operationId: 'pin',
      params: z.strictObject({ id: z.string() }),
      responses: { 204: { description: 'd' } },
    },
    () => Promise.resolve(reply(204)),
  ),
  route(
    {
      ...described,
      method: 'get',
      path: '/notes/{id}',
      operationId: 'read',
      params: z.strictObject({ id: z.string() }),
      responses: { 200: { description: 'd', body: Note } },
    },
    ({ params }) => Promise.resolve(reply(200, { note: params.id })),
  ),
]

let server: RunningServer
let lines: Record<string, unknown>[]
let onLine: (() => void)[]
let observed: { route: string | undefined; status: number }[]
const log = makeLog('test', 'info', {
  write: (line: string) => {
    lines.push(JSON.parse(line) as Record<string, unknown>)
    for (const notice of onLine) notice()
  },
})
const clients = new Set<net.Socket>()

const serve = async (deadlineMs?: number) => {
  const app = httpApp({
    routes,
    deps: {},
    problems: {},
    log,
    authenticate: () => Promise.resolve(undefined),
    operations: {
      router: Router(),
      observe: ({ facts }, status) => void observed.push({ route: facts?.route, status }),
    },
    ...(deadlineMs !== undefined && { deadlineMs }),
  })
  server = await listen(app, { port: 0, host: '127.0.0.1' })
}
beforeEach(() => {
  lines = []
  onLine = []
  observed = []
  started = 0
  arrived = () => undefined
  work = () => Promise.resolve()
})
afterEach(async () => {
  for (const client of clients) client.destroy()
  await server.drain()
})

const logged = (count = 1) =>
  new Promise<Record<string, unknown>[]>((resolve) => {
    const check = () => void (lines.length >= count && resolve(lines))
    onLine.push(check)
    check()
  })

type Answer = { status: number; headers: Record<string, string>; text: string; body: Json }

/** A connection on which a test says what it wants, when it wants; `answer` reads one answer. */
async function connect() {
  const socket = net.connect(server.port, '127.0.0.1')
  clients.add(socket)
  socket.on('error', () => undefined)
  let received = ''
  socket.on('data', (data) => void (received += data.toString()))
  await once(socket, 'connect')
  const more = () =>
    new Promise<void>((resolve, reject) => {
      socket.once('data', () => resolve())
      socket.once('close', () => reject(new Error(`closed after ${JSON.stringify(received)}`)))
    })
  return {
    socket,
    send: (text: string | Buffer) => socket.write(text),
    answer: async (hasBody = true): Promise<Answer> => {
      while (!received.includes('\r\n\r\n')) await more()
      const [head = '', ...rest] = received.split('\r\n\r\n')
      received = rest.join('\r\n\r\n')
      const [statusLine = '', ...fields] = head.split('\r\n')
      const headers = Object.fromEntries(
        fields.map((field) => [field.split(':', 1)[0]?.toLowerCase(), field.replace(/^[^:]*: */, '')]),
      )
      const length = hasBody ? Number(headers['content-length'] ?? 0) : 0
      while (received.length < length) await more()
      const text = received.slice(0, length)
      received = received.slice(length)
      return {
        status: Number(statusLine.split(' ')[1]),
        headers,
        text,
        body: text === '' ? undefined : JSON.parse(text),
      }
    },
  }
}
const head = (line: string, ...fields: string[]) => [`${line} HTTP/1.1`, 'Host: shop', ...fields, '', ''].join('\r\n')
const post = (...fields: string[]) => head('POST /notes', ...fields)
const JSON_TYPE = 'Content-Type: application/json'
const CHUNKED = 'Transfer-Encoding: chunked'
const chunk = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`

describe('with the bounds as they are', () => {
  beforeEach(() => serve())

  const ask = async (request: string | Buffer, hasBody = true) => {
    const client = await connect()
    client.send(request)
    return client.answer(hasBody)
  }

  test('a chunked body is read as any other', async () => {
    const answer = await ask(post(JSON_TYPE, CHUNKED) + chunk('{"no') + chunk('te":"a"}') + chunk(''))
    expect([answer.status, answer.body]).toEqual([201, { note: 'a' }])
  })

  test.each([
    ['chunked', [CHUNKED], chunk('x'.repeat(60_000)) + chunk('x'.repeat(60_000))],
    ['of a length that says so', ['Content-Length: 1000000000'], 'x'],
  ])('a body that is too long and %s is refused while it is still coming', async (_name, fields, start) => {
    const answer = await ask(post(JSON_TYPE, ...fields) + start)
    expect([answer.status, answer.body.code]).toEqual([413, 'content-too-large'])
    expect(started).toBe(0)
  })

  test.each([
    ['of another media type', post('Content-Type: text/plain', 'Content-Length: 3'), 'abc', 415],
    ['that is too long', post(JSON_TYPE, 'Content-Length: 100001'), 'x'.repeat(100_001), 413],
  ])(
    'the refusal of a body %s waits until it has come, so that the connection goes on',
    async (_name, start, rest, status) => {
      const [slow, other] = [await connect(), await connect()]
      slow.send(start)
      other.send(head('GET /notes/1'))
      await other.answer()
      slow.send(rest)
      expect((await slow.answer()).status).toBe(status)
      await logged(2)
      expect(lines.map((line) => line['status'])).toEqual([200, status])
      slow.send(head('GET /notes/1'))
      expect((await slow.answer()).status).toBe(200)
    },
  )

  test('a long body in another coding is refused for its coding first', async () => {
    const answer = await ask(post(JSON_TYPE, 'Content-Encoding: gzip', 'Content-Length: 1000000000'))
    expect([answer.status, answer.body.code]).toEqual([415, 'unsupported-media-type'])
  })

  test('a body of exactly 100 kB is read, in either framing', async () => {
    const text = JSON.stringify({ note: 'x'.repeat(100_000 - '{"note":""}'.length) })
    expect((await ask(post(JSON_TYPE, 'Content-Length: 100000') + text)).status).toBe(201)
    expect((await ask(post(JSON_TYPE, CHUNKED) + chunk(text) + chunk(''))).status).toBe(201)
    expect((await ask(post(JSON_TYPE, 'Content-Length: 100001') + text + ' ')).status).toBe(413)
  })

  test('a body that is not UTF-8 is no JSON', async () => {
    const text = Buffer.concat([Buffer.from('{"note":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}')])
    const answer = await ask(Buffer.concat([Buffer.from(post(JSON_TYPE, `Content-Length: ${text.length}`)), text]))
    expect([answer.status, answer.body]).toEqual([
      400,
      expect.objectContaining({ code: 'malformed-json', detail: 'The body is not UTF-8.' }),
    ])
  })

  test.each([
    ['nothing about a body', []],
    ['a length of 0', ['Content-Length: 0']],
    ['a media type that it does not need', ['Content-Length: 0', 'Content-Type: text/plain']],
    ['JSON that is not there', ['Content-Length: 0', JSON_TYPE]],
  ])('a call without a body may say %s', async (_name, fields) => {
    expect((await ask(head('POST /notes/1/pin', ...fields), false)).status).toBe(204)
  })

  test('a call without a body may send one of no chunks, and none of some', async () => {
    expect((await ask(head('POST /notes/1/pin', CHUNKED) + chunk(''), false)).status).toBe(204)
    expect((await ask(head('POST /notes/1/pin', CHUNKED) + chunk('x') + chunk(''))).status).toBe(415)
    expect((await ask(head('POST /notes/1/pin', CHUNKED, JSON_TYPE) + chunk('{}') + chunk(''), false)).status).toBe(204)
  })

  test.each([
    ['a hidden body', ['Content-Length: 1', 'Content-Type: text/plain'], 'x', 415],
    ['a body of no type', ['Content-Length: 1'], 'x', 415],
    ['a field', ['Content-Length: 7', JSON_TYPE], '{"a":1}', 422],
    ['an empty object', ['Content-Length: 2', JSON_TYPE], '{}', 204],
  ])('a call without a body that brings %s is answered %s %s', async (_name, fields, text, status) => {
    expect((await ask(head('POST /notes/1/pin', ...fields) + text, status !== 204)).status).toBe(status)
  })

  test('HEAD is answered as GET without the content, on a connection that goes on', async () => {
    const client = await connect()
    client.send(head('HEAD /notes/1') + head('GET /notes/1'))
    const [first, second] = [await client.answer(false), await client.answer()]
    expect([first.status, second.status, second.body]).toEqual([200, 200, { note: '1' }])
    expect(first.headers['etag']).toBe(second.headers['etag'])
    client.send(head('HEAD /notes/1', `If-None-Match: ${first.headers['etag']}`))
    expect((await client.answer(false)).status).toBe(304)
  })

  test.each(['OPTIONS', 'TRACE', 'PUT', 'PROPFIND'])(
    '%s of a known path is 405 and names the methods',
    async (method) => {
      const answer = await ask(head(`${method} /notes/1`))
      expect([answer.status, answer.headers['allow'], answer.body.code]).toEqual([
        405,
        'GET, HEAD',
        'method-not-allowed',
      ])
      expect((await ask(head(`${method} /nothing`))).status).toBe(404)
    },
  )

  test.each(['/notes/%zz', '/notes/%ff'])('the malformed path %s is 400', async (target) => {
    const answer = await ask(head(`GET ${target}`))
    expect([answer.status, answer.body]).toMatchObject([400, { code: 'bad-request', instance: target }])
  })

  test('a query that repeats what may be there once, or is strange, is a violation', async () => {
    for (const query of ['a=1&a=2', 'a[]=1', '__proto__=1', 'constructor[prototype]=1'])
      expect([query, (await ask(head(`GET /notes/1?${query}`))).status]).toEqual([query, 422])
  })

  describe('a client that goes away', () => {
    test('in the middle of its body is no error, and nothing of it is done', async () => {
      const client = await connect()
      client.send(post(JSON_TYPE, 'Content-Length: 100') + '{"note"')
      client.socket.destroy()
      const [line] = await logged()
      expect(line).toMatchObject({ level: 'info', path: '/notes', aborted: true })
      expect(line).not.toHaveProperty('status')
      expect([lines.length, started]).toEqual([1, 0])
      expect(observed).toEqual([{ route: '/notes', status: 499 }])
    })

    test.each([
      ['is done all the same', () => undefined, 1],
      ['fails', () => { throw new Error('kettle') }, 2], // prettier-ignore
    ])('while it is served is no error: its work %s', async (_name, end, count) => {
      const there = new Promise<void>((resolve) => (arrived = resolve))
      let finish = () => {}
      const finished = new Promise<void>((resolve) => (finish = resolve))
      let goOn = () => {}
      work = async () => {
        await new Promise<void>((resolve) => (goOn = resolve))
        finish()
        end()
      }
      const client = await connect()
      client.send(post(JSON_TYPE, 'Content-Length: 12') + '{"note":"a"}')
      await there
      client.socket.destroy()
      await logged()
      goOn()
      await finished
      await logged(count)
      expect(lines).toHaveLength(count)
      expect(lines[0]).toMatchObject({ level: 'info', aborted: true })
      expect(observed).toEqual([{ route: '/notes', status: 499 }])
      if (count === 2)
        expect(lines[1]).toMatchObject({
          level: 'error',
          msg: 'failed after its end',
          err: { message: 'kettle' },
          requestId: lines[0]?.['requestId'],
        })
    })
  })
})

describe('at the deadline', () => {
  // So long that a call which is answered without a wait never meets it, however busy the machine is.
  beforeEach(() => serve(1_000))

  test('a call that is not done is answered 503 with Retry-After, and what it comes to later changes nothing', async () => {
    let goOn = () => {}
    work = () => new Promise<void>((resolve) => (goOn = resolve))
    const client = await connect()
    const request = post(JSON_TYPE, 'Content-Length: 12', 'X-Request-Id: slow-call-1') + '{"note":"a"}'
    client.send(request)
    const answer = await client.answer()
    expect([answer.status, answer.headers['retry-after'], answer.body]).toEqual([
      503,
      '1',
      expect.objectContaining({ code: 'outcome-unknown', requestId: 'slow-call-1' }),
    ])
    goOn()
    work = () => Promise.resolve()
    client.send(request)
    expect((await client.answer()).status).toBe(201)
    expect(lines.map((line) => line['status'])).toEqual([503, 201])
  })

  test('a failure after it is logged once more, and is not sent', async () => {
    let fail = (_error: Error) => {}
    work = () => new Promise<void>((_resolve, reject) => (fail = reject))
    const client = await connect()
    client.send(post(JSON_TYPE, 'Content-Length: 12') + '{"note":"a"}')
    expect((await client.answer()).status).toBe(503)
    fail(new Error('kettle'))
    await logged(2)
    expect(lines[1]).toMatchObject({ level: 'error', msg: 'failed after its end', err: { message: 'kettle' } })
    client.send(head('GET /notes/1'))
    expect((await client.answer()).status).toBe(200)
  })

  test('a body that has not come is 408, nothing is done, and the connection ends', async () => {
    const client = await connect()
    client.send(post(JSON_TYPE, 'Content-Length: 12') + '{"note":')
    const answer = await client.answer()
    expect([answer.status, answer.body.code, answer.headers['connection']]).toEqual([408, 'request-timeout', 'close'])
    client.send('"a"}')
    await once(client.socket, 'close')
    expect(started).toBe(0)
    expect(lines).toHaveLength(1)
  })
})
