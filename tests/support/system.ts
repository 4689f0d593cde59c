import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { startStack, type Stack, type StackOptions } from '../../scripts/src/stack'
import { contractOf, type Contract } from '../../proof/src/contract'
import type { Json } from './checked'

const ROOT = path.join(__dirname, '../..')
export const PASSWORD = 'correct horse'

export type Answer = {
  status: number
  headers: Record<string, string>
  text: string
  /** The parsed JSON; undefined when there is none. */
  body: Json
}
export type Call = { token?: string; body?: unknown; headers?: Record<string, string> }
export type Party = { username: string; id: string; token: string }

export const readDocument = async (name = 'openapi'): Promise<Contract> =>
  JSON.parse(await readFile(path.join(ROOT, 'swagger', `${name}.json`), 'utf8')) as Contract

/** The whole shop as `npm start` starts it, on free ports and a data folder of its own, without limits unless `env` sets some. */
export async function startShop(options: StackOptions = {}) {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'shop-e2e-'))
  const stack = await startStack({
    ports: 'free',
    dataDir,
    ...options,
    env: {
      BCRYPT_COST: '4',
      RATE_LIMIT_RPS: '0',
      LOGIN_RATE_LIMIT_RPM: '0',
      DEMO_DATA: '0',
      LOG_LEVEL: 'info',
      ...options.env,
    },
  })
  const owner = new pg.Pool({ connectionString: stack.ownerUrl, max: 5 })
  owner.on('error', () => undefined) // tests kill Postgres
  owner.on('connect', (client) => client.on('error', () => undefined))
  return {
    stack,
    owner,
    ...clientOf(stack, await readDocument()),
    stop: async () => {
      await owner.end()
      await stack.stop()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}
export type Shop = Awaited<ReturnType<typeof startShop>>

/** Calls through the front door, every answer held to the joined OpenAPI document. */
function clientOf(stack: Pick<Stack, 'url'>, document: Contract) {
  const contract = contractOf(document)
  let someone: Party | undefined

  async function call(method: string, target: string, { token, body, headers = {} }: Call = {}): Promise<Answer> {
    const response = await fetch(stack.url + target, {
      method,
      redirect: 'manual',
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    const answer = {
      status: response.status,
      headers: Object.fromEntries(response.headers),
      text,
      body: response.headers.get('content-type')?.includes('json')
        ? (JSON.parse(text || 'null') as unknown)
        : undefined,
    }
    contract.check(method.toLowerCase(), target, answer)
    return answer
  }

  /** Registers and logs in. */
  async function join(role: 'BUYER' | 'SELLER'): Promise<Party> {
    const username = `${role.toLowerCase()}-${randomBytes(6).toString('hex')}`
    const account = { username, password: PASSWORD, email: `${username}@example.com`, role }
    const registered = await call('POST', '/users', { body: account })
    if (registered.status !== 201) throw new Error(`not registered: ${registered.text}`)
    return (someone = await login(username))
  }

  /** Logs in who is there already, with the password that everybody has here. */
  async function login(username: string): Promise<Party> {
    const answer = await call('POST', '/users/token', { body: { username, password: PASSWORD } })
    if (answer.status !== 200) throw new Error(`not logged in: ${answer.text}`)
    const token = answer.body.access_token as string
    return { username, id: (await call('GET', '/users/me', { token })).body.id as string, token }
  }

  /** Many parties, a few at a time: the password hashing of users has a bounded queue. */
  async function joinMany(role: 'BUYER' | 'SELLER', count: number): Promise<Party[]> {
    const parties: Party[] = []
    while (parties.length < count) {
      const batch = Math.min(10, count - parties.length)
      parties.push(...(await Promise.all(Array.from({ length: batch }, () => join(role)))))
    }
    return parties
  }

  async function list(seller: Party, stock: number, priceCents = 1000): Promise<string> {
    const listed = await call('POST', '/products', { token: seller.token, body: { name: 'Thing', priceCents, stock } })
    if (listed.status !== 201) throw new Error(`not listed: ${listed.text}`)
    return listed.body.id as string
  }

  const order = (
    buyer: Party,
    lines: readonly [productId: string, quantity: number][],
    headers: Record<string, string> = {},
  ) =>
    call('POST', '/orders', {
      token: buyer.token,
      headers,
      body: { items: lines.map(([productId, quantity]) => ({ productId, quantity })) },
    })

  /** With a token, because anonymous reads may be two seconds old. */
  const available = async (productId: string): Promise<number> =>
    (await call('GET', `/products/${productId}`, someone && { token: someone.token })).body.available as number

  return { call, join, joinMany, login, list, order, available }
}

/** Reads again and again until it holds. */
export async function until<T>(read: () => Promise<T>, holds: (value: T) => boolean): Promise<T> {
  for (const deadline = Date.now() + 30_000; ; await sleep(100)) {
    const value = await read()
    if (holds(value)) return value
    if (Date.now() > deadline) throw new Error(`still ${JSON.stringify(value)}`)
  }
}

export const counted = (values: readonly (number | string)[]): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1
  return counts
}
