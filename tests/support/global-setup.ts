import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import pg from 'pg'
import { migrate } from '../../platform/src/migrations'
import { startPostgres } from '../../scripts/src/postgres'
import { removeCluster } from '../../scripts/src/postgres-home'

const SERVICES = ['users', 'products', 'orders'] as const
const ROOT = path.resolve(__dirname, '../..')

/** Where the test files find the database server; see database.ts. */
export type Server = {
  /** The owner's URL of a database to connect to while making others. */
  adminUrl: string
  template: string
  /** Databases of this run have names that start with it. */
  prefix: string
  /** Missing when the server isn't ours: then the roles' passwords, which others may be using, are left alone. */
  passwords?: Record<(typeof SERVICES)[number], string>
}

declare global {
  var stopPostgres: (() => Promise<void>) | undefined
}

/** One Postgres for all test files, with one migrated template that each of them clones. */
export default async function globalSetup(): Promise<void> {
  const given = process.env['TEST_DATABASE_URL'] ?? process.env['DATABASE_URL']
  const adminUrl = given ?? (await ownPostgres())
  const prefix = `shop_test_${randomBytes(4).toString('hex')}_`
  const template = `${prefix}template`
  const passwords = { users: randomPassword(), products: randomPassword(), orders: randomPassword() }

  const admin = new pg.Client(adminUrl)
  await admin.connect()
  await admin.query(`create database ${template} template template0 encoding 'UTF8'`)
  const { rows } = await admin.query<{ rolname: string }>(`select rolname from pg_roles where rolname like 'shop\\_%'`)
  const existing = new Set(given === undefined ? [] : rows.map((row) => row.rolname))
  await migrate({
    databaseUrl: withDatabase(adminUrl, template),
    roles: SERVICES.map((service) => ({ name: `shop_${service}`, password: passwords[service] })).filter(
      (role) => !existing.has(role.name),
    ),
    services: SERVICES.map((schema) => ({ schema, directory: path.join(ROOT, schema, 'prisma/migrations') })),
    log: () => {},
  })
  // A database that nobody can be connected to can be cloned at any moment, by many at once.
  await admin.query(`alter database ${template} allow_connections false`)
  await admin.end()

  const server: Server = { adminUrl, template, prefix, ...(given === undefined && { passwords }) }
  process.env['TEST_SERVER'] = JSON.stringify(server)
}

async function ownPostgres(): Promise<string> {
  const folder = mkdtempSync(path.join(tmpdir(), 'shop-test-'))
  // Nothing here has to survive a crash of the machine.
  const settings = { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off', max_connections: '300' }
  const { ownerUrl, stop } = await startPostgres(folder, settings)
  globalThis.stopPostgres = async () => {
    await stop()
    removeCluster(folder)
    rmSync(folder, { recursive: true })
  }
  return ownerUrl
}

const randomPassword = (): string => randomBytes(16).toString('base64url')

function withDatabase(url: string, database: string): string {
  const changed = new URL(url)
  changed.pathname = `/${database}`
  return changed.href
}
