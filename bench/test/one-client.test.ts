import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { inTurns, oneByOne, sampleOf } from '../src/one-client'

test('the two take turns, and each of them is first as often as the other', async () => {
  const taken: string[] = []
  const results = await inTurns(4, (which, number) => {
    taken.push('ab'[which]! + number)
    return Promise.resolve(`${which}/${number}`)
  })
  expect(taken).toEqual(['a0', 'b0', 'b1', 'a1', 'a2', 'b2', 'b3', 'a3'])
  expect(results).toEqual([
    ['0/0', '0/1', '0/2', '0/3'],
    ['1/0', '1/1', '1/2', '1/3'],
  ])
})

test('a round’s figures are of all its orders, and each turn has a median of its own', () => {
  expect(
    sampleOf([
      [1, 3, 2],
      [4, 5, 9.00049],
    ]),
  ).toEqual({
    perSecond: 6000 / 24.00049,
    p50Ms: 3.5,
    p99Ms: 9,
    turnsMs: [2, 5],
  })
})

describe('one client', () => {
  const seen: { request: IncomingMessage; body: string }[] = []
  let [connections, under, most, status] = [0, 0, 0, 201]
  const server = createServer((request, response) => {
    most = Math.max(most, ++under)
    void text(request).then((body) => {
      seen.push({ request, body })
      setTimeout(() => {
        under--
        response.writeHead(status).end('{"code":"some-answer"}')
      }, 20)
    })
  }).on('connection', () => connections++)
  let client: ReturnType<typeof oneByOne>
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    client = oneByOne(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  })
  afterAll(() => {
    client.close()
    server.close()
  })
  const order = { method: 'POST' as const, path: '/orders', token: 'a-token', body: { items: [] } }

  test('orders over one connection, the next one when the one before is answered', async () => {
    const times = await client.times([order, order, order])
    expect(times).toHaveLength(3)
    expect(Math.min(...times)).toBeGreaterThan(15)
    expect([connections, most]).toEqual([1, 1])
    expect(seen.map(({ request, body }) => [request.method, request.url, request.headers.authorization, body])).toEqual(
      Array(3).fill(['POST', '/orders', 'Bearer a-token', '{"items":[]}']),
    )
  })

  test('takes nothing for an order but one that is placed', async () => {
    status = 409
    await expect(client.times([order])).rejects.toThrow('an order was answered 409: {"code":"some-answer"}')
  })
})
