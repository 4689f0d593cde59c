import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePorts } from '../../scripts/src/ports'
import { createDatabase, type TestDatabase } from '../../tests/support/database'

// The process as it is started: what it makes of the variables that name its admin.

let database: TestDatabase
let child: ChildProcess | undefined
beforeAll(async () => {
  database = await createDatabase()
})
afterEach(async () => {
  if (!child || child.exitCode !== null) return
  child.kill('SIGTERM')
  await once(child, 'exit')
})
afterAll(() => database.drop())

async function start(env: Record<string, string>) {
  const [port = 0] = await freePorts(1)
  const entry = [path.join(__dirname, '../../scripts/test/typescript.cjs'), path.join(__dirname, '../src/main.ts')]
  const started = spawn(process.execPath, ['-r', ...entry], {
    env: { PATH: process.env['PATH'], PORT: String(port), DATABASE_URL: database.urls.users, BCRYPT_COST: '4', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  child = started
  let log = ''
  for (const stream of [started.stdout, started.stderr])
    stream.setEncoding('utf8').on('data', (chunk: string) => (log += chunk))
  let closed = false // when all that it has said was read, too
  started.once('close', () => (closed = true))
  const url = `http://127.0.0.1:${port}`
  return { url, log: () => log, exited: () => (closed ? started.exitCode : null) }
}
type Started = Awaited<ReturnType<typeof start>>

async function until(what: string, { log }: Started, holds: () => Promise<boolean> | boolean): Promise<void> {
  for (const deadline = Date.now() + 30_000; !(await holds()); await sleep(20))
    if (Date.now() > deadline) throw new Error(`not ${what}: ${log()}`)
}
const readiness = async ({ url }: Started) => {
  const answer = await fetch(`${url}/readyz`).catch(() => undefined)
  return answer && { status: answer.status, text: await answer.text() }
}
const ready = (started: Started) => until('ready', started, async () => (await readiness(started))?.status === 200)
const login = async ({ url }: Started, username: string, password: string) =>
  (await fetch(`${url}/users/token`, { method: 'POST', body: new URLSearchParams({ username, password }) })).status

test('the admin of the variables logs in, and with another password after the next start', async () => {
  const first = await start({ ADMIN_USERNAME: 'Root', ADMIN_PASSWORD: 'the first secret' })
  await ready(first)
  expect(await login(first, 'root', 'the first secret')).toBe(200)
  child?.kill('SIGTERM')
  await once(child as ChildProcess, 'exit')
  const second = await start({ ADMIN_USERNAME: 'root', ADMIN_PASSWORD: 'the second secret' })
  await ready(second)
  expect([await login(second, 'root', 'the first secret'), await login(second, 'root', 'the second secret')]).toEqual([
    400, 200,
  ])
})

test('without the variables there is no admin, the demo data included', async () => {
  await database.owner.query('delete from users.users')
  await ready(await start({ ADMIN_USERNAME: '', ADMIN_PASSWORD: '', DEMO_DATA: '1' }))
  const { rows } = await database.owner.query('select role from users.users order by role')
  expect(rows).toEqual([{ role: 'BUYER' }, { role: 'SELLER' }])
})

test('a name that is somebody’s keeps the service from being ready, and the log says why', async () => {
  await database.owner.query(
    `insert into users.users (id, username, email, password_hash, role)
     values (gen_random_uuid(), 'squatter', 'squatter@example.com', 'x', 'BUYER')`,
  )
  const started = await start({ ADMIN_USERNAME: 'squatter', ADMIN_PASSWORD: 'the first secret' })
  await until('told', started, () => started.log().includes('squatter is the account of a buyer'))
  expect(await readiness(started)).toEqual({ status: 503, text: expect.stringContaining('admin account') })
  expect(await login(started, 'squatter', 'the first secret')).toBe(400)
  expect(started.log()).not.toContain('the first secret')
})

test.each([
  ['half of an admin', { ADMIN_USERNAME: 'root' }, 'ADMIN_PASSWORD: is missing'],
  ['a password that is too short', { ADMIN_USERNAME: 'root', ADMIN_PASSWORD: 'shorty' }, 'ADMIN_PASSWORD: Too small'],
  ['a name that is none', { ADMIN_USERNAME: 'a b', ADMIN_PASSWORD: 'the first secret' }, 'ADMIN_USERNAME: must be'],
])('%s is no configuration: the process says so and ends', async (_name, env, message) => {
  const started = await start(env)
  await until('over', started, () => started.exited() !== null)
  expect(started.exited()).not.toBe(0)
  expect(started.log()).toContain(message)
  expect(started.log()).not.toContain('shorty')
})
