import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { openClient, type Call, type Client } from '../src/client'

type Heard = { method: string; url: string; headers: http.IncomingHttpHeaders; body: string }

let server: http.Server
let client: Client
/** What the server was told, and how it answers: each call takes the next of `answers`. */
let heard: Heard[]
let answers: ((response: http.ServerResponse) => void)[]

beforeEach(async () => {
  heard = []
  answers = []
  server = http.createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk))
    request.on('end', () => {
      heard.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body })
      answers.shift()?.(response)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  client = openClient({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/shop`, patienceMs: 5_000 })
})
afterEach(() => {
  client.close()
  server.closeAllConnections()
  server.close()
})

const answer =
  (status: number, body?: unknown, headers: Record<string, string> = {}) =>
  (response: http.ServerResponse) =>
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))

test('a call carries token, key and JSON below the address, and gives back what came', async () => {
  answers = [answer(201, { id: 7 })]
  const as = { token: () => Promise.resolve('t0ken') }
  const made = await client.call('POST', '/orders?x=1', { as, key: 'k', body: { a: 'ü' }, headers: { 'x-one': '1' } })
  expect(heard).toEqual([
    {
      method: 'POST',
      url: '/shop/orders?x=1',
      body: '{"a":"ü"}',
      headers: expect.objectContaining({
        authorization: 'Bearer t0ken',
        'idempotency-key': 'k',
        'content-type': 'application/json',
        'content-length': '10',
        'x-one': '1',
      }),
    },
  ])
  expect(made).toMatchObject({ outcome: 'ok', status: 201, body: { id: 7 }, problem: undefined, text: '{"id":7}' })
})

test('bytes go out as they are, a list as several lines, and what comes back compressed is read', async () => {
  answers = [
    (response) => response.writeHead(200, { 'content-encoding': 'gzip', 'x-two': ['a', 'b'] }).end(gzipSync('text')),
    (response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(),
  ]
  const made = await client.call('POST', '/orders', { body: Buffer.of(0xff), headers: { 'x-one': ['1', '2'] } })
  expect(heard[0]).toMatchObject({ body: '\ufffd', headers: { 'content-length': '1', 'x-one': '1, 2' } })
  expect(heard[0]?.headers['content-type']).toBeUndefined()
  expect(made.text).toBe('text')
  expect(made.rawHeaders.filter((each) => each === 'x-two')).toHaveLength(2)
  expect(await client.call('HEAD', '/orders')).toMatchObject({ status: 200, text: '' })
})

test.each<[number, string | undefined, string]>([
  [200, undefined, 'ok'],
  [304, undefined, 'ok'],
  [404, 'order-not-found', 'refused'],
  [409, 'insufficient-stock', 'refused'],
  [409, 'request-in-progress', 'unknown'],
  [408, 'request-timeout', 'unknown'],
  [500, 'internal-error', 'unknown'],
  [504, 'gateway-timeout', 'unknown'],
])('%d %s leaves an outcome that is %s', async (status, code, outcome) => {
  answers = [answer(status, { code })]
  const made = await client.call('GET', '/')
  expect(made.outcome).toBe(outcome)
  expect(made.problem?.code).toBe(code)
})

test('no answer, half an answer and a late answer are unknown', async () => {
  answers = [
    (response) => response.destroy(),
    (response) => {
      response.writeHead(200, { 'content-length': '10' }).write('half')
      response.destroy()
    },
    () => undefined,
  ]
  const made = [
    await client.call('GET', '/'),
    await client.call('GET', '/'),
    await client.call('GET', '/', { timeoutMs: 50 }),
  ]
  expect(made.map(({ outcome, status }) => ({ outcome, status }))).toEqual(
    Array.from({ length: 3 }, () => ({ outcome: 'unknown', status: 0 })),
  )
  expect(made[2]?.fault).toBe('no whole answer within 50 ms')
  expect(client.counts).toEqual({ calls: 3, limited: 0, unavailable: 0, lost: 3 })
})

test.each([429, 502, 503, 504])('%d is waited out as long as Retry-After says', async (status) => {
  answers = [answer(status, {}, { 'retry-after': '1' }), answer(200)]
  const begun = performance.now()
  expect((await client.call('GET', '/')).status).toBe(200)
  expect(performance.now() - begun).toBeGreaterThanOrEqual(990)
  expect(heard).toHaveLength(2)
})

test('while the shop asks for patience no other call is sent; logging in has a limit of its own', async () => {
  answers = [answer(429, {}, { 'retry-after': '1' }), answer(200), answer(200), answer(200)]
  const begun = performance.now()
  const first = client.call('GET', '/a')
  while (client.counts.limited === 0) await setImmediate()
  await setImmediate()
  const second = client.call('GET', '/b')
  await client.call('POST', '/users/token')
  expect(heard.map(({ url }) => url)).toEqual(['/shop/a', '/shop/users/token'])
  await Promise.all([first, second])
  expect(performance.now() - begun).toBeGreaterThanOrEqual(990)
  expect(heard).toHaveLength(4)
})

test.each<[string, Call, number]>([
  ['POST', {}, 503],
  ['POST', { key: 'k' }, 200],
  ['POST', { repeatable: true }, 200],
  ['PATCH', {}, 503],
  ['DELETE', {}, 200],
  ['GET', {}, 200],
  ['GET', { repeatable: false }, 503],
])('after a 503, which may hide an effect like a 502 or 504, %s %j ends with %d', async (method, call, status) => {
  answers = [503, 502, 504].flatMap((each) => [answer(each, {}, { 'retry-after': '0' })])
  answers.push(answer(200))
  const made = await client.call(method, '/', call)
  expect([made.status, made.tries]).toEqual([status, status === 200 ? 4 : 1])
})

test('calls made together are whole in the same moment: none of them before the last one is on its way', async () => {
  const begun: string[] = []
  const whole: string[] = []
  server.removeAllListeners('request')
  server.on('request', (request: http.IncomingMessage, response: http.ServerResponse) => {
    begun.push(request.url ?? '')
    request.resume().on('end', () => {
      whole.push(request.url ?? '')
      answer(201, { path: request.url })(response)
    })
  })
  let admit: (token: string) => void = () => undefined
  const late = { token: () => new Promise<string>((resolve) => (admit = resolve)) }
  const making = client.together<{ path: string }>([
    { method: 'POST', path: '/order', body: { n: 1 } },
    { method: 'POST', path: '/cancel' },
    { method: 'POST', path: '/late', body: { n: 2 }, as: late },
  ])
  while (begun.length < 2) await setImmediate()
  expect(whole).toEqual([])
  admit('token')
  const paths = ['/shop/order', '/shop/cancel', '/shop/late']
  expect((await making).map(({ body }) => body?.path)).toEqual(paths)
  expect(whole.sort()).toEqual(paths.sort())
})

test('of calls made together the busy ones are made again, and the others are not', async () => {
  answers = [answer(201), answer(429, {}, { 'retry-after': '0' }), answer(201), answer(201)]
  const made = await client.together(['/1', '/2', '/3'].map((path) => ({ method: 'POST', path, body: {}, key: 'k' })))
  expect(made.map(({ status }) => status)).toEqual([201, 201, 201])
  expect(made.map(({ tries }) => tries).sort()).toEqual([1, 1, 2])
  expect(heard).toHaveLength(4)
})

test('patience ends: without any, without Retry-After, and when the wait would be longer', async () => {
  answers = [
    answer(429, {}, { 'retry-after': '1' }),
    answer(503),
    answer(429, {}, { 'retry-after': new Date(Date.now() + 60_000).toUTCString() }),
  ]
  expect((await client.call('GET', '/', { patienceMs: 0 })).status).toBe(429)
  expect((await client.call('GET', '/')).status).toBe(503)
  expect((await client.call('GET', '/')).status).toBe(429)
  expect(client.counts).toMatchObject({ calls: 3, limited: 2, unavailable: 1 })
})

test('an abandoned call is heard whole, and its connection is gone before the answer', async () => {
  const cut = new Promise<boolean>((resolve) => {
    answers = [(response) => response.on('close', () => resolve(response.writableFinished))]
  })
  await client.abandon('POST', '/orders', { body: { a: 1 }, key: 'k' })
  expect(await cut).toBe(false)
  expect(heard).toMatchObject([{ method: 'POST', url: '/shop/orders', body: '{"a":1}' }])
})

test('a call that nobody answers can be abandoned all the same', async () => {
  server.close()
  await once(server, 'close')
  await client.abandon('POST', '/orders', { body: { a: 1 } })
  expect(heard).toEqual([])
})
