import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { transform } from '@swc/core'
import pg from 'pg'
import { freePorts } from '../../scripts/src/ports'
import { startPostgres } from '../../scripts/src/postgres'
import { removeCluster } from '../../scripts/src/postgres-home'
import { openWire } from '../../proof/src/chaos/wire'

// The command as it stands in a container image: platform's built code, and of the services no more than their migrations.
// It sets the passwords of the services' roles, which the other test files log in with, so it gets a server of its own.

const ROOT = path.resolve(__dirname, '../..')
let image: string
let server: Awaited<ReturnType<typeof startPostgres>>

beforeAll(async () => {
  image = await mkdtemp(path.join(tmpdir(), 'migrate-command-'))
  const dist = path.join(image, 'platform/dist')
  await mkdir(dist, { recursive: true })
  for (const file of await readdir(path.join(ROOT, 'platform/src'))) {
    const source = await readFile(path.join(ROOT, 'platform/src', file), 'utf8')
    const { code } = await transform(source, {
      configFile: false,
      swcrc: false,
      jsc: { target: 'es2023', parser: { syntax: 'typescript' } },
      module: { type: 'commonjs' },
    })
    await writeFile(path.join(dist, file.replace(/\.ts$/, '.js')), code)
  }
  for (const service of ['users', 'products', 'orders'])
    await cp(path.join(ROOT, service, 'prisma/migrations'), path.join(image, service, 'prisma/migrations'), {
      recursive: true,
    })
  server = await startPostgres(image, { fsync: 'off', synchronous_commit: 'off' })
  await symlink(path.join(ROOT, 'node_modules'), path.join(image, 'node_modules'))
})
afterAll(async () => {
  await server.stop()
  removeCluster(image)
  await rm(image, { recursive: true })
})

type Run = { output: () => string; says: (text: string) => Promise<void>; exitCode: Promise<number | null> }

function start(env: Record<string, string>): Run {
  const child = spawn(process.execPath, [path.join(image, 'platform/dist/migrate-main.js')], {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (output += data.toString()))
  const exitCode = once(child, 'close').then(([code]) => code as number | null)
  const says = async (text: string) => {
    while (!output.includes(text)) await once(child.stdout, 'data')
  }
  return { output: () => output.replace(/\d+ ms/g, 'n ms'), says, exitCode }
}

const passwords = {
  USERS_DB_PASSWORD: 'users-pw',
  PRODUCTS_DB_PASSWORD: 'products-pw',
  ORDERS_DB_PASSWORD: 'orders-pw',
}

async function ask(connectionString: string, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString })
  await client.connect()
  return (await client.query(text).finally(() => client.end())).rows
}

test('a missing or empty variable is named, and nothing is done', async () => {
  const run = start({ DATABASE_URL: server.ownerUrl, ...passwords, ORDERS_DB_PASSWORD: '' })
  expect(await run.exitCode).toBe(1)
  expect(run.output()).toContain('ORDERS_DB_PASSWORD')
  expect(run.output()).not.toContain('at ')
  expect(await ask(server.ownerUrl, `select to_regnamespace('users') as schema`)).toEqual([{ schema: null }])
})

test('a wrong password fails at once and is not shown', async () => {
  const url = new URL(server.ownerUrl)
  url.username = 'nobody-here'
  url.password = 'the-secret'
  const started = Date.now()
  const run = start({ DATABASE_URL: url.href, ...passwords })
  expect(await run.exitCode).toBe(1)
  expect(run.output()).toContain('nobody-here')
  expect(run.output()).not.toContain('the-secret')
  expect(Date.now() - started).toBeLessThan(10_000)
})

test('it waits for Postgres, makes everything, lets the roles in, and has nothing to do the second time', async () => {
  const [port = 0] = await freePorts(1)
  const url = new URL(server.ownerUrl)
  url.port = String(port)
  const run = start({ DATABASE_URL: url.href, ...passwords })
  await run.says('migrate: waiting for Postgres')
  const wire = await openWire(server.ownerUrl, port)
  expect(await run.exitCode).toBe(0)
  await wire.close()
  const [users, products, orders] = await Promise.all(
    ['users', 'products', 'orders'].map((service) => readdir(path.join(image, service, 'prisma/migrations'))),
  )
  const applied = (names: string[] | undefined) =>
    `applied ${names
      ?.filter((name) => /^\d/.test(name))
      .sort()
      .join(', ')} (n ms)`
  expect(run.output().trim().split('\n')).toEqual([
    'migrate: waiting for Postgres',
    `migrate: users: ${applied(users)}`,
    `migrate: products: ${applied(products)}`,
    `migrate: orders: ${applied(orders)}`,
  ])

  url.port = new URL(server.ownerUrl).port
  Object.assign(url, { username: 'shop_orders', password: passwords.ORDERS_DB_PASSWORD })
  expect(await ask(url.href, 'select id from orders.orders')).toEqual([])

  const again = start({ DATABASE_URL: server.ownerUrl, ...passwords })
  expect(await again.exitCode).toBe(0)
  expect(again.output().match(/up to date/g)).toHaveLength(3)
})
