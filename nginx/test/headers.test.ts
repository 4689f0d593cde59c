import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { expectCommonHeaders, expectProblem, rawAnswer, send } from './answers'
import { type Shop, startShop } from './nginx'
import { startUpstream } from './upstream'

let shop: Shop
beforeAll(async () => (shop = await startShop()))
const services = () => [shop.users, shop.products, shop.orders, shop.swagger]
beforeEach(() => services().forEach((each) => each.reset()))

const made = /^[0-9a-f]{32}$/

describe('the request id', () => {
  test.each(['abcdefgh', 'A.b_c-1234', '0'.repeat(64), '018f4e9a-0000-7000-8000-000000000000'])(
    'of the client is kept everywhere when it is sane: %s',
    async (id) => {
      shop.orders.answer((_request, response) => response.setHeader('X-Request-Id', 'of-the-service').end())
      const answer = await send(shop.nginx.port, '/orders', { headers: { 'X-Request-Id': id } })
      expect(answer.one('X-Request-Id')).toBe(id)
      expect(shop.orders.seen.map((each) => each.headers['x-request-id'])).toEqual([id])
      expect(await shop.nginx.logged(id)).toMatchObject({ path: '/orders', status: 200 })
    },
  )

  test.each([
    'short',
    'x'.repeat(65),
    'with space',
    'quote"quote',
    'semi;colon',
    '<script>alert</script>',
    'umläut-umläut',
    '',
  ])('is made when the client has none that is sane: %j', async (id) => {
    const answer = await rawAnswer(
      shop.nginx.port,
      `GET /orders HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Request-Id: ${id}\r\n\r\n`,
    )
    expect(answer.one('X-Request-Id')).toMatch(made)
    expect(shop.orders.seen.map((each) => each.headers['x-request-id'])).toEqual([answer.one('X-Request-Id')])
  })

  test('is made when the header is missing or spelt with underscores, another one each time', async () => {
    const answers = [
      await send(shop.nginx.port, '/orders'),
      await send(shop.nginx.port, '/orders', { headers: { X_Request_Id: 'underscores' } }),
    ]
    const ids = answers.map((answer) => answer.one('X-Request-Id'))
    expect(ids).toEqual([expect.stringMatching(made), expect.stringMatching(made)])
    expect(new Set(ids).size).toBe(2)
  })

  test('is one even when the client sends two', async () => {
    const answer = await rawAnswer(
      shop.nginx.port,
      'GET /orders HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Request-Id: first-one\r\nX-Request-Id: second-one\r\n\r\n',
    )
    expect(['first-one', expect.stringMatching(made)]).toContainEqual(answer.one('X-Request-Id'))
    expect(shop.orders.seen.map((each) => each.rawHeaders.filter((name) => /^x-request-id$/i.test(name)))).toEqual([
      ['X-Request-Id'],
    ])
  })

  test("is in nginx's own problems, the client's too", async () => {
    const answer = await send(shop.nginx.port, '/nosuch', { headers: { 'X-Request-Id': 'client-0001' } })
    expectProblem(answer, 404, 'route-not-found', '/nosuch')
    expect(answer.json()['requestId']).toBe('client-0001')
    expect(await shop.nginx.logged('client-0001')).toMatchObject({ path: '/nosuch', status: 404 })
  })
})

