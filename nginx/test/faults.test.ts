import { Agent } from 'node:http'
import { connect } from 'node:net'
import { expectProblem, rawAnswer, send, sendRaw } from './answers'
import { freePorts } from '../../scripts/src/ports'
import { stopwatch } from '../../tests/support/stopwatch'
import { startShop, until } from './nginx'
import { startUpstream, type Upstream } from './upstream'

/** How long it took, what came of it, and how much of that time the machine stood still, for which nobody was cut off in time. */
const seconds = async <T>(work: Promise<T>): Promise<[took: number, value: T, still: number]> => {
  const [began, running] = [performance.now(), stopwatch()]
  const value = await work
  const took = performance.now() - began
  return [took / 1000, value, (took - running()) / 1000]
}
const hang = (): void => undefined

describe('every request ends within 10 s', () => {
  test.concurrent('504 when a service hangs, whatever the method, and the service got it once', async () => {
    const shop = await startShop()
    shop.orders.answer(hang)
    const results = await Promise.all(
      ['GET', 'POST', 'PUT', 'DELETE'].map((method) =>
        seconds(send(shop.nginx.port, `/orders/${method}?secret`, { method })),
      ),
    )
    for (const [took, answer, still] of results) {
      expectProblem(answer, 504, 'gateway-timeout', answer.json()['instance'] as string)
      expect(took).toBeGreaterThan(9) // the services' own deadline, at which they answer themselves
      const { seconds: logged } = await shop.nginx.logged(answer.one('X-Request-Id')!)
      expect(Number(logged) - still).toBeLessThan(10)
    }
    expect(shop.orders.seen.map(({ method }) => method).sort()).toEqual(['DELETE', 'GET', 'POST', 'PUT'])
  })

  test.concurrent('an answer that stops half-way is cut, and the client can tell', async () => {
    const shop = await startShop()
    shop.orders.answer((_request, response) => void response.writeHead(200, { 'Content-Length': '100' }).write('half'))
    const [took, text, still] = await seconds(
      sendRaw(shop.nginx.port, 'GET /orders HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'),
    )
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*Content-Length: 100\r\n[^]*\r\n\r\n(half)?$/)
    expect(took - still).toBeLessThan(10)
  })

  test.concurrent(
    'clients that dawdle are cut off, without a service having done anything, while others are served',
    async () => {
      const shop = await startShop()
      const dawdlers = [
        'GET /orders HTTP/1.1\r\nHost: a\r\nX-A: ',
        'POST /orders HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc',
        'POST /orders HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n',
      ].map((bytes) => seconds(sendRaw(shop.nginx.port, bytes)))
      // one byte of a header each 100 ms: the clock is for the whole of it
      const dripping = new Promise<void>((closed) => {
        const socket = connect(shop.nginx.port, '127.0.0.1', () => socket.write('GET /orders HTTP/1.1\r\nX-A: '))
        const drip = setInterval(() => socket.write('a'), 100)
        socket.on('error', () => undefined)
        socket.on('close', () => (clearInterval(drip), closed()))
      })
      expect((await send(shop.nginx.port, '/products')).status).toBe(200)
      for (const [took, text, still] of await Promise.all([...dawdlers, seconds(dripping.then(() => ''))])) {
        expect(text).toBe('')
        expect(took - still).toBeLessThan(9)
      }
      expect(shop.orders.seen).toEqual([])
    },
  )

  test.concurrent('a client that does not read is cut off and the service is free again', async () => {
    const shop = await startShop()
    const freed = new Promise<void>((closed) =>
      shop.swagger.answer((_request, response) => {
        response.on('close', closed)
        response.end(Buffer.alloc(30_000_000))
      }),
    )
    const socket = connect(shop.nginx.port, '127.0.0.1', () =>
      socket.write('GET /docs/ HTTP/1.1\r\nHost: a\r\n\r\n'),
    ).pause()
    socket.on('error', () => undefined)
    const [took, , still] = await seconds(freed)
    expect(took - still).toBeLessThan(13)
    socket.destroy()
  })

  test.concurrent('QUIT waits for what is under way, but not for ever', async () => {
    const shop = await startShop()
    shop.orders.answer((_request, response) => {
      const drip = setInterval(() => response.write('never ends'), 200)
      response.on('close', () => clearInterval(drip))
    })
    const cut = sendRaw(shop.nginx.port, 'GET /orders HTTP/1.1\r\nHost: a\r\n\r\n')
    await until('the request is under way', () => shop.orders.seen.length === 1)
    const [took, code, still] = await seconds(shop.nginx.stop('SIGQUIT'))
    expect([code, took - still < 10]).toEqual([0, true])
    await cut
  })
})

