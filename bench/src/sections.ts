import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../../scripts/src/terminal'
import { selfTimes } from './profile'
import { startPrismaList } from './prisma'
import { addHistory, addScarceProduct, firstProductOf, productId, readerIds, type Mode } from './seed'
import { within, type Bench, type Placement, type Shop } from './shop'

/** pgbench has a session of its own for each client, and Postgres's default leaves room for not many more. */
const MOST_SESSIONS = 64
const UNITS = 1_000

const MODES = ['hot', 'spread'] as const

export const calibrate = (bench: Bench) => within(bench, {}, (shop) => shop.chooseForms())

/** Batching, plain and pgbench, in turns. */
export async function placing(bench: Bench, modes: readonly Mode[]): Promise<void> {
  const { options } = bench
  for (let round = 0; round < options.rounds; round++) {
    for (const placement of ['batching', 'plain'] as const satisfies Placement[]) {
      await within(bench, { placement }, async (shop) => {
        for (const mode of modes) {
          for (const connections of options.connections) {
            const key = { section: 'placing', mode, connections }
            await shop.place(mode, { ...key, subject: placement })
            if (placement === 'batching' && connections <= MOST_SESSIONS)
              await shop.pgbench(mode, { ...key, subject: 'pgbench' })
          }
        }
      })
    }
  }
}

/** Every order with an Idempotency-Key, kept with its answer; pgbench writes the same row. */
export const withKeys = (bench: Bench) =>
  within(bench, {}, async (shop) => {
    for (let round = 0; round < bench.options.rounds; round++) {
      for (const mode of MODES) {
        const key = { section: 'keys', mode, connections: 64 }
        await shop.place(mode, { ...key, subject: 'batching' }, { keyed: true })
        await shop.pgbench(mode, { ...key, subject: 'pgbench' }, { keyed: true })
      }
    }
  })

/** A product of which little is left: exactly that many get it, and then all lose, as fast as others win. */
export async function soldOut(bench: Bench): Promise<void> {
  for (const subject of ['batching', 'plain'] as const satisfies Placement[]) {
    await within(bench, { placement: subject }, async (shop) => {
      for (let round = 0; round < bench.options.rounds; round++) {
        const id = await addScarceProduct(shop.owner, UNITS)
        const requests = shop.buyerTokens().map((token) => shop.order(token, id))
        const before = await shop.orders()
        while ((await available(shop, id)) > 0) await shop.run({ requests, connections: 64 })
        await shop.checkBooks(`${subject} selling out`)
        const sold = (await shop.orders()) - before
        if (sold !== UNITS) throw new Error(`of ${UNITS} units ${sold} were sold`)

        await expectSoldOut(shop, id)
        const { loaded, sample } = await shop.run({ requests, connections: 64 })
        if (loaded.refused !== loaded.answers) throw new Error('an order of a sold-out product was not refused')
        await expectSoldOut(shop, id)
        bench.record({ section: 'sold-out', subject, mode: 'refused', connections: 64 }, sample)
        await shop.place('hot', { section: 'sold-out', subject, mode: 'placed', connections: 64 })
      }
    })
  }
}

async function available(shop: Shop, id: string): Promise<number> {
  const { rows } = await shop.owner.query<{ available: number }>(
    'select available from products.inventory where product_id = $1',
    [id],
  )
  return rows[0]?.available ?? NaN
}

async function expectSoldOut(shop: Shop, id: string): Promise<void> {
  const { method, path, token = '', body } = shop.order(shop.buyerTokens()[0] ?? '', id)
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const answer = await fetch(shop.stack.url + path, { method, headers, body: JSON.stringify(body) })
  const text = await answer.text()
  if (answer.status !== 409 || !text.includes('"insufficient-stock"')) throw new Error(`not sold out: ${text}`)
}

