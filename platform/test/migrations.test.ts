import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import pg from 'pg'
import { type EmptyDatabase, createEmptyDatabase } from '../../tests/support/database'
import { migrate, pendingMigrations } from '../src/migrations'

let database: EmptyDatabase
let owner: pg.Pool
let directory: string
const madeRoles: string[] = []

beforeEach(async () => {
  database = await createEmptyDatabase()
  owner = database.owner
  directory = await mkdtemp(path.join(tmpdir(), 'migrations-'))
  await writeFile(path.join(directory, 'migration_lock.toml'), 'provider = "postgresql"\n')
})
afterEach(async () => {
  await database.drop()
  await rm(directory, { recursive: true })
})
afterAll(async () => {
  const cluster = await createEmptyDatabase()
  for (const role of madeRoles) await cluster.owner.query(`drop role if exists ${role}`)
  await cluster.drop()
})

async function aMigration(name: string, sql: string): Promise<void> {
  await mkdir(path.join(directory, name), { recursive: true })
  await writeFile(path.join(directory, name, 'migration.sql'), sql)
}

/** Until so many migrations of these databases stand in front of a lock. */
async function untilWaiting(count: number, ...databases: EmptyDatabase[]): Promise<void> {
  const names = databases.map(({ ownerUrl }) => new URL(ownerUrl).pathname.slice(1))
  for (const deadline = Date.now() + 10_000; Date.now() < deadline; await sleep(10)) {
    const { rowCount } = await owner.query(
      `select from pg_stat_activity
        where application_name = 'migrate' and wait_event_type = 'Lock' and datname = any ($1::text[])`,
      [names],
    )
    if (rowCount === count) return
  }
  throw new Error(`not all of ${count} migrations came to the gate`)
}

async function run(options: Partial<Parameters<typeof migrate>[0]> = {}): Promise<string[]> {
  const lines: string[] = []
  const log = (line: string) => void lines.push(line.replace(/\d+ ms/, 'n ms'))
  await migrate({
    databaseUrl: database.ownerUrl,
    roles: [],
    services: [{ schema: 'shelf', directory }],
    log,
    ...options,
  })
  return lines
}

function aRole(password = randomBytes(8).toString('hex')) {
  const role = { name: `test_role_${randomBytes(4).toString('hex')}`, password }
  madeRoles.push(role.name)
  return role
}

const books = async () => (await owner.query<{ title: string }>('select title from shelf.books order by title')).rows

describe('migrations', () => {
  test('are applied once, in the order of their names, into the schema', async () => {
    await aMigration('20260102_fill', `insert into shelf.books values ('Emma');`)
    await aMigration('20260101_init', 'create table shelf.books (title text primary key);')
    expect(await run()).toEqual(['shelf: applied 20260101_init, 20260102_fill (n ms)'])
    expect(await run()).toEqual(['shelf: up to date (n ms)'])
    expect(await books()).toEqual([{ title: 'Emma' }])
    const { rows } = await owner.query(
      `select table_schema from information_schema.tables where table_name = '_prisma_migrations'`,
    )
    expect(rows).toEqual([{ table_schema: 'shelf' }])
  })

  test('are pending until they are applied', async () => {
    await aMigration('20260101_init', 'create table shelf.books (title text primary key);')
    expect(await pendingMigrations(owner, 'shelf', directory)).toEqual(['20260101_init'])
    await run()
    expect(await pendingMigrations(owner, 'shelf', directory)).toEqual([])
    await aMigration('20260102_fill', `insert into shelf.books values ('Emma');`)
    expect(await pendingMigrations(owner, 'shelf', directory)).toEqual(['20260102_fill'])
    expect(await run()).toEqual(['shelf: applied 20260102_fill (n ms)'])
    expect(await pendingMigrations(owner, 'shelf', directory)).toEqual([])
  })

  test('run by two starters at once are applied by one, while the other waits', async () => {
    await aMigration('20260101_init', 'create table shelf.books (title text); select pg_advisory_xact_lock(1);')
    await aMigration('20260102_fill', `insert into shelf.books values ('Emma');`)
    const gate = await owner.connect()
    await gate.query('select pg_advisory_lock(1)')
    const runs = Promise.all([run(), run()])
    await untilWaiting(2, database) // one for the gate, and the other one for that one
    gate.release(true)
    const logs = await runs
    expect(logs.sort((a, b) => a.length - b.length)).toEqual([
      ['shelf: applied 20260101_init, 20260102_fill (n ms)'],
      ['another migration is running: waiting for it', 'shelf: up to date (n ms)'],
    ])
    expect(await books()).toEqual([{ title: 'Emma' }])
  })

  test('may have semicolons in comments, texts and functions', async () => {
    await aMigration(
      '20260101_init',
      `-- one; two
       create table shelf.books (title text default 'a;b');
       create function shelf.add() returns void language plpgsql as $$ begin insert into shelf.books default values; end $$;
       select shelf.add();`,
    )
    await run()
    expect(await books()).toEqual([{ title: 'a;b' }])
  })

  test('that fail say where and why, leave nothing behind, and can be corrected', async () => {
    await aMigration('20260101_init', 'create table shelf.books (title text primary key);')
    await aMigration(
      '20260102_fill',
      `insert into shelf.books values ('Emma');\n\ninsert into shelf.nooks values ('x');`,
    )
    await expect(run()).rejects.toThrow(
      'shelf/20260102_fill failed at line 3: relation "shelf.nooks" does not exist (SQLSTATE 42P01)',
    )
    expect((await owner.query(`select to_regnamespace('shelf') as schema`)).rows).toEqual([{ schema: null }])
    await aMigration('20260102_fill', `insert into shelf.books values ('Emma');`)
    expect(await run()).toEqual(['shelf: applied 20260101_init, 20260102_fill (n ms)'])
  })

  test('changed after they were applied are named in a warning', async () => {
    await aMigration('20260101_init', 'create table shelf.books (title text primary key);')
    await run()
    await aMigration('20260101_init', 'create table shelf.books (title text primary key); -- or something else')
    expect(await run()).toEqual([
      'shelf: warning: 20260101_init was changed after it had been applied',
      'shelf: up to date (n ms)',
    ])
  })
})