describe('what a service is told', () => {
  const forged = {
    'X-User-Id': '1',
    'x-user-role': 'ADMIN',
    'X-User': 'admin',
    'X-User-Name': 'admin',
    'X-User-Email': 'a@example.com',
    'X-User-Roles': 'ADMIN',
    'X-Role': 'ADMIN',
    'X-Roles': 'ADMIN',
    'X-Forwarded-User': 'admin',
    'X-Remote-User': 'admin',
    'Remote-User': 'admin',
    'X-HTTP-Method-Override': 'DELETE',
    'X-HTTP-Method': 'DELETE',
    'X-Method-Override': 'DELETE',
    'X-Original-URL': '/metrics',
    'X-Original-URI': '/metrics',
    'X-Rewrite-URL': '/metrics',
    'X-Forwarded-Host': 'evil.example',
    'X-Forwarded-Port': '1',
    'X-Forwarded-Prefix': '/evil',
    'X-Forwarded-Server': 'evil.example',
    'X-Client-IP': '6.6.6.6',
    'X-Cluster-Client-IP': '6.6.6.6',
    'True-Client-IP': '6.6.6.6',
    Forwarded: 'for=6.6.6.6',
    Proxy: 'http://evil.example',
    X_User_Id: '1',
    X_Forwarded_For: '6.6.6.6',
    'X.User.Id': '1',
    Upgrade: 'websocket',
    TE: 'trailers',
  }

  test.each(['users', 'products', 'orders', 'swagger'] as const)(
    '%s: no identity, address or method that the client forged',
    async (name) => {
      const path = name === 'swagger' ? '/docs/' : `/${name}`
      await send(shop.nginx.port, path, {
        headers: {
          ...forged,
          'X-Forwarded-For': ['6.6.6.6', '7.7.7.7'],
          'X-Forwarded-Proto': 'https',
          'X-Real-IP': '6.6.6.6',
          Host: 'shop.example:8080',
        },
      })
      expect(shop[name].seen.map((each) => each.headers)).toEqual([
        {
          host: 'shop.example',
          'x-forwarded-for': '127.0.0.1',
          'x-forwarded-proto': 'http',
          'x-real-ip': '127.0.0.1',
          'x-request-id': expect.stringMatching(made),
        },
      ])
    },
  )

  test('everything that the API has a use for', async () => {
    const headers = {
      accept: 'application/json',
      authorization: 'Bearer abc',
      'content-type': 'application/json; charset=utf-8',
      'idempotency-key': '"a key"',
      'if-match': '"1-2"',
      'if-none-match': 'W/"1-2"',
      'user-agent': 'test',
      'accept-encoding': 'gzip',
    }
    await send(shop.nginx.port, '/orders', { method: 'POST', headers, body: '{}' })
    expect(shop.orders.seen).toEqual([
      expect.objectContaining({ headers: expect.objectContaining(headers), body: '{}' }),
    ])
  })
})

describe('what a client is told', () => {
  const clashing = {
    'X-Request-Id': 'of-the-service',
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'SAMEORIGIN',
    'Referrer-Policy': 'origin',
    'Cross-Origin-Opener-Policy': 'unsafe-none',
    'Cross-Origin-Resource-Policy': 'cross-origin',
    'Content-Security-Policy': "default-src 'self'",
    'Strict-Transport-Security': 'max-age=1',
    'X-Powered-By': 'Express',
    Vary: 'Authorization',
  }

  test.each(['users', 'products', 'orders'] as const)('%s: every header once, and that is ours', async (name) => {
    for (const status of [200, 201, 204, 304, 404, 409, 500]) {
      shop[name].answer((_request, response) => response.writeHead(status, clashing).end())
      const answer = await send(shop.nginx.port, `/${name}?of=${status}`) // an address of its own: products are cached
      expect(answer.status).toBe(status)
      expectCommonHeaders(answer)
      expect(answer.one('Vary')).toBe('Authorization, Accept-Encoding')
    }
  })

  test("Swagger UI's pages have the swagger service's own policy, once", async () => {
    shop.swagger.answer((_request, response) => response.writeHead(200, clashing).end())
    for (const path of ['/', '/docs/', '/openapi.json', '/problems/bad-request'])
      expectCommonHeaders(await send(shop.nginx.port, path), "default-src 'self'")
  })

  test('the strictest policy where the swagger service has set none, or did not answer', async () => {
    expectCommonHeaders(await send(shop.nginx.port, '/docs/'))
    shop.swagger.answer((request) => request.socket.destroy())
    expectProblem(await send(shop.nginx.port, '/docs/'), 502, 'bad-gateway', '/docs/')
  })

  test.each([
    [undefined, 'Accept-Encoding'],
    ['Authorization', 'Authorization, Accept-Encoding'],
    ['Accept-Encoding', 'Accept-Encoding'],
    ['Origin, accept-encoding', 'Origin, accept-encoding'],
    ['*', '*'],
  ])('Vary %s becomes %s', async (own, expected) => {
    shop.orders.answer((_request, response) => response.writeHead(200, own === undefined ? {} : { Vary: own }).end())
    expect((await send(shop.nginx.port, '/orders')).one('Vary')).toBe(expected)
  })

  test.each([400, 401, 403, 404, 405, 409, 412, 413, 415, 422, 428, 429, 500, 502, 503, 504])(
    'a %s of a service is passed on as it is',
    async (status) => {
      const body = JSON.stringify({ type: '/problems/of-the-service', status, shortages: [1] })
      const own = {
        'Content-Type': 'application/problem+json',
        'Retry-After': '7',
        Allow: 'GET',
        'Cache-Control': 'private',
        'WWW-Authenticate': 'Bearer',
        Location: '/orders/1',
        ETag: '"1-2"',
      }
      shop.orders.answer((_request, response) => response.writeHead(status, own).end(body))
      const answer = await send(shop.nginx.port, '/orders', { method: 'POST', body: '{}' })
      expect([answer.status, answer.text]).toEqual([status, body])
      expect(Object.fromEntries(Object.keys(own).map((name) => [name, answer.one(name)]))).toEqual(own)
      expectCommonHeaders(answer)
    },
  )

  test.each(['http://127.0.0.1/x', '/users/me', '//elsewhere', 'http://users/me'])(
    'Location %s as it is',
    async (location) => {
      shop.users.answer((_request, response) => response.writeHead(301, { Location: location }).end())
      expect((await send(shop.nginx.port, '/users')).one('Location')).toBe(location)
    },
  )

  test('large answers compressed when the client takes that, with a weak ETag; small ones not', async () => {
    const large = JSON.stringify({ items: Array.from({ length: 500 }, (_, i) => i) })
    const reply = (body: string, type = 'application/json; charset=utf-8') =>
      shop.orders.answer((_request, response) =>
        response.writeHead(200, { 'Content-Type': type, 'Content-Length': body.length, ETag: '"1-2"' }).end(body),
      )
    const read = (encoding?: string) =>
      send(shop.nginx.port, '/orders', encoding ? { headers: { 'Accept-Encoding': encoding } } : {})

    reply(large)
    const plain = await read()
    expect([plain.one('Content-Encoding'), plain.one('ETag'), plain.text]).toEqual([undefined, '"1-2"', large])
    for (const type of [
      'application/json',
      'application/problem+json',
      'text/html',
      'text/css',
      'text/javascript',
      'image/svg+xml',
    ]) {
      reply(large, type)
      const zipped = await read('gzip')
      expect([type, zipped.one('Content-Encoding'), zipped.one('ETag'), zipped.one('Vary')]).toEqual([
        type,
        'gzip',
        'W/"1-2"',
        'Accept-Encoding',
      ])
      expect(gunzipSync(zipped.bytes).toString()).toBe(large)
    }
    reply('{}')
    expect((await read('gzip')).one('Content-Encoding')).toBeUndefined()
  })

  test('an answer of many megabytes whole', async () => {
    const size = 20_000_000
    shop.swagger.answer((_request, response) => response.end(Buffer.alloc(size, 'x')))
    expect((await send(shop.nginx.port, '/docs/')).bytes.length).toBe(size)
  })
})

