import { Agent } from 'node:http'
import { expectCommonHeaders, expectProblem, rawAnswer, send } from './answers'
import { type Shop, startShop } from './nginx'

let shop: Shop
beforeAll(async () => (shop = await startShop()))
const services = () => [shop.users, shop.products, shop.orders, shop.swagger]
beforeEach(() => services().forEach((each) => each.reset()))

describe('a path goes to the service that owns it, as it was sent', () => {
  test.each([
    ['users', '/users'],
    ['users', '/users/me'],
    ['users', '/users/.well-known/jwks.json'],
    ['users', '/users/'],
    ['users', '/users/TOKEN'],
    ['users', '/users/livez'],
    ['users', '/users/docs'],
    ['users', '/users//token'],
    ['users', '/users/%74oken'],
    ['products', '/products'],
    ['products', '/products?q=red%20shoe&sort=-price&cursor=a%2Fb=='],
    ['products', '/products?'],
    ['products', '/products?next=//evil.example/../x'],
    ['products', '/products?q="[<{|\\^`}>]"#x'],
    ['products', '/products/018f4e9a-0000-7000-8000-000000000000/stock'],
    ['products', '/products/%C3%A9'],
    ['orders', '/orders'],
    ['orders', '/orders/cart/items/018f4e9a-0000-7000-8000-000000000000'],
    ['orders', "/orders/a~b!$&'()*+,;=:@c"],
    ['swagger', '/'],
    ['swagger', '/?a=1'],
    ['swagger', '/docs'],
    ['swagger', '/docs/'],
    ['swagger', '/docs/swagger-ui-bundle.js'],
    ['swagger', '/openapi.json'],
    ['swagger', '/openapi/users.json'],
    ['swagger', '/problems/route-not-found'],
  ] as const)('%s: %s', async (service, path) => {
    const answer = await send(shop.nginx.port, path)
    expect([answer.status, answer.json()]).toEqual([200, { service, url: path }])
    expect(services().flatMap(({ seen }) => seen)).toHaveLength(1)
    expectCommonHeaders(answer)
  })

  test.each(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])('with the method %s', async (method) => {
    const answer = await send(shop.nginx.port, '/orders', { method })
    expect(answer.status).toBe(200)
    expect(shop.orders.seen).toEqual([expect.objectContaining({ method, url: '/orders' })])
  })

  test('with its body', async () => {
    const body = JSON.stringify({ notes: 'é'.repeat(60_000) })
    await send(shop.nginx.port, '/orders', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body })
    expect(shop.orders.seen).toEqual([
      expect.objectContaining({ body, headers: expect.objectContaining({ 'content-type': 'application/json' }) }),
    ])
  })

  test('whatever host the client names, in absolute form too', async () => {
    const answer = await rawAnswer(
      shop.nginx.port,
      'GET http://shop.example/products?a=1 HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n\r\n',
    )
    expect(answer.status).toBe(200)
    // RFC 9112 3.2.2: the host of the request line wins
    expect(shop.products.seen).toEqual([
      expect.objectContaining({ url: '/products?a=1', headers: expect.objectContaining({ host: 'shop.example' }) }),
    ])
  })
})

describe('nginx itself answers 404', () => {
  test.each([
    '/livez',
    '/readyz',
    '/metrics',
    '/%6Civez',
    '/healthz',
    '/favicon.ico',
    '/userss',
    '/users.json',
    '/USERS',
    '/Products',
    '/products-old',
    '//products',
    '//',
    '/docsx',
    '/openapi',
    '/openapi.json/',
    '/openapi.jsonx',
    '/problems',
    '/_problem',
    '/none',
    '/nginx.conf',
    '/.data/nginx/nginx.conf',
  ])('%s', async (path) => {
    const answer = await send(shop.nginx.port, path)
    expectProblem(answer, 404, 'route-not-found', path.startsWith('//') ? '/' : path)
    expect(services().flatMap(({ seen }) => seen)).toEqual([])
  })

  test.each(['HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])('with the method %s', async (method) => {
    const answer = await send(shop.nginx.port, '/metrics?token=secret', {
      method,
      headers: { 'Content-Length': '2' },
      body: 'ab',
    })
    if (method !== 'HEAD') return expectProblem(answer, 404, 'route-not-found', '/metrics')
    expect([answer.status, answer.text, answer.one('Content-Type')]).toEqual([404, '', 'application/problem+json'])
    expect(Number(answer.one('Content-Length'))).toBeGreaterThan(100)
    expectCommonHeaders(answer)
  })

  test('and keeps the connection for the next request', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const first = await send(shop.nginx.port, '/nosuch', { agent })
    expect((await send(shop.nginx.port, '/products', { agent })).status).toBe(200)
    expect(first.one('Connection')).toBe('keep-alive')
    agent.destroy()
  })
})
