import { generateKeyPairSync, randomBytes } from 'node:crypto'
import jwt, { type SignOptions } from 'jsonwebtoken'
import type pg from 'pg'
import { makeLog } from '@shop/platform/logging'
import { openPool } from '@shop/platform/postgres'
import { checked, type Checked } from '../../tests/support/checked'
import { createDatabase, PATIENCE, type TestDatabase } from '../../tests/support/database'
import { accessTokens } from '../src/access-tokens'
import { openPrisma, type PrismaClient } from '../src/accounts'
import { seedAdmin } from '../src/admin-account'
import { usersApp } from '../src/app'
import { document } from '../src/document'
import { failureLimits } from '../src/failure-limits'
import { makeHashing, type Hashing } from '../src/hashing'
import type { Deps } from '../src/routes'

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
export { publicKey }
const [issuer, audience] = ['shop-users', 'shop']
const tokens = accessTokens({ privateKey, issuer, audience })
export const [kid] = tokens.publicKeys.keys()

/** A token of the service's own key, with whatever is to be different about it. */
export const signed = (claims: object, options: SignOptions = {}): string =>
  jwt.sign(claims, privateKey, { algorithm: 'RS256', keyid: kid ?? '', issuer, audience, expiresIn: 900, ...options })

/** The service's application with its dependencies, on a database that may not be there. */
export function serve(connectionString: string, options: { cost?: number; waiting?: number } = {}) {
  const logged: string[] = []
  const log = makeLog('users', 'info', { write: (line: string) => void logged.push(line) })
  const pool = openPool({ connectionString, max: 12, applicationName: 'users', onError: () => {}, settings: PATIENCE })
  const deps: Deps = {
    pool,
    prisma: openPrisma(pool),
    hashing: makeHashing({ cost: 4, ...options }),
    limits: failureLimits(pool),
    tokens,
  }
  const app = usersApp({ ...deps, issuer, audience, log })
  const api = checked(app, document)
  return { ...deps, app, api, logged, stop: () => pool.end() }
}

export type Person = { username: string; password: string; email: string; role: string; displayName?: string }
export type Member = Person & { id: string; access: string; refresh: string; authorization: string }

export type Admin = { id: string; username: string; password: string; authorization: string }

export const aPerson = (over: Partial<Person> = {}): Person => {
  const username = `p-${randomBytes(6).toString('hex')}`
  return { username, password: 'correct horse', email: `${username}@example.com`, role: 'BUYER', ...over }
}

export type UsersService = {
  api: Checked
  app: ReturnType<typeof usersApp>
  database: TestDatabase
  pool: pg.Pool
  prisma: PrismaClient
  hashing: Hashing
  /** The service's log, a JSON line each. */
  logged: string[]
  login: (username: string, password: string, address?: string) => ReturnType<Checked['post']>
  refresh: (token: string) => ReturnType<Checked['post']>
  /** Registers somebody and logs in. */
  member: (over?: Partial<Person>) => Promise<Member>
  /** An admin who is logged in. */
  admin: () => Promise<Admin>
  stop: () => Promise<void>
}

/** The service on a database of its own: call in `beforeAll`, and `stop` in `afterAll`. */
export async function usersService(options: { cost?: number; waiting?: number } = {}): Promise<UsersService> {
  const database = await createDatabase()
  const service = serve(database.urls.users, options)
  const { api } = service
  const login: UsersService['login'] = (username, password, address = '192.0.2.1') =>
    api.post('/users/token').set('x-forwarded-for', address).type('form').send({ username, password })
  return {
    ...service,
    database,
    login,
    refresh: (refresh_token) =>
      api.post('/users/token').type('form').send({ grant_type: 'refresh_token', refresh_token }),
    member: async (over) => {
      const person = aPerson(over)
      const { body: profile } = await api.post('/users').send(person).expect(201)
      const { body } = await login(person.username, person.password).expect(200)
      const [access, refresh] = [body.access_token as string, body.refresh_token as string]
      return { ...person, id: profile.id as string, access, refresh, authorization: `Bearer ${access}` }
    },
    admin: async () => {
      const [username, password] = [`admin-${randomBytes(6).toString('hex')}`, 'correct admin']
      await seedAdmin(service, { username, password })
      const authorization = `Bearer ${(await login(username, password).expect(200)).body.access_token as string}`
      const { body } = await api.get('/users/me').set({ authorization }).expect(200)
      return { id: body.id as string, username, password, authorization }
    },
    stop: async () => {
      await service.stop()
      await database.drop()
    },
  }
}

/** The ends of many calls, counted: `{ '201': 1, '409 username-taken': 49 }`. */
export function tally(responses: readonly { status: number; body: { code?: string; error?: string } }[]) {
  const counts: Record<string, number> = {}
  for (const { status, body } of responses) {
    const end = [status, body.code ?? body.error].filter(Boolean).join(' ')
    counts[end] = (counts[end] ?? 0) + 1
  }
  return counts
}

export const times = <T>(n: number, make: (index: number) => T): T[] =>
  Array.from({ length: n }, (_, index) => make(index))

/** What all callers of a race came to; one that raised an error raises it here. */
export const settled = <T>(ends: readonly PromiseSettledResult<T>[]): Promise<T[]> =>
  Promise.all(
    ends.map((end) => (end.status === 'fulfilled' ? Promise.resolve(end.value) : Promise.reject(end.reason as Error))),
  )

/** Whoever changes something of a user queues here. */
export const lockOf = (userId: string) => ({
  text: 'select 1 from users.users where id = $1 for update',
  values: [userId],
})
