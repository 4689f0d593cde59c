import { accessSync, constants, mkdirSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { prepareNginx, removeNginxCache } from './nginx'
import { checkPorts, freePorts, portFrom, type WantedPort } from './ports'
import { preparePostgres } from './postgres'
import { claimRun } from './run-record'
import { loadSecrets } from './secrets'
import { BEHIND_NGINX, migrate, read, serviceProgram, SERVICES, type Service } from './services'
import { createSupervisor, type Program } from './supervisor'
import { ROOT, silent, type Terminal, UserError } from './terminal'

type PortName = 'http' | 'postgres' | Service

export interface StackOptions {
  /** Where data, secrets and logs are kept; relative to the project. DATA_DIR, or .data. */
  dataDir?: string
  /** `free`: any that nobody uses, which is what tests want. Else HTTP_PORT and the like, or their presets. */
  ports?: 'free'
  /** On top of the process's own environment, which configures it: DATABASE_URL (the owner's), DEMO_DATA, RATE_LIMIT_RPS … */
  env?: NodeJS.ProcessEnv
  /** How many orders processes share the work; they are named orders, orders-2, … */
  ordersProcesses?: number
  /** What node runs for a service: its main unless given. */
  entry?: (service: Service) => string[]
  /** Answers the URL by which a process is to reach Postgres, given the direct one: where faults are staged in between. */
  detour?: (process: string, url: string) => Promise<string>
  stopTimeoutMs?: number
  readyTimeoutMs?: number
  terminal?: Terminal
  /** Aborting it while the stack is starting stops what has been started. */
  signal?: AbortSignal
}

export interface Stack {
  /** The front door. */
  url: string
  /** Each process by itself, without Nginx: users, products, orders, orders-2, …, swagger, gateway. */
  urls: Record<string, string>
  /** The database as its owner. */
  ownerUrl: string
  dataDir: string
  pids(): Record<string, number>
  kill(name: string, signal: NodeJS.Signals): void
  restart(name: string): Promise<void>
  /** One more program under the same care. */
  run(program: Program): Promise<void>
  stop(): Promise<void>
}

const PRESETS: Record<PortName, number> = {
  http: 8080,
  users: 8001,
  products: 8002,
  orders: 8003,
  swagger: 8004,
  gateway: 8005,
  postgres: 5433,
}

export function dataDirFrom(env: NodeJS.ProcessEnv, given?: string): string {
  const dir = given ?? (env.DATA_DIR || '.data')
  return isAbsolute(dir) ? dir : join(ROOT, dir)
}

/** Makes the data folder; says so when it is another user's, for example root's from an earlier start. */
export function openDataDir(dataDir: string): void {
  try {
    for (const folder of ['', 'logs', 'nginx']) {
      mkdirSync(join(dataDir, folder), { recursive: true })
      accessSync(join(dataDir, folder), constants.W_OK)
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error
    throw new UserError(
      `${dataDir} belongs to another user. Start as that user, remove it, or choose another with DATA_DIR.`,
    )
  }
}

export const runRecordOf = (dataDir: string): string => join(dataDir, 'run.json')

/** Starts the whole shop: Postgres, migrations, the services, and Nginx when all of them are ready. */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const env = { ...process.env, ...options.env }
  const terminal = options.terminal ?? silent
  const dataDir = dataDirFrom(env, options.dataDir)
  const host = env.HTTP_HOST || '127.0.0.1'
  const database = read(env, 'DATABASE_URL')
  const ports = options.ports === 'free' ? await freeOnes() : configured(env)
  const url = `http://${EVERYWHERE[host] ?? host}:${ports.http}`
  const processes = await listProcesses(ports, options.ordersProcesses ?? 1)

  openDataDir(dataDir)
  const stopTimeoutMs = options.stopTimeoutMs ?? 10_000
  const claim = await claimRun(runRecordOf(dataDir), url, stopTimeoutMs)
  if (claim.leftOvers.length > 0) terminal.say(`Ended what a killed run had left: ${claim.leftOvers.join(', ')}`)
  const supervisor = createSupervisor({
    claim,
    logDir: join(dataDir, 'logs'),
    say: (line) => terminal.say(line),
    stopTimeoutMs,
    readyTimeoutMs: options.readyTimeoutMs ?? 30_000,
  })
  const onAbort = () => void stop()
  const stop = async () => {
    options.signal?.removeEventListener('abort', onAbort)
    await supervisor.stop()
    removeNginxCache(dataDir)
  }
  options.signal?.addEventListener('abort', onAbort)

  async function startPostgres(password: string): Promise<string> {
    const { program, ownerUrl } = await preparePostgres({ dataDir, port: ports.postgres, password })
    await supervisor.start([program])
    return ownerUrl
  }

  try {
    await checkPorts(wanted(ports, host, database === undefined))
    const secrets = loadSecrets(dataDir)
    const ownerUrl = database ?? (await terminal.step('Postgres', () => startPostgres(secrets.postgresPassword)))
    const surroundings = { env, ownerUrl, secrets, dataDir, ports }
    await terminal.step('Migrations', () => migrate(surroundings, options.signal))
    const programs = await Promise.all(
      processes.map(async ({ name, service, port }) => {
        const entry = options.entry?.(service) ?? [join(ROOT, service, 'dist', 'main.js')]
        const reached = (await options.detour?.(name, ownerUrl)) ?? ownerUrl
        return serviceProgram(service, { name, port, entry }, { ...surroundings, ownerUrl: reached })
      }),
    )
    await terminal.step('Services', () => supervisor.start(programs))
    const portsOf = (service: Service) => processes.filter((each) => each.service === service).map(({ port }) => port)
    await terminal.step('Nginx', async () => {
      const upstreams = Object.fromEntries(BEHIND_NGINX.map((service) => [service, portsOf(service)]))
      await supervisor.start([await prepareNginx({ dataDir, host, port: ports.http, url, upstreams, env })])
    })
    return {
      url,
      urls: Object.fromEntries(processes.map(({ name, port }) => [name, `http://127.0.0.1:${port}`])),
      ownerUrl,
      dataDir,
      pids: () => supervisor.pids(),
      kill: (name, signal) => supervisor.kill(name, signal),
      restart: (name) => supervisor.restart(name),
      run: (program) => supervisor.start([program]),
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** To listen on all addresses is nothing that a client can connect to. */
const EVERYWHERE: Record<string, string> = { '0.0.0.0': '127.0.0.1', '[::]': '[::1]' }

type Ports = Record<PortName, number>

async function freeOnes(): Promise<Ports> {
  const names = Object.keys(PRESETS)
  const ports = await freePorts(names.length)
  return Object.fromEntries(names.map((name, i) => [name, ports[i]])) as Ports
}

const variable = (name: string): string => `${name.toUpperCase()}_PORT`

const configured = (env: NodeJS.ProcessEnv): Ports =>
  Object.fromEntries(
    Object.entries(PRESETS).map(([name, preset]) => [name, portFrom(env, variable(name), preset)]),
  ) as Ports

function wanted(ports: Ports, host: string, withPostgres: boolean): WantedPort[] {
  return (Object.keys(PRESETS) as PortName[])
    .filter((name) => name !== 'postgres' || withPostgres)
    .map((name) => ({
      variable: variable(name),
      port: ports[name],
      host: name === 'http' ? host.replace(/^\[|\]$/g, '') : '127.0.0.1',
      use: name === 'http' ? 'the front door' : name,
    }))
}

/** One process a service, and as many of orders as asked for: those that share its work listen wherever it is free. */
async function listProcesses(ports: Ports, ordersProcesses: number) {
  const extra = await freePorts(ordersProcesses - 1)
  return [
    ...SERVICES.map((service) => ({ name: service, service, port: ports[service] })),
    ...extra.map((port, i) => ({ name: `orders-${i + 2}`, service: 'orders' as const, port })),
  ]
}
