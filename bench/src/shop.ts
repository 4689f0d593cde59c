import { createPrivateKey } from 'node:crypto'
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { startStack, type Stack, type StackOptions } from '../../scripts/src/stack'
import { unbalancedProducts } from '../../tests/support/books'
import { accessTokens } from '../../users/src/access-tokens'
import { FORMS, runBaseline, type Form } from './baseline'
import { cpuOf, cpuPerAnswer } from './cpu'
import type { CellKey, Sample } from './figures'
import { load, type Load, type Loaded, type Request } from './load'
import type { Options } from './options'
import { buyerIds, firstProductOf, lastProductOf, productId, seedProducts, type Mode } from './seed'

export type Bench = {
  options: Options
  /** Of all starts: the same tables, key and secrets. */
  dataDir: string
  wrk: string
  pgbench: string
  /** Which way of writing pgbench is faster at. */
  form: Record<Mode, Form>
  say: (line: string) => void
  record: (key: CellKey, sample: Sample) => void
  /** For whoever interrupts it: what has to be stopped. */
  running: Set<Stack>
  interrupted: AbortSignal
}
export type Placement = 'batching' | 'plain'

/** Tokens live for 15 minutes, and are made anew long before that. */
const TOKENS_KEPT_MS = 300_000

/** The shop on the scratch data, without limits, warmed up, and what is done with it. */
export async function openShop(
  bench: Bench,
  {
    placement = 'batching',
    beside,
    ...wanted
  }: Pick<StackOptions, 'ordersProcesses' | 'entry'> & {
    placement?: Placement
    /** A shop that is open, and stays so: this one shares its database, as a replica of every process. */
    beside?: { stack: Stack }
  } = {},
) {
  const { options, dataDir, record, say } = bench
  const stack = await startStack({
    dataDir: beside ? folderBeside(dataDir) : dataDir,
    ports: 'free',
    signal: bench.interrupted,
    env: {
      DATABASE_URL: beside?.stack.ownerUrl ?? '', // never the user's data
      DATABASE_URL_FILE: '',
      DEMO_DATA: '0',
      RATE_LIMIT_RPS: '0',
      LOGIN_RATE_LIMIT_RPM: '0',
      LOG_LEVEL: options.logLevel,
      ORDER_PLACEMENT: placement,
    },
    ...wanted,
  })
  bench.running.add(stack)
  const owner = new pg.Pool({ connectionString: stack.ownerUrl, max: 2 })
  owner.on('error', () => undefined)

  const { issue } = accessTokens({
    privateKey: createPrivateKey(readFileSync(join(dataDir, 'jwt-private.pem'))),
    issuer: 'shop-users',
    audience: 'shop',
  })
  const token = (id: string) => issue({ id, role: 'BUYER' })
  let buyers: { tokens: string[]; made: number } | undefined
  function buyerTokens(): string[] {
    if (!buyers || Date.now() - buyers.made > TOKENS_KEPT_MS)
      buyers = { tokens: buyerIds().map(token), made: Date.now() }
    return buyers.tokens
  }

  /** One unit each of a product drawn from the mode's, by all buyers in turn. */
  function ordersOf(mode: Mode): Request[] {
    const tokens = buyerTokens()
    const [first, last] = [firstProductOf(mode), lastProductOf(mode)]
    return Array.from({ length: 3_000 }, (_, i) =>
      order(tokens[i % tokens.length] ?? '', productId(first + Math.floor(Math.random() * (last - first + 1)))),
    )
  }
  const order = (by: string, id: string): Request => ({
    method: 'POST',
    path: '/orders',
    token: by,
    body: { items: [{ productId: id, quantity: 1 }] },
  })

  async function orders(): Promise<number> {
    const { rows } = await owner.query<{ count: number }>('select count(*)::int as count from orders.orders')
    return rows[0]?.count ?? NaN
  }

  /** wrk leaves with requests under way; their orders are still placed. */
  async function quiet(): Promise<void> {
    const busy = `select 1 from pg_stat_activity where application_name = 'orders' and state <> 'idle'`
    for (let calm = 0; calm < 3; await sleep(50)) calm = (await owner.query(busy)).rowCount === 0 ? calm + 1 : 0
  }

  async function checkBooks(what: string): Promise<void> {
    await quiet()
    const unbalanced = await unbalancedProducts(owner)
    if (unbalanced.length > 0)
      throw new Error(`after ${what} the books do not balance: ${JSON.stringify(unbalanced.slice(0, 5))}`)
  }

  async function run(
    wanted: Omit<Load, 'url' | 'seconds'> & { url?: string },
  ): Promise<{ loaded: Loaded; sample: Sample }> {
    const before = cpuOf(stack.pids())
    const loaded = await load(bench.wrk, dataDir, { url: stack.url, seconds: options.seconds, ...wanted })
    const { perSecond, p50Ms, p99Ms, answers, broken } = loaded
    const cpu = cpuPerAnswer(before, cpuOf(stack.pids()), answers)
    return { loaded, sample: { perSecond, p50Ms, p99Ms, others: broken, ...(cpu && { cpu }) } }
  }

  /** Places orders for one cell, compares what the clients saw with what the database has, and records it. */
  async function place(mode: Mode, key: CellKey, { keyed = false, books = true } = {}): Promise<void> {
    const before = await orders()
    const { loaded, sample } = await run({ requests: ordersOf(mode), connections: key.connections, keyed })
    await quiet()
    const confirmed = loaded.answers - loaded.refused
    const made = (await orders()) - before
    if (made < confirmed || made > confirmed + key.connections + loaded.refused + loaded.broken)
      throw new Error(`${confirmed} orders were confirmed, and the database has ${made}`)
    const seconds = loaded.answers / loaded.perSecond
    record(key, { ...sample, perSecond: confirmed / seconds, others: loaded.refused + loaded.broken })
    if (books) await checkBooks(`${key.subject} ${mode} at ${key.connections}`)
  }

  async function pgbench(mode: Mode, key: CellKey, { keyed = false, books = true } = {}): Promise<void> {
    const wanted = { mode, form: bench.form[mode], keyed, clients: key.connections, seconds: options.seconds }
    const { perSecond } = await runBaseline(bench.pgbench, dataDir, stack.ownerUrl, wanted)
    record(key, { perSecond })
    if (books) await checkBooks(`pgbench ${mode} at ${key.connections}`)
  }

  /** The faster way of writing the same is the harder one to beat. */
  async function chooseForms(): Promise<void> {
    for (const mode of ['hot', 'spread'] as const) {
      const rates: { form: Form; perSecond: number }[] = []
      for (const form of FORMS) {
        const wanted = { mode, form, clients: 64, seconds: Math.min(options.seconds, 4) }
        rates.push({ form, ...(await runBaseline(bench.pgbench, dataDir, stack.ownerUrl, wanted)) })
      }
      const best = rates.reduce((a, b) => (b.perSecond > a.perSecond ? b : a))
      bench.form[mode] = best.form
      say(`  pgbench, ${mode}: ${rates.map(({ form, perSecond }) => `${form} ${Math.round(perSecond)}/s`).join(', ')}`)
    }
    await checkBooks('pgbench')
  }

  const warmUp = async () => {
    const seconds = Math.min(options.seconds, 3)
    for (const mode of ['hot', 'spread'] as const)
      await load(bench.wrk, dataDir, { url: stack.url, requests: ordersOf(mode), connections: 16, seconds })
    await quiet()
  }

  async function close(): Promise<void> {
    await owner.end()
    await stack.stop()
    bench.running.delete(stack)
  }

  try {
    if ((await owner.query('select 1 from products.products limit 1')).rowCount === 0) await seedProducts(owner)
    await warmUp()
  } catch (error) {
    await close()
    throw error
  }
  return {
    stack,
    owner,
    token,
    buyerTokens,
    order,
    orders,
    ordersOf,
    run,
    warmUp,
    place,
    pgbench,
    chooseForms,
    checkBooks,
    close,
  }
}
export type Shop = Awaited<ReturnType<typeof openShop>>

/** A folder for a second stack with the same key and passwords. */
function folderBeside(dataDir: string): string {
  const folder = join(dataDir, 'beside')
  mkdirSync(folder, { recursive: true })
  for (const file of ['secrets.json', 'jwt-private.pem']) copyFileSync(join(dataDir, file), join(folder, file))
  return folder
}

/** Runs `work` on a started shop, which is stopped whatever happens. */
export async function within(
  bench: Bench,
  wanted: Parameters<typeof openShop>[1],
  work: (shop: Shop) => Promise<void>,
) {
  const shop = await openShop(bench, wanted)
  try {
    await work(shop)
  } finally {
    await shop.close()
  }
}
