import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { type Server } from './global-setup'

export type EmptyDatabase = {
  ownerUrl: string
  /** The owner's connections: for arranging and for looking, with rights that no service has. */
  owner: pg.Pool
  drop(): Promise<void>
}

export type TestDatabase = EmptyDatabase & {
  /** Every service's URL, each with the rights of its own role. */
  urls: { users: string; products: string; orders: string }
}

/**
 * Settings of the sessions of a service whose calls wait for each other: twice its own limit, or a machine that stands still for two
 * seconds would end every race that is on.
 */
export const PATIENCE = { lock_timeout: '4s' }

/** A database of the test file's own, cloned from the migrated template: call in `beforeAll`, and `drop` in `afterAll`. */
export async function createDatabase(): Promise<TestDatabase> {
  const server = testServer()
  const database = await create(server, server.template)
  const urlOf = (service: keyof TestDatabase['urls']) => roleUrl(server, database.ownerUrl, service)
  return { ...database, urls: { users: urlOf('users'), products: urlOf('products'), orders: urlOf('orders') } }
}

/** For tests of migrations. */
export const createEmptyDatabase = (): Promise<EmptyDatabase> => create(testServer(), 'template0')

async function create(server: Server, template: string): Promise<EmptyDatabase> {
  const name = `${server.prefix}${randomBytes(6).toString('hex')}`
  await asAdmin(server, (admin) => admin.query(`create database ${name} template ${template}`))
  const url = new URL(server.adminUrl)
  url.pathname = `/${name}`
  const owner = new pg.Pool({ connectionString: url.href, max: 20 })
  // Tests take connections away.
  owner.on('error', () => {})
  owner.on('connect', (client) => client.on('error', () => {}))
  return {
    ownerUrl: url.href,
    owner,
    drop: async () => {
      await owner.end()
      await asAdmin(server, async (admin) => {
        await untilLeft(admin, name)
        await admin.query(`drop database if exists ${name} with (force)`)
      })
    },
  }
}

/** A connection is still there for a moment after its pool has ended, and being thrown out then would be an error event. */
async function untilLeft(admin: pg.Client, name: string): Promise<void> {
  for (const deadline = Date.now() + 10_000; Date.now() < deadline; await sleep(10)) {
    const { rowCount } = await admin.query(
      `select from pg_stat_activity where datname = $1 and backend_type = 'client backend'`,
      [name],
    )
    if (rowCount === 0) return
  }
}

function testServer(): Server {
  const server = process.env['TEST_SERVER']
  if (server === undefined) throw new Error('the global setup of the tests has not run')
  return JSON.parse(server) as Server
}

async function asAdmin(server: Server, work: (admin: pg.Client) => Promise<unknown>): Promise<void> {
  const admin = new pg.Client(server.adminUrl)
  await admin.connect()
  await work(admin).finally(() => admin.end())
}

function roleUrl(server: Server, ownerUrl: string, service: keyof TestDatabase['urls']): string {
  const url = new URL(ownerUrl)
  if (server.passwords) {
    url.username = `shop_${service}`
    url.password = server.passwords[service]
  } else {
    // The same rights without the role's password.
    url.searchParams.set('options', `-c role=shop_${service}`)
  }
  return url.href
}
