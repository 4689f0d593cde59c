import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { startStack, type Stack, type StackOptions } from '../../../scripts/src/stack'
import { ROOT } from '../../../scripts/src/terminal'
import { SERVICE_PROCESSES, type ServiceProcess, type WiredProcess } from './plan'
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
export async function openLab(options: Pick<StackOptions, 'signal' | 'terminal'> & { dataDir: string }): Promise<Lab> {
  const wires = new Map<WiredProcess, Wire>()
  const clocks = join(options.dataDir, 'clocks')
  mkdirSync(clocks)
  const stack = await startStack({
    ...options,
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
      SKEWED_CLOCKS: clocks,
    },
    entry: (service) => ['-r', SKEWED_CLOCK, join(ROOT, service, 'dist', 'main.js')],
    detour: async (name, url) => {
      if (name === 'swagger') return url // it has nothing to say to Postgres
      const wire = await openWire(url)
      wires.set(name as WiredProcess, wire)
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
