import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { listen } from '@shop/platform/server'
import { stopwatch } from '../../tests/support/stopwatch'

type Line = Record<string, unknown> & { msg: string; level: string }

const running = new Set<ChildProcess>()
const clients = new Set<net.Socket>()
afterEach(() => {
  for (const child of running) child.kill('SIGKILL')
  for (const client of clients) client.destroy()
})

/** served.ts in a process of its own. */
function start(port = 0, stop = 'ends') {
  const child = fork(path.join(__dirname, 'served.ts'), [String(port), stop], {
    execArgv: ['-r', path.join(__dirname, '../../scripts/test/typescript.cjs')],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  running.add(child)
  const exited = once(child, 'exit').then(([code]) => {
    running.delete(child)
    return code as number | null
  })
  const lines: Line[] = []
  let stderr = ''
  child.stderr?.on('data', (data: Buffer) => void (stderr += data.toString()))
  const reader = createInterface({ input: child.stdout! })
  reader.on('line', (line) => lines.push(JSON.parse(line) as Line))
  const said = async (msg: string): Promise<Line> => {
    for (;;) {
      const found = lines.find((line) => line.msg === msg)
      if (found) return found
      await Promise.race([
        once(reader, 'line'),
        once(reader, 'close').then(() => {
          throw new Error(`it ended without saying "${msg}": ${JSON.stringify(lines)} ${stderr}`)
        }),
      ])
    }
  }
  const written = async () => {
    if (child.stdout?.readableEnded === false) await once(reader, 'close')
    return lines
  }
  return {
    lines,
    written,
    said,
    exited,
    port: () => said('listening').then((line) => line['port'] as number),
    held: () => once(child, 'message'),
    answer: () => child.send('answer'),
    signal: (name: NodeJS.Signals) => child.kill(name),
  }
}

/** A connection of which a test decides when what is sent. */
async function connect(port: number) {
  const socket = net.connect(port, '127.0.0.1')
  clients.add(socket)
  let received = ''
  let reset = false
  socket.on('data', (data) => void (received += data.toString()))
  socket.on('error', () => void (reset = true))
  const ended = new Promise<string>((resolve) => socket.once('close', () => resolve(received)))
  await Promise.race([new Promise((resolve) => socket.once('connect', resolve)), ended])
  return {
    refused: reset,
    send: (text: string) => socket.write(text),
    ended,
    until: async (text: string): Promise<string> => {
      while (!received.includes(text)) await once(socket, 'data')
      return received
    },
  }
}
const get = (target: string) => `GET ${target} HTTP/1.1\r\nHost: shop\r\n\r\n`

describe.each(['SIGTERM', 'SIGINT'] as const)('at %s', (signal) => {
  test('a request under way is answered on a connection that says that it ends, and the process exits 0 at once', async () => {
    const service = start()
    const port = await service.port()
    const [busy, idle] = [await connect(port), await connect(port)]
    idle.send(get('/quick'))
    expect(await idle.until('quick')).toMatch(/connection: keep-alive/i)
    busy.send(get('/held'))
    await service.held()

    service.signal(signal)
    await service.said('draining')
    await service.said('task ends') // before the request does
    await idle.ended
    while (!(await connect(port)).refused); // new ones are refused from some moment on
    service.signal(signal) // a second time changes nothing
    const sinceAnswered = stopwatch()
    service.answer()

    const answer = await busy.ended
    expect(answer).toMatch(/^HTTP\/1.1 200 /)
    expect(answer).toMatch(/\r\nconnection: close\r\n/i)
    expect(answer).toMatch(/held until now$/)
    expect(await service.exited).toBe(0)
    expect(sinceAnswered()).toBeLessThan(2_000)
    expect((await service.written()).map((line) => line.msg)).toEqual([
      'listening',
      'draining',
      'task ends',
      'stopped',
      'drained',
    ])
  })
})

test('at SIGTERM a request that is arriving is served', async () => {
  const service = start()
  const [late, pipelined] = [await connect(await service.port()), await connect(await service.port())]
  late.send(get('/quick').slice(0, 20))
  pipelined.send(get('/held'))
  await service.held()
  service.signal('SIGTERM')
  await service.said('draining')
  late.send(get('/quick').slice(20))
  expect(await late.ended).toMatch(/^HTTP\/1.1 200 [^]*\r\nconnection: close\r\n[^]*quick$/i)
  service.answer()
  await pipelined.ended
  expect(await service.exited).toBe(0)
})

test('at SIGTERM connections that never bring a request are not waited for', async () => {
  const service = start()
  const port = await service.port()
  const [silent, half] = [await connect(port), await connect(port)]
  half.send('POST /quick HTTP/1.1\r\nHost:')
  service.signal('SIGTERM')
  expect([await silent.ended, await half.ended]).toEqual(['', ''])
  expect(await service.exited).toBe(0)
})

test('what cannot be stopped in order is logged and exits 1', async () => {
  const service = start(0, 'fails')
  await service.port()
  service.signal('SIGTERM')
  expect(await service.exited).toBe(1)
  expect((await service.written()).at(-1)).toMatchObject({
    level: 'error',
    msg: 'not drained',
    err: { message: 'the pool would not end' },
  })
})

test('what takes too long to stop is cut off and exits 1', async () => {
  const service = start(0, 'hangs')
  await service.port()
  service.signal('SIGTERM')
  expect(await service.exited).toBe(1)
  expect((await service.written()).at(-1)).toMatchObject({ level: 'error', msg: 'still busy, exiting all the same' })
})

test.each([
  ['an exception', '/bug', /JSON/],
  ['a rejection', '/rejection', /nobody waits for this/],
])('%s that nobody caught is logged and ends the process with 1', async (_name, target, message) => {
  const service = start()
  ;(await connect(await service.port())).send(get(target))
  expect(await service.exited).toBe(1)
  expect((await service.written()).slice(1)).toEqual([
    expect.objectContaining({
      level: 'fatal',
      msg: 'uncaught',
      err: expect.objectContaining({ message: expect.stringMatching(message) }),
    }),
  ])
})

test('a port that is taken is logged and ends the process with 1', async () => {
  const taken = net.createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const service = start((taken.address() as net.AddressInfo).port)
  expect(await service.exited).toBe(1)
  expect(await service.written()).toEqual([
    expect.objectContaining({ level: 'fatal', err: expect.objectContaining({ code: 'EADDRINUSE' }) }),
  ])
  taken.close()
})

test.each([
  ['headers', 'GET / HTTP/1.1\r\nHost: shop\r\n'],
  ['body', 'POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 5\r\n\r\n{"a"'],
])('a request whose %s do not arrive in time is cut off', async (_name, text) => {
  const server = await listen(() => undefined, { port: 0, host: '127.0.0.1', arriveWithinMs: 200 })
  const client = await connect(server.port)
  client.send(text)
  expect(await client.ended).toMatch(/^(HTTP\/1.1 408 |$)/)
  await server.drain()
})

test.each([
  [
    'a control character in a header',
    'GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: from-nginx-1\r\nX: a\u0001b\r\n\r\n',
    'from-nginx-1',
  ],
  ['no HTTP at all', 'hello\r\n\r\n', undefined],
  ['a header without end', `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, undefined],
])('%s is refused as a problem, and the connection closed', async (_name, sent, id) => {
  const server = await listen(() => undefined, { port: 0, host: '127.0.0.1' })
  const client = net.connect(server.port, '127.0.0.1')
  clients.add(client)
  client.end(sent)
  let answer = ''
  client.on('data', (data: Buffer) => void (answer += data.toString()))
  await once(client, 'close')
  const [head = '', body = ''] = answer.split('\r\n\r\n')
  expect(head.split('\r\n')[0]).toBe('HTTP/1.1 400 Bad Request')
  expect(head).toContain('Content-Type: application/problem+json')
  const problem = JSON.parse(body) as { code: string; requestId: string }
  expect(problem).toMatchObject({ type: '/problems/bad-request', code: 'bad-request', status: 400, instance: '/' })
  expect(head).toContain(`X-Request-Id: ${problem.requestId}`)
  if (id !== undefined) expect(problem.requestId).toBe(id)
  await server.drain()
})
