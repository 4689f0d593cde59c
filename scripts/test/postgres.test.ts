import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from 'pg'
import { freePorts } from '../src/ports'
import { preparePostgres, startPostgres } from '../src/postgres'
import { removeCluster } from '../src/postgres-home'
import { aFolder, aSupervisor, cleanUp, isAlive, later, until } from './support'

afterEach(cleanUp)

/** A data folder where no other account may look, as below /root: Postgres must start there for root, too. */
function aPrivateDataDir(): string {
  const outer = aFolder()
  chmodSync(outer, 0o700)
  const dataDir = join(outer, 'data')
  mkdirSync(dataDir)
  later(() => removeCluster(dataDir))
  return dataDir
}

async function prepare(dataDir: string, password = 'secret') {
  const [port] = await freePorts(1)
  return preparePostgres({ dataDir, port: port!, password })
}

async function query(connectionString: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString, connectionTimeoutMillis: 20_000 })
  client.on('error', () => undefined)
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows.map((row) => Object.values(row)[0])
  } finally {
    await client.end()
  }
}

test('killed, it is back by itself, with all that was committed', async () => {
  const { supervisor, said } = await aSupervisor()
  const { program, ownerUrl } = await prepare(aPrivateDataDir())
  await supervisor.start([program])
  await query(ownerUrl, 'create table orders (id int)')
  await query(ownerUrl, 'insert into orders values (7)')

  supervisor.kill('postgres', 'SIGKILL')

  await until(() => said.includes('postgres is back'), 'the restart')
  expect(await query(ownerUrl, 'select id from orders')).toEqual([7])
  for (const setting of ['fsync', 'synchronous_commit', 'full_page_writes']) {
    expect(await query(ownerUrl, `show ${setting}`)).toEqual(['on'])
  }
})

test('one that a killed run left behind is ended first, and its data kept', async () => {
  const dataDir = aPrivateDataDir()
  mkdirSync(join(realpathSync(dataDir), 'postgres.new')) // a run was killed while it made the cluster
  const { program, ownerUrl } = await prepare(dataDir)
  const { command, args, env, uid, gid } = program
  const identity = uid === undefined || gid === undefined ? {} : { uid, gid }
  const survivor = spawn(command, args, { env, cwd: '/', detached: true, stdio: 'ignore', ...identity })
  later(() => isAlive(survivor.pid!) && survivor.kill('SIGKILL'))
  await until(() => program.ready(), 'the survivor')
  await query(ownerUrl, 'create table orders (id int)')

  const { supervisor } = await aSupervisor()
  const again = await prepare(dataDir)
  await supervisor.start([again.program])

  expect(isAlive(survivor.pid!)).toBe(false)
  expect(await query(again.ownerUrl, 'select count(*)::int from orders')).toEqual([0])
})

test('a postmaster.pid with the number of a stranger is no obstacle, and the stranger is left alone', async () => {
  const dataDir = aPrivateDataDir()
  const { program } = await prepare(dataDir)
  // Of Postgres's own account: one that it could not signal would not stop it.
  const identity = program.uid === undefined || program.gid === undefined ? {} : { uid: program.uid, gid: program.gid }
  const stranger = spawn('/bin/sleep', ['1000'], { cwd: '/', ...identity })
  later(() => stranger.kill('SIGKILL'))
  const lock = join(dataDir, 'postgres', 'postmaster.pid')
  writeFileSync(lock, `${stranger.pid}\n${join(dataDir, 'postgres')}\n`)

  const { supervisor } = await aSupervisor()
  await supervisor.start([(await prepare(dataDir)).program])

  expect(isAlive(stranger.pid!)).toBe(true)
  expect(readFileSync(lock, 'utf8').split('\n')[0]).toBe(String(supervisor.pids().postgres))
})

test('with another password than the one it was made with, it says what to do', async () => {
  const dataDir = aPrivateDataDir()
  await prepare(dataDir, 'first')
  const { supervisor } = await aSupervisor()
  const { program } = await prepare(dataDir, 'second')
  await expect(supervisor.start([program])).rejects.toThrow(/another secrets\.json.*npm run reset/)
})

test('emptied, nothing of it is left', async () => {
  const dataDir = aPrivateDataDir()
  const { program } = await prepare(dataDir)
  const cluster = program.args[1]!
  expect(existsSync(join(cluster, 'PG_VERSION'))).toBe(true)
  removeCluster(dataDir)
  expect(existsSync(cluster)).toBe(false)
  expect(existsSync(join(dataDir, 'postgres'))).toBe(false)
})

test('one by itself takes settings, and stop leaves nothing of it running', async () => {
  const dataDir = aPrivateDataDir()
  const { ownerUrl, stop } = await startPostgres(dataDir, { fsync: 'off', max_connections: '300' })
  later(stop)
  expect(await query(ownerUrl, 'show fsync')).toEqual(['off'])
  expect(await query(ownerUrl, 'show max_connections')).toEqual(['300'])
  await stop()
  await expect(query(ownerUrl, 'select 1')).rejects.toThrow('ECONNREFUSED')
})
