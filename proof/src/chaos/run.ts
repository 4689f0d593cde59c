import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { removeCluster } from '../../../scripts/src/postgres-home'
import { openClient } from '../client'
import { randomFrom } from '../random'
import { held, type Finding } from '../report'
import { readCharges, readShown, readStored } from './books'
import { startClients } from './clients'
import { stage, type Staged } from './faults'
import { openHistory, type Recorder } from './history'
import type { Allowed } from './judge/evidence'
import { judgeRun } from './judge/judge'
import { recoveriesOf } from './judge/run'
import { openLab, type Lab } from './lab'
import { decide, type Role } from './load'
import { openMarket, type Market, type Party } from './market'
import { planFaults, type FaultKind, type Pace, type Planned } from './plan'
import { startProbes } from './probes'
import { settle, type Settled } from './settle'
import { watch, type MemorySample } from './watch'

export type ChaosOptions = {
  seed: string
  seconds: number
  pace: Pace
  kinds: readonly FaultKind[]
  clients: Readonly<Record<Role, number>>
  /** Waits for this long a time of calm before the next fault. */
  steadyMs: number
  allowed: Allowed
  /** How long an order that is not paid is held. */
  holdMinutes: number
  /** The scratch data stay there. */
  keep?: boolean
  say: (line: string) => void
  show?: (line: string) => void
  signal?: AbortSignal
}

export type ChaosResult = {
  seed: string
  /** Same seed and options, same digests: of the faults that were planned, and of what each client decides first. */
  plan: { faults: number; faultsDigest: string; loadDigest: string }
  seconds: number
  calls: number
  faults: Staged[]
  settled: Settled
  recoveries: ReturnType<typeof recoveriesOf>
  memory: MemorySample[]
  findings: Finding[]
  dataDir: string
}

const HOT_STOCK = 300
const STOCK = 20_000
const HOT = 4
const PRODUCTS_A_SELLER = 4
const WARM_UP_MS = 2_000
/** Beyond what is promised, to see how long it really takes. */
const PATIENCE_MS = 5_000

const digestOf = (value: unknown): string =>
  createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16)

/** What a seed stands for. */
export function planOf({
  seed,
  seconds,
  pace,
  kinds,
  clients,
}: Pick<ChaosOptions, 'seed' | 'seconds' | 'pace' | 'kinds' | 'clients'>) {
  const random = randomFrom(seed)
  const faults = planFaults(random.fork('faults'), { seconds, pace, kinds })
  const load = random.fork('load')
  const first = (Object.keys(clients) as Role[]).flatMap((role) =>
    Array.from({ length: clients[role] }, (_, n) => {
      const own = load.fork(`${role}-${n}`)
      return Array.from({ length: 200 }, (_, step) => decide(role, own, step))
    }),
  )
  return { faults, load, faultsDigest: digestOf(faults), loadDigest: digestOf(first) }
}

/** Starts the shop, lets clients at it, does one fault after the other to it, and judges what is left. */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const { seed, say, show = () => undefined, signal = new AbortController().signal } = options
  const { faults: planned, load, ...digests } = planOf(options)
  say(`seed ${seed}: ${planned.length} faults (${digests.faultsDigest}), load ${digests.loadDigest}`)
  const dataDir = mkdtempSync(join(tmpdir(), 'shop-chaos-'))
  const [origin, began] = [performance.now(), Date.now()]
  const recorder = openHistory(() => performance.now() - origin)
  let allHeld = false
  const cleanUps: (() => unknown)[] = []
  try {
    const lab = await openLab({ dataDir, signal, holdMinutes: options.holdMinutes })
    cleanUps.push(lab.close)
    const client = openClient({ url: lab.stack.url, connections: 2_000 })
    cleanUps.push(client.close)
    const market = openMarket(client, recorder)
    const people = await openFor(market, recorder, options.clients)
    const watched = watch(lab.stack, recorder.now)
    cleanUps.push(watched.stop)
    const clients = startClients(market, recorder, load, people.loading)
    cleanUps.push(clients.stop)
    const probes = startProbes(market, recorder, people.probing)
    cleanUps.push(probes.stop)

    const recovered = (since: number) =>
      probes.recovered(since, options.steadyMs, options.allowed.recoveryMs + PATIENCE_MS)

    const staged: Staged[] = []
    const asides: Promise<unknown>[] = []
    const hot = market.products.slice(0, HOT).map(({ id }) => id)
    const aside = (work: Promise<unknown>) => {
      work.catch(() => undefined) // heard of in the end
      asides.push(work)
    }
    const scene = { lab, clients, hot, interrupted: signal, aside }
    await recovered(recorder.now() + WARM_UP_MS)
    for (const [n, fault] of planned.entries()) {
      signal.throwIfAborted()
      show(`${n + 1} of ${planned.length}: ${describe(fault)}; ${recorder.history.calls.length} calls`)
      await sleep(fault.calmMs)
      const done = await stage(fault, { ...scene, random: load.fork(`fault ${n}`) }, recorder.now)
      staged.push(done)
      await recovered(done.endedAt)
    }
    const left = options.seconds * 1000 - recorder.now()
    if (left > 0) await sleep(left, undefined, { signal })
    show('the last calls')
    await Promise.all([clients.stop(), probes.stop(), ...asides])
    const endedAt = recorder.now()
    watched.stop()
    const running = Object.keys(lab.stack.pids())

    show('repeating what is unknown')
    await quiet(lab)
    signal.throwIfAborted()
    const settled = await settle(market, recorder, people.all)
    show('waiting for the sweeps')
    await sweepsEnd(lab, options.holdMinutes)
    signal.throwIfAborted()
    show('reading everything')
    for (const party of people.all) await party.logIn()
    const shown = await readShown(client, { buyers: people.buyers, products: market.products })
    const [readAt, stored] = [recorder.now(), await readStored(lab.owner)]
    const gateway = openClient({ url: lab.stack.urls['gateway'] ?? '' })
    cleanUps.push(gateway.close)
    const evidence = {
      history: recorder.history,
      books: { ...stored, shown, charges: await readCharges(gateway, shown.unread) },
      faults: staged,
      exits: watched.exits,
      ...{ running, endedAt, readAt, began, holdMs: options.holdMinutes * 60_000 },
      allowed: options.allowed,
    }
    writeFileSync(join(dataDir, 'evidence.json'), JSON.stringify(evidence))
    const findings = await judgeRun(evidence)
    allHeld = findings.every(held)
    return {
      seed,
      plan: { faults: planned.length, ...digests },
      seconds: Math.round(endedAt / 1000),
      calls: recorder.history.calls.length,
      faults: staged,
      settled,
      recoveries: recoveriesOf(evidence),
      memory: watched.memory,
      findings,
      dataDir,
    }
  } finally {
    // Whatever fails here is told, and neither keeps the next one from being tidied up nor hides why the run ended.
    for (const cleanUp of cleanUps.reverse()) {
      try {
        await cleanUp()
      } catch (error) {
        say(`while tidying up: ${(error as Error).message}`)
      }
    }
    if (options.keep || !allHeld) say(`data, logs and, once it was written, evidence.json are left in ${dataDir}`)
    else {
      removeCluster(dataDir)
      rmSync(dataDir, { recursive: true, force: true })
    }
  }
}

