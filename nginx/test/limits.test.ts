import { Agent } from 'node:http'
import { type Answer, answersIn, expectProblem, send, sendRaw } from './answers'
import { type Shop, startShop, until } from './nginx'

/** What came of calls, and how long they took. */
async function outcome(calls: () => Promise<Answer[]>) {
  const start = performance.now()
  const answers = await calls()
  const seconds = (performance.now() - start) / 1000
  const refused = answers.filter(({ status }) => status === 429)
  return { seconds, passed: answers.filter(({ status }) => status !== 429), refused }
}

/** Sends as fast as a few dozen connections can. */
async function flood(count: number, call: (index: number, agent: Agent) => Promise<Answer>) {
  const agent = new Agent({ keepAlive: true, maxSockets: 50 })
  const result = await outcome(() => times(count, (index) => call(index, agent)))
  agent.destroy()
  return result
}

/**
 * Sends each path many times on a connection of its own, without waiting for an answer: the next request is there when nginx has
 * answered the one before, however slow this process is. Each has an address of its own, if its headers are believed.
 */
function pipelined(port: number, paths: string[], count: number) {
  const request = (path: string, n: number) =>
    `GET ${path} HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 10.0.${n % 250}.1\r\nX-Real-IP: 10.1.1.1\r\n` +
    `${n === count - 1 ? 'Connection: close\r\n' : ''}\r\n`
  return outcome(async () => {
    const texts = await Promise.all(
      paths.map((path) => sendRaw(port, Array.from({ length: count }, (_, n) => request(path, n)).join(''))),
    )
    return texts.flatMap(answersIn)
  })
}

const times = <T>(count: number, make: (index: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, i) => make(i)))

describe('with the limits of the shop', () => {
  test('200 requests a second of one address are served, bursts of twice that, and the rest is told to come again', async () => {
    const shop = await startShop({ RATE_LIMIT_RPS: '200' })
    const paths = ['/users/me', '/orders', '/docs/', '/nosuch']
    const { seconds, passed, refused } = await pipelined(shop.nginx.port, paths, 600)
    expect(passed.length).toBeGreaterThanOrEqual(401)
    expect(passed.length).toBeLessThanOrEqual(402 + 200 * seconds)
    expect(refused.length).toBeGreaterThan(0)
    for (const answer of refused) {
      expectProblem(answer, 429, 'rate-limited', answer.json()['instance'] as string)
      expect([paths.includes(answer.json()['instance'] as string), answer.one('Retry-After')]).toEqual([true, '1'])
    }
    const reached = [shop.users, shop.orders, shop.swagger].reduce((sum, { seen }) => sum + seen.length, 0)
    expect(reached).toBe(passed.filter(({ status }) => status === 200).length)
    await until('the address is let in again', async () => (await send(shop.nginx.port, '/products')).status === 200)
  })

  test('120 logins and registrations a minute, and nothing else of users counts', async () => {
    const shop = await startShop({ LOGIN_RATE_LIMIT_RPM: '120' })
    const login = (i: number, agent: Agent) =>
      send(shop.nginx.port, i % 2 ? '/users' : '/users/token?a=1', { method: 'POST', agent, body: '{}' })
    const { seconds, passed, refused } = await flood(300, login)
    expect(passed.length).toBeGreaterThanOrEqual(121)
    expect(passed.length).toBeLessThanOrEqual(122 + 2 * seconds)
    for (const answer of refused) {
      expectProblem(answer, 429, 'rate-limited', answer.json()['instance'] as string)
      expect(answer.one('Retry-After')).toBe('1')
    }
    expect(new Set(refused.map((answer) => answer.json()['instance']))).toEqual(new Set(['/users', '/users/token']))

    const others: [string, string][] = [
      ['GET', '/users'],
      ['GET', '/users/token'],
      ['OPTIONS', '/users/token'],
      ['GET', '/users/me'],
      ['PATCH', '/users/me'],
      ['POST', '/users/token/revoke'],
      ['POST', '/orders'],
      ['POST', '/products'],
    ]
    for (const [method, path] of others) {
      const answers = await times(20, () => send(shop.nginx.port, path, { method }))
      expect([method, path, new Set(answers.map(({ status }) => status))]).toEqual([method, path, new Set([200])])
    }
  })
})

