import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { z } from 'zod'
import { databaseConfig, loadConfig } from './config'
import { migrate } from './migrations'
import { asOutage } from './postgres'

// The command that prepares the database, run by its owner before the services start. Exit code 0 means: it is as it should be.

const PATIENCE_MS = 30_000
/** The order matters: orders' role is granted rights on products' tables by products' migrations. */
const SERVICES = ['users', 'products', 'orders'] as const
/** From platform/dist to the folders of the services, in the work tree and in a container image alike. */
const ROOT = path.resolve(__dirname, '../..')

async function main(): Promise<void> {
  const log = (line: string): void => void process.stdout.write(`migrate: ${line}\n`)
  const config = loadConfig(
    {
      DATABASE_URL: databaseConfig.DATABASE_URL,
      USERS_DB_PASSWORD: z.string().min(1),
      PRODUCTS_DB_PASSWORD: z.string().min(1),
      ORDERS_DB_PASSWORD: z.string().min(1),
    },
    process.env,
  )
  await untilReachable(config.DATABASE_URL, log)
  await migrate({
    databaseUrl: config.DATABASE_URL,
    roles: [
      { name: 'shop_users', password: config.USERS_DB_PASSWORD },
      { name: 'shop_products', password: config.PRODUCTS_DB_PASSWORD },
      { name: 'shop_orders', password: config.ORDERS_DB_PASSWORD },
    ],
    services: SERVICES.map((schema) => ({ schema, directory: path.join(ROOT, schema, 'prisma/migrations') })),
    log,
  })
}

/** Postgres may still be starting; a wrong password or address of another kind of server fails at once. */
async function untilReachable(connectionString: string, log: (line: string) => void): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS
  for (let attempt = 0; ; attempt++) {
    const client = new pg.Client({ connectionString, connectionTimeoutMillis: 2_000 })
    client.on('error', () => {})
    try {
      await client.connect()
      return await client.end()
    } catch (error) {
      if (!asOutage(error) || Date.now() > deadline) throw error
      if (attempt === 0) log('waiting for Postgres')
      await sleep(250)
    }
  }
}

main().catch((error: unknown) => {
  const lines = [String(error instanceof Error ? error.message : error)]
  for (let cause = error; cause instanceof Error && cause.cause !== undefined; cause = cause.cause)
    if (cause.cause instanceof Error && !lines[0]?.includes(cause.cause.message)) lines.push(cause.cause.message)
  process.stderr.write(`migrate: ${lines.join('\n  caused by: ')}\n`)
  process.exitCode = 1
})
