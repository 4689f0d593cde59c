import pg from 'pg'
import { type Server } from './global-setup'

/** Leaves nothing behind: neither our server and its files nor, on a server of somebody else's, our databases. */
export default async function globalTeardown(): Promise<void> {
  if (globalThis.stopPostgres) return globalThis.stopPostgres()
  const server = JSON.parse(process.env['TEST_SERVER'] ?? '') as Server
  const admin = new pg.Client(server.adminUrl)
  await admin.connect()
  const { rows } = await admin.query<{ datname: string }>(
    'select datname from pg_database where starts_with(datname, $1)',
    [server.prefix],
  )
  for (const { datname } of rows)
    await admin.query(`drop database if exists ${pg.escapeIdentifier(datname)} with (force)`)
  await admin.end()
}
