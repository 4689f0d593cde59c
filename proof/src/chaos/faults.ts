import { setTimeout as sleep } from 'node:timers/promises'
import { childrenOf, commandOf, signal } from '../../../scripts/src/processes'
import pg from 'pg'
import type { Random } from '../random'
import type { Clients } from './clients'
import type { Lab } from './lab'
import type { Fault, FaultKind, WiredProcess } from './plan'
import type { Wire } from './wire'

/** A fault that was staged. */
export type Staged = Fault & {
  begunAt: number
  endedAt: number
  /** What it hit: processes, wires, rows, calls. One that hit nothing proves nothing. */
  strikes: number
  /** Processes that it ended, and that therefore may have exited. */
  ended: readonly string[]
}
type Effect = { strikes: number; ended?: readonly string[] }
export type Scene = {
  lab: Lab
  clients: Clients
  /** Ids of the products that are asked for most. */
  hot: readonly string[]
  random: Random
  interrupted: AbortSignal
  /** Takes what goes on when the fault is over. */
  aside: (work: Promise<unknown>) => void
}

type Stage<Kind extends FaultKind> = (fault: Extract<Fault, { kind: Kind }>, scene: Scene) => Promise<Effect>

const HOUR_MS = 3_600_000
/** More than a pool has connections, and than may wait for one. */
const CROWD = 60
/** Pause between two cuts of one wire, so that something gets through. */
const BETWEEN_CUTS_MS = 60
/** What is to be cut may be rare: it is waited for so much longer. */
const FIRST_CUT_MS = 10_000

/** Does to the shop what the fault says, and takes it back. Nothing of it is left when it resolves, but for what has to recover. */
export async function stage(fault: Fault, scene: Scene, now: () => number): Promise<Staged> {
  const begunAt = now()
  const { strikes, ended = [] } = await (STAGES[fault.kind] as Stage<FaultKind>)(fault, scene)
  return { ...fault, begunAt, endedAt: now(), strikes, ended }
}

/** Not while it starts again, from a fault before or by its own fault: that the judge hears of from whoever watches. */
const isUp = (process: string, { lab }: Scene): boolean => lab.stack.pids()[process] !== undefined

const STAGES: { readonly [Kind in FaultKind]: Stage<Kind> } = {
  kill: async ({ process }, scene) => {
    if (!isUp(process, scene)) return { strikes: 0 }
    scene.lab.stack.kill(process, 'SIGKILL')
    if (process === 'postgres') await postgresIsBack(scene)
    return { strikes: 1, ended: [process] }
  },
  'kill-nginx-worker': (_, { lab }) => {
    const [worker] = nginxWorkers(lab)
    if (worker) signal(worker, 'SIGKILL')
    return Promise.resolve({ strikes: worker ? 1 : 0 })
  },
  'kill-backend': async ({ of }, scene) => {
    const [backend] = await backendsOf(scene.lab, of)
    if (!backend) return { strikes: 0 }
    signal(backend, 'SIGKILL')
    await postgresIsBack(scene) // all of its sessions end with that one
    return { strikes: 1 }
  },
  freeze: async ({ process, lastsMs }, scene) => {
    const pid = scene.lab.stack.pids()[process]
    return freeze(pid === undefined ? [] : [pid], lastsMs, scene)
  },
  'freeze-nginx-worker': ({ lastsMs }, scene) => freeze(nginxWorkers(scene.lab).slice(0, 1), lastsMs, scene),
  'freeze-postgres': ({ which, lastsMs }, scene) => {
    const postmaster = scene.lab.stack.pids()['postgres']
    if (postmaster === undefined) return Promise.resolve({ strikes: 0 })
    const backends = which === 'postmaster' ? [] : childrenOf(postmaster)
    return freeze([...(which === 'backends' ? [] : [postmaster]), ...backends], lastsMs, scene)
  },
  'rolling-restart': async ({ processes }, scene) => {
    const ended: (typeof processes)[number][] = []
    for (const each of processes) {
      if (isUp(each, scene)) ended.push(each)
      await scene.lab.stack.restart(each)
    }
    return { strikes: ended.length, ended }
  },
  'nginx-reload': async ({ times }, scene) => {
    let strikes = 0
    for (let n = 0; n < times; n++) {
      if (isUp('nginx', scene)) {
        scene.lab.stack.kill('nginx', 'SIGHUP')
        strikes++
      }
      await lasting(300, scene.interrupted)
    }
    return { strikes }
  },
  latency: ({ wires, ms, lastsMs }, scene) => onWires(wires, lastsMs, scene, (wire) => wire.delay(ms)),
  'black-hole': ({ wires, lastsMs }, scene) => onWires(wires, lastsMs, scene, (wire) => wire.blackHole()),
  reset: ({ wires, lastsMs }, scene) =>
    onWires(wires, lastsMs, scene, (wire) => {
      wire.refuse()
      wire.reset()
    }),
  'cut-after-commit': ({ wires, lastsMs }, scene) =>
    cuts(
      wires.map((each) => [each, 'commit', 'after']),
      lastsMs,
      scene,
    ),
  'cut-before-commit': ({ wires, lastsMs }, scene) =>
    cuts(
      wires.map((each) => [each, 'commit', 'before']),
      lastsMs,
      scene,
    ),
  'cut-after-statement': ({ process, text, lastsMs }, scene) => cuts([[process, text, 'after']], lastsMs, scene),
  'row-lock': async ({ products, lastsMs }, { lab, clients, hot, interrupted, aside }) => {
    const locked = hot.slice(0, products)
    const holder = await lab.owner.connect()
    try {
      await holder.query('begin')
      await holder.query('select from products.inventory where product_id = any ($1) for update', [locked])
      aside(clients.crowd(locked, CROWD))
      await lasting(lastsMs, interrupted)
      await holder.query('rollback')
      holder.release()
    } catch (error) {
      holder.release(true)
      throw error
    }
    return { strikes: locked.length }
  },
  'vanishing-clients': async ({ clients: count }, { clients, random }) => {
    await clients.vanish(count, random)
    return { strikes: count }
  },
  clock: async ({ processes, hours, lastsMs }, { lab, interrupted }) => {
    for (const each of processes) lab.setClock(each, hours * HOUR_MS)
    await lasting(lastsMs, interrupted)
    for (const each of processes) lab.setClock(each, 0)
    return { strikes: processes.length }
  },
}

