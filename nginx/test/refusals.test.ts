import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PLATFORM_PROBLEMS } from '@shop/platform/problems'
import { refusals } from '../../proof/src/fuzz/probes'
import { answersIn, expectProblem, rawAnswer, send, sendRaw } from './answers'
import { type Shop, startShop } from './nginx'

let shop: Shop
beforeAll(async () => (shop = await startShop()))
const services = () => [shop.users, shop.products, shop.orders, shop.swagger]
beforeEach(() => services().forEach((each) => each.reset()))

const head = 'Host: shop.example\r\nConnection: close\r\n'
const get = (path: string) => `GET ${path} HTTP/1.1\r\n${head}\r\n`
const post = (headers: string, body = '') => `POST /orders HTTP/1.1\r\n${head}${headers}\r\n${body}`
const expectNobodySaw = () => expect(services().map((each) => each.begun())).toEqual([0, 0, 0, 0])

const targets = { read: '/orders', write: '/orders', smuggled: 'GET /users/smuggled HTTP/1.1\r\nHost: a\r\n\r\n' }

describe('refused, without a service having seen anything:', () => {
  test.each(refusals(targets).map((each) => [each.what, each] as const))('%s', async (_what, refusal) => {
    const { bytes, status, code, instance } = refusal
    expectProblem(await rawAnswer(shop.nginx.port, bytes), status, code, instance)
    expectNobodySaw()
  })

  test('HTTP/0.9, whose answers are a body alone', async () => {
    expect(JSON.parse(await sendRaw(shop.nginx.port, 'GET /orders\r\n'))).toMatchObject({
      status: 400,
      code: 'bad-request',
    })
    expectNobodySaw()
  })
})

describe('405 method-not-allowed, with Allow, for', () => {
  const api = 'GET, HEAD, POST, PUT, PATCH, DELETE'
  test.each([
    ['TRACE', '/orders', api],
    ['TRACE', '/nosuch', 'GET, HEAD'],
    ['CONNECT', '/users/me', api],
    ['PROPFIND', '/products?a=1', api],
    ['BREW', '/products/1', api],
    ['BREW', '/docs/', 'GET, HEAD'],
    ['PURGE', '/', 'GET, HEAD'],
  ])('%s %s', async (method, path, allow) => {
    const answer = await rawAnswer(shop.nginx.port, `${method} ${path} HTTP/1.1\r\n${head}\r\n`)
    expectProblem(answer, 405, 'method-not-allowed', path.replace(/\?.*/, ''))
    expect(answer.one('Allow')).toBe(allow)
    expectNobodySaw()
    expect(await shop.nginx.logged(answer.one('X-Request-Id')!)).toMatchObject({ method, status: 405 })
  })
})

describe('what is too large or not supported', () => {
  test('414 for a long request line', async () => {
    expectProblem(await rawAnswer(shop.nginx.port, get(`/orders/${'a'.repeat(7000)}`)), 414, 'uri-too-long', '/')
    const head = await send(shop.nginx.port, `/orders/${'a'.repeat(7000)}`, { method: 'HEAD' })
    expect([head.status, head.one('Allow')]).toEqual([414, undefined])
    expectNobodySaw()
  })

  test('413 for a body over 256 kB, before any of it is read', async () => {
    const answer = await send(shop.nginx.port, '/orders', { method: 'POST', body: Buffer.alloc(256 * 1024 + 1) })
    expectProblem(answer, 413, 'content-too-large', '/orders')
    expectNobodySaw()
  })

  test('413 for a chunked body as soon as it is over 256 kB', async () => {
    const chunk = `8000\r\n${'a'.repeat(0x8000)}\r\n`
    const answer = await rawAnswer(
      shop.nginx.port,
      post('Transfer-Encoding: chunked\r\n', `${chunk.repeat(9)}0\r\n\r\n`),
    )
    expectProblem(answer, 413, 'content-too-large', '/orders')
    expect(shop.orders.seen).toEqual([]) // it has begun to come, and is never whole
  })

  test('a body of 256 kB goes to the service, which refuses what is over 100 kB in the promised order', async () => {
    const body = 'a'.repeat(256 * 1024)
    expect((await send(shop.nginx.port, '/orders', { method: 'POST', body })).status).toBe(200)
    expect(
      (await send(shop.nginx.port, '/orders', { method: 'POST', headers: { 'Transfer-Encoding': 'chunked' }, body }))
        .status,
    ).toBe(200)
    expect(shop.orders.seen.map((each) => each.body === body)).toEqual([true, true])
    // framed anew, by nginx and not by the client
    expect(shop.orders.seen.map((each) => [each.headers['content-length'], each.headers['transfer-encoding']])).toEqual(
      [
        [String(body.length), undefined],
        [undefined, 'chunked'],
      ],
    )
  })

  test('a header that nginx lets through is one that Node lets through', async () => {
    const large = Array.from({ length: 6 }, (_, i) => `X-A${i}: ${'a'.repeat(1950)}\r\n`).join('')
    const answer = await rawAnswer(shop.nginx.port, `GET /orders/${'b'.repeat(900)} HTTP/1.1\r\n${head}${large}\r\n`)
    expect([answer.status, shop.orders.seen.length]).toEqual([200, 1])
  })
})

describe('a smuggled second request', () => {
  test('is data when it is inside a body', async () => {
    const body = 'GET /users/smuggled HTTP/1.1\r\nHost: a\r\n\r\n'
    const answer = await rawAnswer(shop.nginx.port, post(`Content-Length: ${body.length}\r\n`, body))
    expect([answer.status, shop.users.begun(), shop.orders.seen.map((each) => each.body)]).toEqual([200, 0, [body]])
  })

  test('is an ordinary pipelined request after a whole one', async () => {
    const first = 'GET /products HTTP/1.1\r\nHost: a\r\n\r\n'
    const answers = answersIn(await sendRaw(shop.nginx.port, first + get('/livez')))
    expect(answers.map(({ status }) => status)).toEqual([200, 404])
    expect(new Set(answers.map((answer) => answer.one('X-Request-Id'))).size).toBe(2)
  })
})

test('nginx and the services name their problems alike, as the OpenAPI document says', () => {
  const template = readFileSync(join(__dirname, '../nginx.conf.template'), 'utf8')
  const rows = (variables: string) => {
    const block = new RegExp(`map \\${variables.replace(' ', ' \\')} \\{([^}]*)\\}`).exec(template)?.[1] ?? ''
    return [...block.matchAll(/^ *(\S+) "?(.*?)"?;$/gm)].map(([, key, value]) => [key, value] as const)
  }
  const codes = rows('$status $problem_code').map(([status, code]) => [
    code,
    status === 'default' ? 500 : Number(status),
  ])
  const titles = new Map(rows('$problem_code $problem_title'))
  const named = codes.map(([code, status]) => [
    code,
    { status, title: titles.get(code === 'internal-error' ? 'default' : String(code)) },
  ])
  const shared = Object.entries(PLATFORM_PROBLEMS).filter(([code]) => codes.some(([each]) => each === code))
  expect(shared.length).toBeGreaterThanOrEqual(11)
  expect(Object.fromEntries(named)).toMatchObject(
    Object.fromEntries(shared.map(([code, { status, title }]) => [code, { status, title }])),
  )
})