describe('the login limit', () => {
  test('names the time after which the next login is let in', async () => {
    const shop = await startShop({ LOGIN_RATE_LIMIT_RPM: '7' })
    const answers = await times(10, () => send(shop.nginx.port, '/users/token', { method: 'POST' }))
    const refused = answers.filter(({ status }) => status === 429)
    expect([refused.length, new Set(refused.map((answer) => answer.one('Retry-After')))]).toEqual([2, new Set(['9'])])
  })

  test('is not walked around by another spelling: what is not counted is not a login to the service either', async () => {
    const shop = await startShop({ LOGIN_RATE_LIMIT_RPM: '1' })
    const login = (path: string) => send(shop.nginx.port, path, { method: 'POST' })
    await times(2, () => login('/users/token'))
    for (const path of ['/users/token', '/users/token?x', '/users/%74oken', '/%75sers/token', '/users', '/users?'])
      expectProblem(await login(path), 429, 'rate-limited', path.replace(/\?.*/, ''))
    for (const path of ['/users/./token', '/users/x/../token', '/users%2ftoken', '/users/token%00'])
      expect((await login(path)).status).toBe(400)
    shop.users.reset()
    const others = ['/users/token/', '/users//token', '/users/TOKEN', '/users/token;x=1', '/users/', '/users/token%20']
    for (const path of others) expect((await login(path)).status).toBe(200)
    expect(shop.users.seen.map(({ url }) => url)).toEqual(others) // strict routes: 404 there
  })
})

describe('the connection limit', () => {
  test('bounds the requests that one address has under way', async () => {
    const shop = await startShop({ RATE_LIMIT_RPS: '3' })
    const release: (() => void)[] = []
    shop.orders.answer((_request, response) => release.push(() => response.end()))
    const held = times(6, () => send(shop.nginx.port, '/orders'))
    await until('six requests are under way', () => release.length === 6)
    // The seventh of a burst of six and one: the rate has room for it.
    const seventh = await send(shop.nginx.port, '/products')
    expectProblem(seventh, 429, 'rate-limited', '/products')
    expect(await shop.nginx.logged(seventh.one('X-Request-Id')!)).toMatchObject({ limited: 'PASSED' })
    release.forEach((end) => end())
    expect((await held).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200])
    await until('there is room again', async () => (await send(shop.nginx.port, '/products')).status === 200)
  })
})

describe('limits that are 0', () => {
  test('are off, for requests, logins and connections', async () => {
    const shop = await startShop({ RATE_LIMIT_RPS: '0', LOGIN_RATE_LIMIT_RPM: '0' })
    const { refused } = await flood(1000, (i, agent) =>
      send(shop.nginx.port, i % 2 ? '/products' : '/users/token', { method: 'POST', agent }),
    )
    expect(refused).toEqual([])

    const release: (() => void)[] = []
    shop.orders.answer((_request, response) => release.push(() => response.end()))
    const held = times(450, () => send(shop.nginx.port, '/orders'))
    await until('more are under way than a burst may bring', () => release.length === 450)
    release.forEach((end) => end())
    expect(new Set((await held).map(({ status }) => status))).toEqual(new Set([200]))
  })

  test('do not switch each other off', async () => {
    const [logins, requests] = await Promise.all([
      startShop({ RATE_LIMIT_RPS: '0', LOGIN_RATE_LIMIT_RPM: '1' }),
      startShop({ RATE_LIMIT_RPS: '1', LOGIN_RATE_LIMIT_RPM: '0' }),
    ])
    const statuses = async (shop: Shop, method: string, path: string) =>
      new Set((await times(10, () => send(shop.nginx.port, path, { method }))).map(({ status }) => status))
    expect(await statuses(logins, 'GET', '/products')).toEqual(new Set([200]))
    expect(await statuses(logins, 'POST', '/users/token')).toEqual(new Set([200, 429]))
    expect(await statuses(requests, 'POST', '/users/token')).toEqual(new Set([200, 429]))
  })
})