describe('roles', () => {
  const login = async (role: { name: string; password: string }) => {
    const url = new URL(database.ownerUrl)
    const client = new pg.Client({
      host: url.hostname,
      port: Number(url.port),
      database: url.pathname.slice(1),
      user: role.name,
      password: role.password,
    })
    await client.connect()
    const { rows } = await client.query<{ name: string }>('select current_user::text as name')
    await client.end()
    return rows[0]?.name
  }

  test('can log in with the password given, whatever is in it, and after the next run with the next one', async () => {
    const role = aRole(`'; drop role x; -- "\\ %I %L $$ \${x} é`)
    await run({ roles: [role], services: [] })
    expect(await login(role)).toBe(role.name)
    const changed = { ...role, password: 'next' }
    await run({ roles: [changed], services: [] })
    expect(await login(changed)).toBe(role.name)
    await expect(login(role)).rejects.toMatchObject({ code: '28P01' })
  })

  test('are made, and changed, by the migrations of many databases of one cluster at once', async () => {
    const role = aRole()
    const others = await Promise.all(Array.from({ length: 5 }, createEmptyDatabase))
    const gate = await owner.connect()
    try {
      for (const round of ['create', 'alter']) {
        await gate.query('begin')
        await gate.query('lock table pg_authid in share row exclusive mode')
        const runs = Promise.all(
          others.map(({ ownerUrl }) => run({ databaseUrl: ownerUrl, roles: [role], services: [] })),
        )
        await untilWaiting(others.length, ...others)
        await gate.query('commit')
        await expect(runs.then(() => round)).resolves.toBe(round)
        expect(await login(role)).toBe(role.name)
      }
    } finally {
      gate.release(true)
      await Promise.all(others.map((other) => other.drop()))
    }
  })

  test('that may not be made are named in the error, and their passwords are not', async () => {
    const [owner, wanted] = [aRole(), aRole('the-secret')]
    await run({ roles: [owner], services: [] })
    const url = new URL(database.ownerUrl)
    Object.assign(url, { username: owner.name, password: owner.password })
    const error: unknown = await run({ databaseUrl: url.href, roles: [wanted], services: [] }).catch(
      (error: unknown) => error,
    )
    expect(error).toMatchObject({
      code: '42501',
      message: expect.stringContaining(`create role ${wanted.name}: permission denied`),
    })
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain('the-secret')
  })

  test('and schemas need no superuser, only an owner of the database who may make roles', async () => {
    const [boss, service] = [aRole(), aRole()]
    await run({ roles: [boss], services: [] })
    await owner.query(`alter role ${boss.name} createrole`)
    await owner.query(`alter database ${new URL(database.ownerUrl).pathname.slice(1)} owner to ${boss.name}`)
    const url = new URL(database.ownerUrl)
    Object.assign(url, { username: boss.name, password: boss.password })
    await aMigration(
      '20260101_init',
      `create table shelf.books (title text); grant usage on schema shelf to ${service.name};`,
    )
    const again = () => run({ databaseUrl: url.href, roles: [service] })
    expect(await again()).toEqual(['shelf: applied 20260101_init (n ms)'])
    expect(await again()).toEqual(['shelf: up to date (n ms)'])
    await owner.query('drop schema shelf cascade')
    await owner.query(`reassign owned by ${boss.name} to current_user`)
    await owner.query(`drop role ${service.name}`)
  })
})
