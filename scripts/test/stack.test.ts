import { readFileSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import { startStack, type Stack, type StackOptions } from '../src/stack'
import { childrenOf } from '../src/processes'
import { type Terminal } from '../src/terminal'
import { aFolder, cleanUp, isAlive, later, until } from './support'

afterEach(cleanUp)

/** Stands in for a service: ready once `<folder>/go` is there, and tells what it was given. */
const STAND_IN = `
const { PORT, HOST, ...given } = process.env
require('node:http').createServer((request, response) => {
  if (request.url === '/readyz') response.statusCode = require('node:fs').existsSync(process.argv[1]) ? 200 : 503
  response.end(JSON.stringify(given))
}).listen(Number(PORT), HOST)
process.on('SIGTERM', () => process.exit(0))
`

function aStack(
  folder: string,
  terminal?: Terminal,
  env: NodeJS.ProcessEnv = {},
  more: StackOptions = {},
): Promise<Stack> {
  const started = startStack({
    ...more,
    dataDir: folder,
    ports: 'free',
    entry: () => ['-e', STAND_IN, join(folder, 'go')],
    ...(terminal && { terminal }),
    env,
  })
  later(() => started.then((stack) => stack.stop()).catch(() => undefined))
  return started
}

function body(url: string): Promise<Record<string, string>> {
  return new Promise((resolve, reject) => {
    get(url, { agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      response.on('end', () => resolve(JSON.parse(text) as Record<string, string>))
    }).on('error', reject)
  })
}

test('everything starts in order, Nginx last; each process is started again; stop leaves none', async () => {
  const folder = aFolder()
  const steps: string[] = []
  const said: string[] = []
  const terminal: Terminal = {
    step: async (title, work) => {
      steps.push(title)
      return work()
    },
    say: (line) => void said.push(line),
  }
  const starting = aStack(folder, terminal)
  await until(() => steps.includes('Services'), 'the services to be started')
  expect(steps).toEqual(['Postgres', 'Migrations', 'Services'])
  writeFileSync(join(folder, 'go'), '')
  const stack = await starting
  expect(steps).toEqual(['Postgres', 'Migrations', 'Services', 'Nginx'])

  const first = stack.pids()
  expect(Object.keys(first).sort()).toEqual(['gateway', 'nginx', 'orders', 'postgres', 'products', 'swagger', 'users'])
  expect(childrenOf(first.nginx!).length).toBeGreaterThan(0) // its workers
  expect(childrenOf(process.pid)).toEqual(expect.arrayContaining(Object.values(first)))
  for (const name of Object.keys(first)) stack.kill(name, 'SIGKILL')
  await until(() => Object.keys(first).every((name) => said.includes(`${name} is back`)), 'all to be back')
  const second = stack.pids()
  for (const name of Object.keys(first)) expect(second[name]).not.toBe(first[name])
  await body(`${stack.url}/products`)

  await stack.stop()
  expect([...Object.values(first), ...Object.values(second)].filter(isAlive)).toEqual([])
})

test('a service knows its own password and no other secret than its own', async () => {
  const folder = aFolder()
  writeFileSync(join(folder, 'go'), '')
  const stack = await aStack(folder, undefined, {
    CURRENCY: 'EUR',
    JWT_PRIVATE_KEY: '',
    ORDERS_DB_PASSWORD: 'from outside',
  })
  const given = Object.fromEntries(
    await Promise.all(Object.entries(stack.urls).map(async ([name, url]) => [name, await body(url)] as const)),
  )
  const owner = new URL(stack.ownerUrl)
  for (const [name, env] of Object.entries(given)) {
    const whole = JSON.stringify(env)
    expect(whole).not.toContain(owner.password)
    expect(env.CURRENCY).toBe('EUR')
    expect('JWT_PRIVATE_KEY_FILE' in env).toBe(name === 'users')
    expect('IDEMPOTENCY_SECRET' in env).toBe(name === 'orders' || name === 'products')
    expect(Object.keys(env).filter((each) => each.endsWith('_DB_PASSWORD'))).toEqual([])
    const url = env.DATABASE_URL && new URL(env.DATABASE_URL).username
    expect(url).toBe(name === 'swagger' || name === 'gateway' ? undefined : `shop_${name}`)
    expect('GATEWAY_URL' in env).toBe(name === 'orders')
    expect('GATEWAY_JOURNAL' in env).toBe(name === 'gateway')
  }
  expect(decodeURIComponent(new URL(given.orders!.DATABASE_URL!).password)).toBe('from outside')
  expect(given.orders!.JWKS_URL).toBe(`${stack.urls.users}/users/.well-known/jwks.json`)
  expect(given.orders!.GATEWAY_URL).toBe(stack.urls.gateway)
  expect(given.gateway!.GATEWAY_JOURNAL).toBe(join(folder, 'gateway-journal.jsonl'))
})

test('each process reaches Postgres by the detour that it is given, and by its own role', async () => {
  const folder = aFolder()
  writeFileSync(join(folder, 'go'), '')
  const asked: [string, string][] = []
  const stack = await aStack(
    folder,
    undefined,
    {},
    {
      ordersProcesses: 2,
      detour: (name, url) => {
        asked.push([name, url])
        return Promise.resolve(`postgres://owner@${name}.invalid:1/shop`)
      },
    },
  )
  expect(asked.sort()).toEqual(
    ['gateway', 'orders', 'orders-2', 'products', 'swagger', 'users'].map((name) => [name, stack.ownerUrl]),
  )
  for (const name of ['orders', 'orders-2']) {
    const url = new URL((await body(stack.urls[name]!)).DATABASE_URL!)
    expect([url.host, url.username]).toEqual([`${name}.invalid:1`, 'shop_orders'])
  }
})

test('a busy port is named before anything is started', async () => {
  const folder = aFolder()
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  later(() => server.close())
  const { port } = server.address() as { port: number }
  const steps: string[] = []
  const starting = startStack({
    dataDir: folder,
    env: { ORDERS_PORT: String(port) },
    terminal: { step: (title, work) => (steps.push(title), work()), say: () => undefined },
  })
  await expect(starting).rejects.toThrow(
    `Port ${port} (orders) is used by another program. Choose another with ORDERS_PORT`,
  )
  expect(steps).toEqual([])
})

test('stopped while it starts, it leaves no process', async () => {
  const folder = aFolder()
  const abort = new AbortController()
  let pids: number[] = []
  const starting = startStack({
    dataDir: folder,
    ports: 'free',
    entry: () => ['-e', STAND_IN, join(folder, 'go')],
    signal: abort.signal,
    terminal: {
      step: (title, work) => {
        const working = work()
        if (title === 'Services') {
          const { children } = JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8')) as {
            children: { pid: number }[]
          }
          pids = children.map(({ pid }) => pid)
          abort.abort()
        }
        return working
      },
      say: () => undefined,
    },
  })
  await expect(starting).rejects.toThrow('Stopped while starting')
  expect(pids).toHaveLength(6)
  expect(pids.filter(isAlive)).toEqual([])
})