/** Pages of the catalogue: from Nginx's cache, past it, from the service itself, and the list as Prisma would make it. */
export const reads = (bench: Bench) =>
  within(bench, {}, async (shop) => {
    const prisma = await startPrismaList(shop.stack)
    const pages = { product: `/products/${productId(firstProductOf('hot'))}`, list: '/products' }
    const token = shop.buyerTokens()[0] ?? ''
    const get = async (
      subject: string,
      mode: string,
      path: string,
      to: { url?: string; token?: string; status?: number } = {},
    ) => {
      const { url = shop.stack.url, status = 200 } = to
      const request = { method: 'GET' as const, path, ...(to.token && { token: to.token }) }
      const headers = to.token ? { authorization: `Bearer ${to.token}` } : undefined
      const answer = await fetch(url + path, headers && { headers })
      if (answer.status !== status) throw new Error(`${path} answered ${answer.status}`)
      const { loaded, sample } = await shop.run({ url, requests: [request], connections: 64 })
      const others = loaded.broken + (status < 400 ? loaded.refused : loaded.answers - loaded.refused)
      bench.record({ section: 'reads', subject, mode, connections: 64 }, { ...sample, others })
    }
    for (let round = 0; round < bench.options.rounds; round++) {
      // What Nginx alone does: a problem of its own, as long as a small page.
      await get('constant', 'answer', '/livez', { status: 404 })
      for (const [mode, path] of Object.entries(pages)) {
        await get('cached', mode, path)
        await get('uncached', mode, path, { token })
        await get('service', mode, path, { url: shop.stack.urls.products ?? '' })
      }
      await get('prisma', 'list', '/products', { url: prisma })
    }
  })

/** One database, two processes that take orders. */
export const twoProcesses = (bench: Bench) =>
  within(bench, { ordersProcesses: 2 }, async (shop) => {
    for (let round = 0; round < bench.options.rounds; round++) {
      for (const mode of MODES)
        await shop.place(mode, { section: 'two-processes', subject: 'batching', mode, connections: 64 })
    }
  })

/** The same work on a young shop and on an old one. */
export const growth = (bench: Bench) =>
  within(bench, {}, async (shop) => {
    const { small, large } = bench.options.growth
    let from = 0
    for (const [size, to] of [
      ['small', small],
      ['large', large],
    ] as const) {
      bench.say(`  ${to.toLocaleString('en')} orders of the past`)
      const begun = performance.now()
      await addHistory(shop.owner, { from, to, say: bench.say })
      bench.say(`    made in ${Math.round((performance.now() - begun) / 1000)} s`)
      from = to
      await shop.warmUp() // it has stood idle since
      for (let round = 0; round < bench.options.rounds; round++) await grown(bench, shop, size)
      await shop.checkBooks(`growth to ${to}`)
    }
  })

async function grown(bench: Bench, shop: Shop, size: string): Promise<void> {
  for (const mode of MODES) {
    await shop.place(mode, { section: 'growth', subject: size, mode, connections: 64 }, { books: false })
    await shop.pgbench(
      mode,
      { section: 'growth', subject: `pgbench, ${size}`, mode, connections: 64 },
      { books: false },
    )
  }
  const tokens = readerIds(100).map(shop.token)
  const list = (path: (i: number) => string) =>
    tokens.map((token, i) => ({ method: 'GET' as const, path: path(i), token }))
  const next = await Promise.all(tokens.map((token) => cursorOf(shop, token)))
  const pages = {
    'orders, first page': list(() => '/orders'),
    'orders, next page': list((i) => `/orders?cursor=${encodeURIComponent(next[i] ?? '')}`),
    'products, first page': list(() => '/products'),
  }
  for (const [mode, requests] of Object.entries(pages)) {
    const { loaded, sample } = await shop.run({ requests, connections: 1 })
    bench.record(
      { section: 'growth', subject: size, mode, connections: 1 },
      { ...sample, others: loaded.refused + loaded.broken },
    )
  }
}

async function cursorOf(shop: Shop, token: string): Promise<string> {
  const answer = await fetch(`${shop.stack.url}/orders`, { headers: { authorization: `Bearer ${token}` } })
  const { nextCursor } = (await answer.json()) as { nextCursor: string | null }
  if (nextCursor === null) throw new Error('a reader of the past has only one page of orders')
  return nextCursor
}

/** Where the orders process spends its time while everybody buys one product. */
export async function profile(bench: Bench): Promise<void> {
  const folder = join(bench.dataDir, 'profiles')
  const main = (service: string) => join(ROOT, service, 'dist', 'main.js')
  const entry = (service: string) =>
    service === 'orders' ? ['--cpu-prof', `--cpu-prof-dir=${folder}`, main(service)] : [main(service)]
  await within(bench, { entry }, (shop) =>
    shop.place('hot', { section: 'profile', subject: 'batching', mode: 'hot', connections: 64 }),
  )
  const file = readdirSync(folder).find((name) => name.endsWith('.cpuprofile'))
  if (!file) throw new Error('the orders process left no profile')
  for (const line of selfTimes(readFileSync(join(folder, file), 'utf8'), ROOT, 40)) bench.say(line)
}