describe('the logs', () => {
  test('have one JSON line a request, with method and path as they were sent', async () => {
    const hostile = `GET /orders/"quote\\?q="secret" HTTP/1.1\r\nHost: a\r\nConnection: close\r\nUser-Agent: "},{"status":200\\ \xff\r\n\r\n`
    const refused = await rawAnswer(shop.nginx.port, hostile)
    const unknown = await send(shop.nginx.port, '/nosuch?token=secret', { method: 'DELETE' })
    const passed = await send(shop.nginx.port, '/products?q=secret', {
      method: 'HEAD',
      headers: { Authorization: 'Bearer secret' },
    })
    const log = (id: string | undefined) => shop.nginx.logged(id ?? '')
    expect(await log(refused.one('X-Request-Id'))).toMatchObject({
      method: 'GET',
      path: '/orders/"quote\\',
      status: 400,
    })
    expect(await log(unknown.one('X-Request-Id'))).toMatchObject({ method: 'DELETE', path: '/nosuch', status: 404 })
    expect(await log(passed.one('X-Request-Id'))).toMatchObject({
      address: '127.0.0.1',
      method: 'HEAD',
      path: '/products',
      status: 200,
      upstream: `127.0.0.1:${shop.products.port}`,
      upstreamStatus: '200',
    })
    const ids = shop.nginx.accessLog().map(({ requestId }) => requestId)
    expect(ids.filter((id) => id === passed.one('X-Request-Id'))).toHaveLength(1)
  })

  test('never have a query string, a token or a body, not even when the service is away', async () => {
    const secret = `hunter2-${Math.random()}`
    const away = await startUpstream('away')
    await away.stop()
    const other = await startShop({ USERS_UPSTREAM: `127.0.0.1:${away.port}` })
    const call = {
      method: 'POST',
      headers: { Authorization: `Bearer ${secret}`, Referer: `http://a/?${secret}` },
      body: secret,
    }
    for (const path of ['/users/token', '/orders', '/nosuch', '/users/%2f', '/orders/#'].map(
      (each) => `${each}?p=${secret}`,
    )) {
      const answer = path.includes('#')
        ? await rawAnswer(other.nginx.port, `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
        : await send(other.nginx.port, path, call)
      await other.nginx.logged(answer.one('X-Request-Id')!)
    }
    const text = ['access.log', 'error.log']
      .map((name) => readFileSync(join(other.nginx.runtimeDir, name), 'utf8'))
      .join('')
    expect(text).not.toContain('hunter2')
    expect(other.nginx.accessLog().length).toBeGreaterThanOrEqual(5)
  })
})
