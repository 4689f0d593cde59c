import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PLATFORM_PROBLEMS } from '@shop/platform/problems'
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

describe('400 bad-request, and no service sees anything, for', () => {
  test.each<[what: string, bytes: string, instance: string]>([
    // RFC 9112 6.3: framing that two servers could read differently
    [
      'Content-Length with Transfer-Encoding',
      post('Content-Length: 4\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\nGET /users HTTP/1.1\r\n\r\n'),
      '/orders',
    ],
    [
      'Transfer-Encoding with Content-Length',
      post('Transfer-Encoding: chunked\r\nContent-Length: 4\r\n', '0\r\n\r\n'),
      '/orders',
    ],
    ['two Content-Lengths', post('Content-Length: 4\r\nContent-Length: 5\r\n', 'abcde'), '/orders'],
    ['a negative Content-Length', post('Content-Length: -1\r\n'), '/orders'],
    ['a Content-Length with a list', post('Content-Length: 3, 3\r\n', 'abc'), '/orders'],
    [
      'two Transfer-Encodings',
      post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'),
      '/orders',
    ],
    [
      'Transfer-Encoding in HTTP/1.0',
      'POST /orders HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      '/orders',
    ],
    ['a chunk size that is no number', post('Transfer-Encoding: chunked\r\n', 'ZZ\r\n'), '/orders'],
    // RFC 9112 5: header lines
    ['a space before the colon', post('X-User-Id : 1\r\n'), '/orders'],
    ['a folded header line', post('X-A: 1\r\n X-User-Id: 2\r\n'), '/orders'],
    ['a bare CR', post('X-A: 1\rX-User-Id: 2\r\n'), '/orders'],
    ['a NUL in a header', post('X-A: a\0b\r\n'), '/orders'],
    ['no Host', 'GET /orders HTTP/1.1\r\nConnection: close\r\n\r\n', '/orders'],
    ['two Hosts', `GET /orders HTTP/1.1\r\nHost: other.example\r\n${head}\r\n`, '/orders'],
    ['a Host with a path', 'GET /orders HTTP/1.1\r\nHost: a/../b\r\n\r\n', '/orders'],
    ['one header that is too large', post(`X-A: ${'a'.repeat(9000)}\r\n`), '/orders'],
    [
      'headers that are too large together',
      post(Array.from({ length: 20 }, (_, i) => `X-${i}: ${'a'.repeat(1000)}\r\n`).join('')),
      '/orders',
    ],
    // the request line
    ['a method in lower case', `get /orders HTTP/1.1\r\n${head}\r\n`, '/'],
    ['an asterisk', `OPTIONS * HTTP/1.1\r\n${head}\r\n`, '/'],
    ['CONNECT to another host', `CONNECT other.example:443 HTTP/1.1\r\n${head}\r\n`, '/'],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', '/'],
    ['HTTP/3', `GET /orders HTTP/3.0\r\n${head}\r\n`, '/'],
    ['a version that is none', `GET /orders HTTP/x\r\n${head}\r\n`, '/'],
    ['a TLS handshake', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', '/'],
    ['a space in the path', get('/ord ers'), '/'],
    ['a control character in the path', get('/ord\x01ers'), '/'],
    // paths that nginx and a service could read differently
    ['a dot segment', get('/orders/../users/token'), '/orders/../users/token'],
    ['a single dot segment', get('/orders/./x'), '/orders/./x'],
    ['a dot segment at the end', get('/orders/..'), '/orders/..'],
    ['a dot segment before the query', get('/docs/..?a=1'), '/docs/..'],
    ['dot segments that leave the root', get('/../../etc/passwd'), '/'],
    ['encoded dots', get('/docs/%2e%2E/users'), '/docs/%2e%2E/users'],
    ['an encoded slash', get('/docs/a%2f..%2Fetc'), '/docs/a%2f..%2Fetc'],
    ['an encoded backslash', get('/docs/..%5cetc'), '/docs/..%5cetc'],
    ['an encoded NUL', get('/orders/%00'), '/'],
    ['an encoded line feed', get('/orders%0a'), '/orders%0a'],
    ['an encoded DEL', get('/orders%7F'), '/orders%7F'],
    ['a malformed escape', get('/orders/%zz'), '/'],
    ['a cut escape', get('/orders/%4'), '/'],
    ['a fragment', get('/users/token#x'), '/users/token'],
    ['a backslash', get('/users\\token'), '/users'],
    ['a quote, which would end a JSON string', get('/orders/a"b'), '/orders/a'],
    ['markup', get('/orders/<script>alert(1)</script>'), '/orders/'],
    ['raw UTF-8', get('/orders/\xc3\xa9'), '/orders/'],
    ['raw UTF-8 in the query', get('/orders?q=\xc3\xa9'), '/orders'],
    ['another host in the path', get('//evil.example/%2e%2e'), '/'],
    ['a hidden way to the error page', get('/orders/"/../../_problem"'), '/orders/'],
  ])('%s', async (_what, bytes, instance) => {
    expectProblem(await rawAnswer(shop.nginx.port, bytes), 400, 'bad-request', instance)
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
  test.each(['gzip, chunked', 'xchunked', 'identity', 'chunked, identity'])(
    '501 for Transfer-Encoding: %s',
    async (coding) => {
      const answer = await rawAnswer(shop.nginx.port, post(`Transfer-Encoding: ${coding}\r\n`, '0\r\n\r\n'))
      expectProblem(answer, 501, 'not-implemented', '/orders')
      expectNobodySaw()
    },
  )

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
    expectNobodySaw()
  })

  test('a body of 256 kB goes to the service, which refuses what is over 100 kB in the promised order', async () => {
    const body = 'a'.repeat(256 * 1024)
    expect((await send(shop.nginx.port, '/orders', { method: 'POST', body })).status).toBe(200)
    expect(
      (await send(shop.nginx.port, '/orders', { method: 'POST', headers: { 'Transfer-Encoding': 'chunked' }, body }))
        .status,
    ).toBe(200)
    expect(shop.orders.seen.map((each) => each.body === body)).toEqual([true, true])
    // framed anew: with a length, whichever way it came
    expect(shop.orders.seen.map((each) => [each.headers['content-length'], each.headers['transfer-encoding']])).toEqual(
      [
        [String(body.length), undefined],
        [String(body.length), undefined],
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
  test('is not served after the one that carried it was refused', async () => {
    const smuggled = 'GET /users/smuggled HTTP/1.1\r\nHost: a\r\n\r\n'
    const bytes = `POST /orders HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`
    expect(answersIn(await sendRaw(shop.nginx.port, bytes)).map(({ status }) => status)).toEqual([400])
    expectNobodySaw()
  })

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
