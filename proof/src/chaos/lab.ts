import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { startStack, type Stack } from '../../../scripts/src/stack'
import { ROOT } from '../../../scripts/src/terminal'
import { SERVICE_PROCESSES, WIRED_PROCESSES, type ServiceProcess, type WiredProcess } from './plan'
import { openWire, type Wire } from './wire'

/** The shop with a hand on everything that it stands on. */
export type Lab = {
  stack: Stack
  /** Between each process and Postgres. */
  wires: ReadonlyMap<WiredProcess, Wire>
  /** Straight to Postgres, as its owner. */
  owner: pg.Pool
  setClock: (process: ServiceProcess, offMs: number) => void
  close: () => Promise<void>
}

const SKEWED_CLOCK = join(ROOT, 'proof', 'src', 'chaos', 'skewed-clock.cjs')

/** Starts the shop on scratch data, with two orders processes, without limits, and with a wire in front of Postgres for each process. */
export async function openLab(options: { dataDir: string; holdMinutes: number; signal: AbortSignal }): Promise<Lab> {
  const wires = new Map<WiredProcess, Wire>()
  const clocks = join(options.dataDir, 'clocks')
  mkdirSync(clocks)
  const { dataDir, signal } = options
  const stack = await startStack({
    ...{ dataDir, signal },
    ports: 'free',
    ordersProcesses: 2,
    env: {
      DATABASE_URL: '', // never the user's data
      DATABASE_URL_FILE: '',
      DEMO_DATA: '0',
      RATE_LIMIT_RPS: '0',
      LOGIN_RATE_LIMIT_RPM: '0',
      BCRYPT_COST: '4',
      LOG_LEVEL: 'info',
      ORDER_HOLD_MINUTES: String(options.holdMinutes),
      SKEWED_CLOCKS: clocks,
    },
    entry: (service) => ['-r', SKEWED_CLOCK, join(ROOT, service, 'dist', 'main.js')],
    detour: async (name, url) => {
      const wired = WIRED_PROCESSES.find((each) => each === name)
      if (!wired) return url // it has nothing to say to Postgres
      const wire = await openWire(url)
      wires.set(wired, wire)
      return wire.url
    },
  })
  const owner = new pg.Pool({ connectionString: stack.ownerUrl, max: 3 })
  owner.on('error', () => undefined) // Postgres is killed
  owner.on('connect', (client) => client.on('error', () => undefined))
  return {
    stack,
    wires,
    owner,
    setClock: (name, offMs) => {
      const file = join(clocks, new URL(stack.urls[name] ?? '').port)
      writeFileSync(`${file}.new`, String(offMs))
      renameSync(`${file}.new`, file) // never seen half written
    },
    close: async () => {
      for (const each of SERVICE_PROCESSES) if (stack.pids()[each] !== undefined) stack.kill(each, 'SIGCONT')
      await owner.end()
      await stack.stop()
      for (const wire of wires.values()) await wire.close()
    },
  }
}
