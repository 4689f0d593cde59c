import { randomUUID } from 'node:crypto'
import { chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client, type DatabaseError } from 'pg'
import { freePorts } from './ports'
import { findPostgresHome, type PostgresHome } from './postgres-home'
import { commandOf, processesIn, signal } from './processes'
import { claimRun } from './run-record'
import { createSupervisor, type Program } from './supervisor'
import { runTool, UserError } from './terminal'

const SUPERUSER = 'postgres'
const DATABASE = 'shop'

export interface PostgresOptions {
  dataDir: string
  port: number
  password: string
  /** Server settings besides Postgres's own, as in postgresql.conf. */
  settings?: Record<string, string>
}

/** A cluster ready to be started, made when there is none, and the URL of its database's owner. */
export async function preparePostgres(options: PostgresOptions): Promise<{ program: Program; ownerUrl: string }> {
  const { dataDir, port, password, settings = {} } = options
  const home = await findPostgresHome(dataDir)
  const { bin, cluster, version, account } = home
  if (existsSync(join(cluster, 'PG_VERSION'))) {
    const made = readFileSync(join(cluster, 'PG_VERSION'), 'utf8').trim()
    if (made !== version)
      throw new UserError(`The data in ${cluster} is of Postgres ${made}, this is ${version}. ${EMPTY_IT}`)
    await endSurvivors(cluster)
  } else {
    await initialise(home, password)
  }
  const url = (database: string) => `postgres://${SUPERUSER}:${password}@127.0.0.1:${port}/${database}`
  const program: Program = {
    name: 'postgres',
    command: join(bin, 'postgres'),
    // Durability (fsync, synchronous_commit) stays at its defaults. No Unix socket: its path may be too long, or taken.
    args: [
      '-D',
      cluster,
      ...flags({ port: String(port), listen_addresses: '127.0.0.1', unix_socket_directories: '', ...settings }),
    ],
    env: { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' },
    ...account,
    // Its "fast" shutdown; at SIGTERM it would wait for every client to leave by itself.
    stopSignal: 'SIGINT',
    ready: () => isReady(url),
  }
  return { program, ownerUrl: url(DATABASE) }
}

const flags = (settings: Record<string, string>): string[] =>
  Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])

/**
 * A Postgres by itself in a new folder and on any free port, for tests: it is started again like the shop's, and ends with this process,
 * however that ends. Its files are the caller's to remove (removeCluster, then the folder).
 */
export async function startPostgres(
  dataDir: string,
  settings: Record<string, string> = {},
): Promise<{ ownerUrl: string; stop: () => Promise<void> }> {
  const claim = await claimRun(join(dataDir, 'run.json'), 'Postgres by itself', 10_000)
  const supervisor = createSupervisor({ claim, logDir: dataDir, say: (line) => console.error(line) })
  try {
    const [port] = await freePorts(1)
    const { program, ownerUrl } = await preparePostgres({ dataDir, port: port!, password: randomUUID(), settings })
    await supervisor.start([program])
    return { ownerUrl, stop: () => supervisor.stop() }
  } catch (error) {
    await supervisor.stop()
    throw error
  }
}

const EMPTY_IT = 'To begin with empty data: npm run reset'

/** Answers, and has the shop's database: made here at the first start. */
async function isReady(url: (database: string) => string): Promise<boolean> {
  const client = new Client({ connectionString: url('postgres'), connectionTimeoutMillis: 1_000 })
  client.on('error', () => undefined)
  try {
    await client.connect()
    const found = await client.query('select 1 from pg_database where datname = $1', [DATABASE])
    if (found.rowCount === 0) await client.query(`create database ${DATABASE}`)
    return true
  } catch (error) {
    if ((error as DatabaseError).code !== INVALID_PASSWORD) return false
    throw new UserError(
      `The data was made with another secrets.json than the one beside it. Put that back. ${EMPTY_IT}`,
    )
  } finally {
    await client.end().catch(() => undefined)
  }
}

const INVALID_PASSWORD = '28P01'

/**
 * What a killed run may have left: a postmaster, or sessions of a dead one. A new server must not start while either
 * lives (Postgres checks that by postmaster.pid, which may therefore be removed only when nobody is left).
 */
async function endSurvivors(cluster: string): Promise<void> {
  const lock = join(cluster, 'postmaster.pid')
  if (!existsSync(lock)) return
  const pid = Number(readFileSync(lock, 'utf8').split('\n')[0])
  const postmaster = () => (commandOf(pid).includes(`-D ${cluster} `) ? [pid] : [])
  const survivors = () => [...postmaster(), ...processesIn(cluster)]
  for (const each of postmaster()) signal(each, 'SIGINT')
  const patience = Date.now() + 10_000
  while (survivors().length > 0) {
    if (Date.now() > patience) for (const each of survivors()) signal(each, 'SIGKILL')
    await sleep(20)
  }
  // The number may be a stranger's by now, whom Postgres would take for a postmaster.
  rmSync(lock, { force: true })
}

/** Made aside and renamed, so that a run killed in the middle leaves no half a cluster. */
async function initialise({ bin, cluster, account }: PostgresHome, password: string): Promise<void> {
  const draft = `${cluster}.new`
  rmSync(draft, { recursive: true, force: true })
  const folder = mkdtempSync(join(tmpdir(), 'shop-initdb-'))
  try {
    const passwordFile = join(folder, 'password')
    writeFileSync(passwordFile, password, { mode: 0o600 })
    mkdirSync(draft, { mode: 0o700 })
    if (account) for (const path of [folder, passwordFile, draft]) chownSync(path, account.uid, account.gid)
    const flags = [
      '--encoding=UTF8',
      '--locale=C',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--auth=scram-sha-256',
    ]
    await runTool(join(bin, 'initdb'), ['-D', draft, `--username=${SUPERUSER}`, `--pwfile=${passwordFile}`, ...flags], {
      cwd: '/',
      env: { PATH: process.env.PATH, LC_ALL: 'C' },
      ...account,
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  renameSync(draft, cluster)
}
