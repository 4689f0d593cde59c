import { send } from './answers'
import { type Shop, startShop, until } from './nginx'

let shop: Shop
beforeAll(async () => (shop = await startShop()))
beforeEach(() => {
  shop.products.reset()
  let version = 0
  shop.products.answer((_request, response) => {
    version += 1
    response.setHeader('Content-Type', 'application/json')
    response.setHeader('Cache-Control', 'no-cache')
    response.setHeader('ETag', `"${version}"`)
    response.setHeader('X-Request-Id', 'of-the-first-request')
    response.end(JSON.stringify({ version }))
  })
})

let paths = 0
/** A path that no other test has asked for. */
const somePath = () => `/products?page=${++paths}`
const get = (path: string, headers: Record<string, string> = {}) => send(shop.nginx.port, path, { headers })

test('anonymous reads of one address are asked of the service once, each with a request id of its own', async () => {
  const path = somePath()
  const answers = await Promise.all(Array.from({ length: 20 }, () => get(path)))
  // The answer to the first one is waited for by the others, for 50 ms: a service that is slower is asked by them, too.
  const [, ...impatient] = shop.products.seen.map(({ headers }) => String(headers['x-request-id']))
  for (const id of impatient) expect(Number((await shop.nginx.logged(id))['seconds'])).toBeGreaterThan(0.045)
  expect(new Set(answers.map((answer) => answer.text))).toEqual(
    new Set(shop.products.seen.map((_, n) => `{"version":${n + 1}}`)),
  )
  expect(new Set(answers.map((answer) => answer.one('X-Request-Id'))).size).toBe(20)
  expect(answers.map((answer) => answer.one('Cache-Control'))).toEqual(Array(20).fill('no-cache'))
})

/** For how long the entry that was made just now is served: until the last call began that got it. */
async function servedForMs(path: string): Promise<number> {
  const made = performance.now()
  let last = made
  await until('the entry is gone', async () => {
    const begun = performance.now()
    const { status, text } = await get(path)
    const isServed = status === 200 && text === '{"version":1}'
    if (isServed) last = begun
    return !isServed
  })
  return last - made
}

test('an entry is gone within two seconds, and another address is another entry', async () => {
  const path = somePath()
  await get(path)
  expect((await get(somePath())).text).toBe('{"version":2}')
  expect(await servedForMs(path)).toBeLessThan(2_000)
})

test('what was kept revalidates by its tag', async () => {
  const path = somePath()
  await get(path)
  const again = await get(path, { 'If-None-Match': '"1"' })
  expect([again.status, again.one('ETag'), again.one('Cache-Control')]).toEqual([304, '"1"', 'no-cache'])
})

test.each([
  ['a token', { Authorization: 'Bearer x' }],
  ['a precondition', { 'If-Match': '"1"' }],
])('who shows %s neither reads the cache nor fills it, and loses no header', async (_name, headers) => {
  const path = somePath()
  const conditional = { ...headers, 'If-None-Match': '"none"' }
  expect((await get(path, conditional)).text).toBe('{"version":1}')
  expect((await get(path)).text).toBe('{"version":2}')
  expect((await get(path, conditional)).text).toBe('{"version":3}')
  expect(shop.products.seen[2]?.headers).toMatchObject(
    Object.fromEntries(Object.entries(conditional).map(([name, value]) => [name.toLowerCase(), value])),
  )
})

test.each([404, 422, 500, 503])('an answer of %i is not kept', async (status) => {
  const path = somePath()
  shop.products.answer((_request, response) =>
    response.writeHead(status, { 'Content-Type': 'application/json' }).end('{}'),
  )
  await get(path)
  await get(path)
  expect(shop.products.seen).toHaveLength(2)
})

test('nothing stale is served when the service is away', async () => {
  const path = somePath()
  await get(path)
  shop.products.answer((request) => request.socket.destroy())
  expect(await servedForMs(path)).toBeLessThan(2_000)
  expect((await get(path)).status).toBe(502)
})

test('writes and other services are not cached', async () => {
  for (const path of ['/orders', '/users/me']) for (let n = 0; n < 2; n++) await get(path)
  expect([shop.orders.seen, shop.users.seen].map((seen) => seen.length)).toEqual([2, 2])
  const path = somePath()
  for (let n = 0; n < 2; n++) await send(shop.nginx.port, path, { method: 'POST' })
  expect(shop.products.seen).toHaveLength(2)
})