/** Everybody who takes part, and what is for sale. */
async function openFor(market: Market, recorder: Recorder, counts: Readonly<Record<Role, number>>) {
  const join = async (username: string, role: 'BUYER' | 'SELLER'): Promise<Party> => {
    const party = await market.register(username, role)
    if (!party) throw new Error(`${username} was not registered`)
    await party.logIn()
    return party
  }
  const joinAll = async (role: 'BUYER' | 'SELLER', count: number): Promise<Party[]> => {
    const parties: Party[] = []
    for (let n = 0; n < count; n++) parties.push(await join(`${role.toLowerCase()}-${n}`, role))
    return parties
  }
  const list = async (seller: Party, mark: string, stock: number) => {
    const deed = recorder.begin({ mark, by: seller.id, wish: { do: 'list product', stock, priceCents: 1_000 } })
    const product = await market.listProduct(deed, seller)
    if (!product) throw new Error(`${mark} was not listed`)
    return product
  }
  const sellers = await joinAll('SELLER', counts.seller)
  const buyers = await joinAll('BUYER', counts.buyer)
  for (let n = 0; n < PRODUCTS_A_SELLER; n++)
    for (const [i, seller] of sellers.entries()) await list(seller, `first-${n}-${i}`, n === 0 ? HOT_STOCK : STOCK)
  const [prober, supplier] = [await join('probing-buyer', 'BUYER'), await join('probing-seller', 'SELLER')]
  // Of whatever the load does the probes know nothing: their product is nobody else's.
  const product = await list(supplier, 'probed', 1_000_000)
  market.products.splice(market.products.indexOf(product), 1)
  return {
    loading: { buyer: buyers, seller: sellers, visitor: Array.from({ length: counts.visitor }, () => undefined) },
    probing: { buyer: prober, product },
    buyers: [...buyers, prober],
    all: [...sellers, ...buyers, prober, supplier],
  }
}

const QUIET_MS = 60_000

/** Waits until the database has nothing left to do: what a fault delayed may still be on its way. The judge sees a shop that never rests. */
async function quiet({ owner }: Lab): Promise<void> {
  const busy = `select from pg_stat_activity where application_name = any ($1) and state <> 'idle'`
  for (let calm = 0, deadline = Date.now() + QUIET_MS; calm < 5 && Date.now() < deadline; await sleep(50))
    calm = (await owner.query(busy, [['users', 'products', 'orders']])).rowCount === 0 ? calm + 1 : 0
}

const SWEEPS_MS = 120_000

/**
 * Waits until the sweeps have dealt with every charge and refund of which nothing was heard, and with every order whose hold ends
 * now or while the books are read. Should they never, the judge will say so.
 */
async function sweepsEnd({ owner }: Lab, holdMinutes: number): Promise<void> {
  const open = `
    select from orders.payments where status = 'PENDING' or (refund_requested_at is not null and refunded_at is null)
    union all
    select from orders.orders where status = 'PLACED' and created_at + make_interval(mins => $1) < now() + interval '1 minute'`
  for (const deadline = Date.now() + SWEEPS_MS; Date.now() < deadline; await sleep(200))
    if ((await owner.query(open, [holdMinutes])).rowCount === 0) return
}

export function describe({ kind, calmMs: _, ...details }: Planned): string {
  const words = Object.entries(details).map(([name, value]) =>
    name === 'lastsMs' ? `for ${(Number(value) / 1000).toFixed(1)} s` : String(value).replaceAll(',', ', '),
  )
  return [kind, ...words].join(' ')
}