/** An interrupted run takes its faults back at once. */
const lasting = (ms: number, interrupted: AbortSignal): Promise<void> =>
  sleep(ms, undefined, { signal: interrupted }).catch(() => undefined)

const nginxWorkers = ({ stack }: Lab): number[] => {
  const master = stack.pids()['nginx']
  const children = master === undefined ? [] : childrenOf(master)
  return children.filter((pid) => /worker process(?! is shutting down)/.test(commandOf(pid)))
}

/**
 * Until Postgres takes connections again, a fault that takes it away is not over: how long its own recovery needs (on a busy disk
 * seconds) is nothing that the shop could change.
 */
async function postgresIsBack({ lab, interrupted }: Scene): Promise<void> {
  while (!interrupted.aborted) {
    const client = new pg.Client({ connectionString: lab.stack.ownerUrl, connectionTimeoutMillis: 1_000 })
    client.on('error', () => undefined)
    const isBack = await client.connect().then(
      () => true,
      () => false,
    )
    await client.end().catch(() => undefined)
    if (isBack) return
    await lasting(50, interrupted)
  }
}

/** Both orders processes call themselves `orders` to Postgres. */
async function backendsOf({ owner }: Lab, process: WiredProcess): Promise<number[]> {
  const { rows } = await owner.query<{ pid: number }>(
    `select pid from pg_stat_activity where application_name = $1 order by state = 'active' desc, pid`,
    [process.replace(/-\d$/, '')],
  )
  return rows.map(({ pid }) => pid)
}

async function freeze(pids: readonly number[], lastsMs: number, { interrupted }: Scene): Promise<Effect> {
  for (const pid of pids) signal(pid, 'SIGSTOP')
  await lasting(lastsMs, interrupted)
  for (const pid of pids) signal(pid, 'SIGCONT')
  return { strikes: pids.length }
}

const wireOf = ({ wires }: Lab, name: WiredProcess): Wire => {
  const wire = wires.get(name)
  if (!wire) throw new Error(`${name} has no wire`)
  return wire
}

async function onWires(
  names: readonly WiredProcess[],
  lastsMs: number,
  { lab, interrupted }: Scene,
  spoil: (wire: Wire) => void,
): Promise<Effect> {
  const wires = names.map((name) => wireOf(lab, name))
  for (const wire of wires) spoil(wire)
  await lasting(lastsMs, interrupted)
  for (const wire of wires) wire.restore()
  return { strikes: wires.length }
}

/** Cuts each wire again and again at the text, and once in any case. */
async function cuts(
  traps: readonly (readonly [WiredProcess, text: string, when: 'before' | 'after'])[],
  lastsMs: number,
  { lab, interrupted }: Scene,
): Promise<Effect> {
  let strikes = 0
  let over = false
  for (const [name, text, when] of traps) {
    const wire = wireOf(lab, name)
    const set = (): void => {
      if (over) return
      wire.cutAt(text, when, () => {
        strikes++
        setTimeout(set, BETWEEN_CUTS_MS)
      })
    }
    set()
  }
  await lasting(lastsMs, interrupted)
  for (let waitedMs = 0; strikes === 0 && waitedMs < FIRST_CUT_MS && !interrupted.aborted; waitedMs += 50)
    await lasting(50, interrupted)
  over = true
  for (const [name] of traps) wireOf(lab, name).restore()
  return { strikes }
}
