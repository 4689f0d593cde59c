import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { freePorts } from '../../scripts/src/ports'
import { findTool, NGINX } from '../../scripts/src/tools'
import { startUpstream, type Upstream } from './upstream'

export const renderScript = join(__dirname, '../render.sh')

/** Variables of the renderer that the machine's own environment must not leak into a test. */
const cleanEnvironment = (): NodeJS.ProcessEnv => ({ PATH: process.env['PATH'], LANG: process.env['LANG'] })

export function render(variables: Record<string, string>, shell = 'sh'): string {
  return execFileSync(shell, [renderScript], {
    env: { ...cleanEnvironment(), ...variables },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

/** The nginx of this machine: `NGINX_BIN`, the PATH, or the project's own `.tools/`. */
export function nginxProgram(): string {
  const found = findTool(NGINX, process.env)
  if (!found) throw new Error('nginx is neither on the PATH nor in .tools/; set NGINX_BIN')
  return found
}

/** Polls until `condition` holds; the deadline turns a hang into a failure that says what was waited for. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  deadlineMs = 15_000,
): Promise<void> {
  const deadline = performance.now() + deadlineMs
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited ${deadlineMs} ms in vain: ${what}`)
    await pause(10)
  }
}

/** A line of the access log. */
export type LogLine = { requestId: string; method: string; path: string; status: number; [field: string]: unknown }

export type Nginx = {
  port: number
  pid: number
  runtimeDir: string
  accessLog: () => LogLine[]
  /** Waits until the access log has the line of this request: nginx writes it after the answer. */
  logged: (requestId: string) => Promise<LogLine>
  /** Renders anew with other variables and reloads; resolves when the old workers take no new requests. */
  reload: (variables?: Record<string, string>) => Promise<void>
  /** Resolves with the exit status. */
  stop: (signal?: NodeJS.Signals) => Promise<number | null>
}

/** What a test file has started ends with it, also when a test fails: Jest waits for processes that are left. */
const running = new Set<Nginx>()
afterAll(() => Promise.all([...running].map((each) => each.stop())))

const folders = new Set<string>()
afterAll(() => Promise.all([...folders].map((folder) => rm(folder, { recursive: true, force: true }))))

/** Renders the template with these variables and runs the real nginx on a free port, limits off unless they are given. */
async function startNginx(variables: Record<string, string> = {}): Promise<Nginx> {
  const runtimeDir = mkdtempSync(join(tmpdir(), 'shop nginx ')) // with spaces and for its owner alone, as many a home folder
  const cacheDir = mkdtempSync(join(tmpdir(), 'shop-nginx-cache-'))
  chmodSync(cacheDir, 0o711) // workers of a master that runs as root are another user
  folders.add(cacheDir)
  const [port = 0] = await freePorts(1)
  const base = {
    NGINX_RUNTIME_DIR: runtimeDir,
    NGINX_CACHE_DIR: join(cacheDir, 'cache'),
    HTTP_PORT: String(port),
    RATE_LIMIT_RPS: '0',
    LOGIN_RATE_LIMIT_RPM: '0',
    ...variables,
  }
  const config = join(runtimeDir, 'nginx.conf')
  writeFileSync(config, render(base))

  const child = spawn(nginxProgram(), ['-e', 'stderr', '-p', runtimeDir, '-c', config], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const exit = new Promise<number | null>((ended) => child.once('exit', ended))
  let complaints = ''
  child.stderr.on('data', (chunk: Buffer) => (complaints += chunk.toString()))
  const pid = child.pid ?? 0
  // nginx writes its pid after it has begun to listen. Trying the port instead can meet a stranger, or itself: a connection to a
  // free port of the ephemeral range may get that very port as its own end.
  await until('nginx listens', () => {
    if (child.exitCode !== null) throw new Error(`nginx ended with ${child.exitCode}: ${complaints}`)
    const pidFile = join(runtimeDir, 'nginx.pid')
    return existsSync(pidFile) && readFileSync(pidFile, 'utf8').trim() === String(pid)
  }).catch(async (error: unknown) => {
    if (child.exitCode === null) await stopChild(child, exit, runtimeDir, 'SIGKILL')
    throw error
  })

  const accessLog = () =>
    readFileSync(join(runtimeDir, 'access.log'), 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as LogLine)
  const nginx: Nginx = {
    port,
    pid,
    runtimeDir,
    accessLog,
    logged: async (requestId) => {
      const find = () => accessLog().find((line) => line.requestId === requestId)
      await until(`a log line of ${requestId}`, () => find() !== undefined)
      return find()!
    },
    reload: async (more = {}) => {
      writeFileSync(config, render({ ...base, ...more }))
      const before = workersOf(pid).map((worker) => worker.pid)
      process.kill(pid, 'SIGHUP')
      await until('new workers serve and old ones only finish', () => {
        const now = workersOf(pid)
        return (
          now.some((worker) => !before.includes(worker.pid)) &&
          now.every((worker) => !before.includes(worker.pid) || worker.shuttingDown)
        )
      })
    },
    stop: (signal = 'SIGTERM') => {
      running.delete(nginx)
      return stopChild(child, exit, runtimeDir, signal)
    },
  }
  running.add(nginx)
  return nginx
}

async function stopChild(
  child: ChildProcess,
  exit: Promise<number | null>,
  runtimeDir: string,
  signal: NodeJS.Signals,
) {
  child.kill(signal)
  const code = await exit
  await rm(runtimeDir, { recursive: true, force: true })
  return code
}

/** nginx tells in its process titles which workers still take requests. */
function workersOf(master: number): { pid: number; shuttingDown: boolean }[] {
  const processes = execFileSync('ps', ['-A', '-o', 'ppid=,pid=,args='], { encoding: 'utf8' })
  return processes.split('\n').flatMap((line) => {
    const [, parent, pid, title] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? []
    return Number(parent) === master
      ? [{ pid: Number(pid), shuttingDown: /shutting down|defunct/.test(title ?? '') }]
      : []
  })
}

export type Shop = Record<'users' | 'products' | 'orders' | 'swagger', Upstream> & { nginx: Nginx }

/** nginx before four recording upstreams. */
export async function startShop(variables: Record<string, string> = {}): Promise<Shop> {
  const names = ['users', 'products', 'orders', 'swagger'] as const
  const [users, products, orders, swagger] = await Promise.all(names.map((name) => startUpstream(name)))
  if (!users || !products || !orders || !swagger) throw new Error('unreachable')
  const at = ({ port }: Upstream) => `127.0.0.1:${port}`
  const nginx = await startNginx({
    USERS_UPSTREAM: at(users),
    PRODUCTS_UPSTREAM: at(products),
    ORDERS_UPSTREAM: at(orders),
    SWAGGER_UPSTREAM: at(swagger),
    ...variables,
  })
  return { users, products, orders, swagger, nginx }
}
