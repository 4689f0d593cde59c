import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { type Server } from './global-setup'

export type TestDatabase = {
  /** Every service's URL, each logging in as its own role. */
  urls: { users: string; products: string; orders: string }
  ownerUrl: string
  /** The owner's connections: for arranging and for looking, with rights that no service has. */
  owner: pg.Pool
  drop(): Promise<void>
}

/** A database of the test file's own, cloned from the migrated template: call in `beforeAll`, and `drop` in `afterAll`. */
export async function createDatabase(): Promise<TestDatabase> {
  const server = testServer()
  const name = `${server.prefix}${randomBytes(6).toString('hex')}`
  await asAdmin(server, `create database ${name} template ${server.template}`)
  const ownerUrl = databaseUrl(server, name)
  const owner = new pg.Pool({ connectionString: ownerUrl, max: 20 })
  // The connections of a dropped or stopped database end with an error.
  owner.on('error', () => {})
  owner.on('connect', (client) => client.on('error', () => {}))
  return {
    urls: {
      users: roleUrl(server, ownerUrl, 'users'),
      products: roleUrl(server, ownerUrl, 'products'),
      orders: roleUrl(server, ownerUrl, 'orders'),
    },
    ownerUrl,
    owner,
    drop: async () => {
      await owner.end()
      await asAdmin(server, `drop database if exists ${name} with (force)`)
    },
  }
}

/** An empty database, for tests of migrations. */
export async function createEmptyDatabase(): Promise<{ url: string; drop(): Promise<void> }> {
  const server = testServer()
  const name = `${server.prefix}${randomBytes(6).toString('hex')}`
  await asAdmin(server, `create database ${name} template template0`)
  return {
    url: databaseUrl(server, name),
    drop: () => asAdmin(server, `drop database if exists ${name} with (force)`),
  }
}

function testServer(): Server {
  const server = process.env['TEST_SERVER']
  if (server === undefined) throw new Error('the global setup of the tests has not run')
  return JSON.parse(server) as Server
}

async function asAdmin(server: Server, statement: string): Promise<void> {
  const admin = new pg.Client(server.adminUrl)
  await admin.connect()
  await admin.query(statement).finally(() => admin.end())
}

function databaseUrl(server: Server, name: string): string {
  const url = new URL(server.adminUrl)
  url.pathname = `/${name}`
  return url.href
}

function roleUrl(server: Server, ownerUrl: string, service: 'users' | 'products' | 'orders'): string {
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