describe('a service that dies', () => {
  test.concurrent.each(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'])(
    'amid a %s gives 502, and the request is not sent again',
    async (method) => {
      const replicas = [await startUpstream('a'), await startUpstream('b')]
      const shop = await startShop({
        ORDERS_UPSTREAM: replicas.map(({ port }) => `127.0.0.1:${port}`).join(),
        NGINX_WORKERS: '1',
      })
      const agent = new Agent({ keepAlive: true })
      const ask = (path: string) =>
        send(shop.nginx.port, path, { method, agent, ...(/P/.test(method) && { body: '{"a":1}' }) })
      // once over new connections, once over kept ones
      for (const round of ['new', 'kept']) {
        for (const each of replicas) each.answer((request) => void request.socket.destroy())
        const answer = await ask(`/orders/${round}`)
        if (method === 'HEAD') expect(answer.status).toBe(502)
        else expectProblem(answer, 502, 'bad-gateway', `/orders/${round}`)
        expect(replicas.flatMap(({ seen }) => seen.map(({ url }) => url))).toEqual([`/orders/${round}`])
        for (const each of replicas) each.reset()
        await until('both serve again', async () => {
          await ask('/orders/warm')
          return replicas.every(({ seen }) => seen.length > 0)
        })
        for (const each of replicas) each.reset()
      }
      agent.destroy()
    },
  )

  test.each<[string, (up: Upstream) => void]>([
    [
      'answers garbage',
      (up) => up.answer((request) => void request.socket.end('HTTP/1.1 200 OK\r\nbad name: 1\r\n\r\n')),
    ],
    [
      'answers a header that is too large',
      (up) => up.answer((_, response) => void response.writeHead(200, { A: 'a'.repeat(9000) }).end()),
    ],
    ['hangs up without an answer', (up) => up.answer((request) => void request.socket.end())],
  ])('or %s gives 502', async (_what, arrange) => {
    const shop = await startShop()
    arrange(shop.orders)
    expectProblem(await send(shop.nginx.port, '/orders?a=1'), 502, 'bad-gateway', '/orders')
  })

  test('amid a large upload gives 502', async () => {
    const shop = await startShop()
    shop.orders.answer((request) => void request.socket.destroy())
    expectProblem(
      await send(shop.nginx.port, '/orders', { method: 'POST', body: Buffer.alloc(200_000) }),
      502,
      'bad-gateway',
      '/orders',
    )
    expect(shop.orders.seen).toHaveLength(1)
  })

  test('takes nothing else along, and is served again as soon as it is back', async () => {
    const [port = 0] = await freePorts(1)
    const shop = await startShop({ ORDERS_UPSTREAM: `127.0.0.1:${port}` })
    expectProblem(await send(shop.nginx.port, '/orders', { method: 'POST', body: '{}' }), 502, 'bad-gateway', '/orders')
    for (const path of ['/users', '/products', '/docs/']) expect((await send(shop.nginx.port, path)).status).toBe(200)
    for (let round = 0; round < 3; round++) {
      const back = await startUpstream('orders', port)
      expect((await send(shop.nginx.port, '/orders')).status).toBe(200)
      await back.stop()
      expect((await send(shop.nginx.port, '/orders')).status).toBe(502)
    }
  })

  test('leaves its replicas to serve: only a request a second finds out whether it is back', async () => {
    const [alive, dead] = [await startUpstream('alive'), await startUpstream('dead')]
    await dead.stop()
    const shop = await startShop({
      ORDERS_UPSTREAM: `127.0.0.1:${dead.port},127.0.0.1:${alive.port}`,
      NGINX_WORKERS: '1',
    })
    const [took, statuses] = await seconds(
      (async () => {
        const all: number[] = []
        for (let i = 0; i < 200; i++) all.push((await send(shop.nginx.port, '/orders')).status)
        return all
      })(),
    )
    expect(statuses.filter((status) => status !== 200).length).toBeLessThanOrEqual(2 + took)
    expect(alive.seen.length).toBeGreaterThanOrEqual(197 - took)
  })
})

describe('connections to the services', () => {
  test('are kept and shared, also for requests with a body', async () => {
    const shop = await startShop({ NGINX_WORKERS: '1' })
    for (let i = 0; i < 30; i++) await send(shop.nginx.port, '/orders', { method: i % 2 ? 'GET' : 'POST' })
    expect([shop.orders.seen.length, shop.orders.connections()]).toEqual([30, 1])
    expect(shop.orders.seen.map(({ headers }) => headers.connection)).toEqual(
      Array.from({ length: 30 }, () => undefined),
    )
  })

  test('spread over the replicas', async () => {
    const replicas = [await startUpstream('a'), await startUpstream('b'), await startUpstream('c')]
    const shop = await startShop({
      ORDERS_UPSTREAM: replicas.map(({ port }) => `127.0.0.1:${port}`).join(),
      NGINX_WORKERS: '1',
    })
    for (let i = 0; i < 30; i++) await send(shop.nginx.port, '/orders')
    expect(replicas.map(({ seen }) => seen.length)).toEqual([10, 10, 10])
  })
})

describe('a planned change', () => {
  test('a reload under load loses and repeats no request', async () => {
    const shop = await startShop()
    const statuses: number[] = []
    const sent: string[] = []
    let running = true
    const client = async (name: string, keepAlive: boolean) => {
      const agent = new Agent({ keepAlive, maxSockets: 1 })
      for (let i = 0; running; i++) {
        const id = `/orders/${name}-${i}`
        sent.push(id)
        // A connection that was idle may be closed as it is used again (RFC 9112 9.3.1): nothing was read from it, so repeat.
        const answer = await send(shop.nginx.port, id, { method: 'POST', body: '{}', agent }).catch(
          (error: NodeJS.ErrnoException) => {
            if (!keepAlive || error.code !== 'ECONNRESET') throw error
            return send(shop.nginx.port, id, { method: 'POST', body: '{}', agent })
          },
        )
        statuses.push(answer.status)
      }
      agent.destroy()
    }
    const clients = Array.from({ length: 8 }, (_, i) => client(`c${i}`, i % 2 === 0))
    for (let round = 0; round < 5; round++) {
      const before = statuses.length
      await shop.nginx.reload()
      await until('requests go on', () => statuses.length > before + 20)
    }
    running = false
    await Promise.all(clients)
    expect(new Set(statuses)).toEqual(new Set([200]))
    expect(shop.orders.seen.map(({ url }) => url).sort()).toEqual(sent.sort())
  })

  test('a reload brings new settings, and a request under way ends by the old ones', async () => {
    const [old, young] = [await startUpstream('old'), await startUpstream('young')]
    const shop = await startShop({ ORDERS_UPSTREAM: `127.0.0.1:${old.port}` })
    let release = hang
    old.answer((_request, response) => void (release = () => void response.end('from the old one')))
    const held = send(shop.nginx.port, '/orders')
    await until('the request is under way', () => old.seen.length === 1)
    await shop.nginx.reload({ ORDERS_UPSTREAM: `127.0.0.1:${young.port}` })
    expect((await send(shop.nginx.port, '/orders')).json()).toMatchObject({ service: 'young' })
    release()
    expect((await held).text).toBe('from the old one')
  })

  test('QUIT lets what is under way end, and takes nothing new', async () => {
    const shop = await startShop()
    let release = hang
    shop.orders.answer((_request, response) => void (release = () => void response.end('whole')))
    const held = rawAnswer(shop.nginx.port, 'GET /orders HTTP/1.1\r\nHost: a\r\n\r\n')
    await until('the request is under way', () => shop.orders.seen.length === 1)
    const stopped = shop.nginx.stop('SIGQUIT')
    await until('new connections are refused', () =>
      send(shop.nginx.port, '/products').then(
        () => false,
        () => true,
      ),
    )
    release()
    expect([(await held).text, await stopped]).toEqual(['whole', 0])
  })
})
