import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { unbalancedProducts } from '../support/books'
import { startShop, type Party, type Shop } from '../support/system'

let shop: Shop
let seller: Party
let buyers: Party[]

beforeAll(async () => {
  shop = await startShop()
  seller = await shop.join('SELLER')
  buyers = await shop.joinMany('BUYER', 12)
}, 120_000)
afterAll(() => shop.stop())

type Attempt = { key: string; buyer: Party; productId: string; outcome: 'ok' | 'refused' | 'unknown'; orderId?: string }

/**
 * One order; a 5xx leaves its outcome open, and is waited after as a client would, instead of hammering a service that restarts: each
 * call that is only told so has to be repeated in the end. No connection is lost: Nginx stays up, whoever is killed behind it.
 */
async function attempt(buyer: Party, productId: string, key: string): Promise<Attempt> {
  const answer = await shop.order(buyer, [[productId, 1]], { 'idempotency-key': key })
  if (answer.status === 201) return { key, buyer, productId, outcome: 'ok', orderId: answer.body.id as string }
  if (answer.status < 500 && answer.body.code !== 'request-in-progress')
    return { key, buyer, productId, outcome: 'refused' }
  await sleep(100)
  return { key, buyer, productId, outcome: 'unknown' }
}

/** Every buyer orders again and again until told to stop. */
function load(productIds: string[]) {
  const attempts: Attempt[] = []
  let running = true
  const clients = buyers.map(async (buyer, n) => {
    for (let turn = n; running; turn++) {
      attempts.push(await attempt(buyer, productIds[turn % productIds.length] as string, randomUUID()))
    }
  })
  const acknowledged = () => attempts.filter(({ outcome }) => outcome === 'ok').length
  return {
    acknowledged,
    until: async (condition: () => boolean) => {
      const deadline = Date.now() + 20_000
      while (!condition()) {
        if (Date.now() > deadline) throw new Error(`no progress: ${acknowledged()} orders`)
        await sleep(10)
      }
    },
    stop: async () => {
      running = false
      await Promise.all(clients)
      return attempts
    },
  }
}

/**
 * Repeats every open call with its key until it is decided, each buyer one call after another: on a slow machine there are thousands,
 * and all of them at once are more connections than Nginx has. How long all of them take is the machine's; each has a time of its own.
 */
async function decided(attempts: Attempt[]): Promise<Attempt[]> {
  const perBuyer = buyers.map(async (buyer) => {
    const settled: Attempt[] = []
    for (let now of attempts.filter((made) => made.buyer === buyer)) {
      const deadline = Date.now() + 20_000
      while (now.outcome === 'unknown' && Date.now() < deadline) now = await attempt(buyer, now.productId, now.key)
      settled.push(now)
    }
    return settled
  })
  return (await Promise.all(perBuyer)).flat()
}

async function ordersOf(buyer: Party): Promise<string[]> {
  const ids: string[] = []
  let cursor: string | null = null
  do {
    const page = await shop.call('GET', `/orders?limit=100${cursor === null ? '' : `&cursor=${cursor}`}`, {
      token: buyer.token,
    })
    ids.push(...(page.body.items as { id: string }[]).map(({ id }) => id))
    cursor = page.body.nextCursor as string | null
  } while (cursor !== null)
  return ids
}

test.each([
  ['orders', 5],
  ['postgres', 3],
])(
  'kill -9 of %s under load: every acknowledged order is there, none twice, and the books balance',
  async (victim, times) => {
    const productIds = await Promise.all([1000, 1000, 40].map((stock) => shop.list(seller, stock)))
    const before = new Map(await Promise.all(buyers.map(async (buyer) => [buyer.id, await ordersOf(buyer)] as const)))
    const traffic = load(productIds)
    const recoveries: number[] = []
    for (let n = 0; n < times; n++) {
      const enough = traffic.acknowledged() + 20
      await traffic.until(() => traffic.acknowledged() >= enough)
      shop.stack.kill(victim, 'SIGKILL')
      const killed = Date.now()
      const recovered = traffic.acknowledged() + buyers.length + 1 // more than could have been on their way
      await traffic.until(() => traffic.acknowledged() >= recovered)
      recoveries.push(Date.now() - killed)
    }
    const attempts = await decided(await traffic.stop())

    expect(attempts.filter(({ outcome }) => outcome === 'unknown')).toEqual([])
    for (const buyer of buyers) {
      const acknowledged = attempts.flatMap((made) => (made.buyer === buyer && made.orderId ? [made.orderId] : []))
      const stored = (await ordersOf(buyer)).filter((id) => !before.get(buyer.id)?.includes(id))
      expect(stored.sort()).toEqual(acknowledged.sort()) // one order a key, and none that nobody was told of
    }
    expect(await unbalancedProducts(shop.owner)).toEqual([])
    expect(Math.max(...recoveries)).toBeLessThan(10_000)
  },
  120_000,
)

test('with users down, tokens are still verified and orders placed; with products down, too', async () => {
  const productId = await shop.list(seller, 10)
  shop.stack.kill('users', 'SIGKILL')
  expect((await shop.order(buyers[0] as Party, [[productId, 1]])).status).toBe(201)
  shop.stack.kill('products', 'SIGKILL')
  expect((await shop.order(buyers[0] as Party, [[productId, 1]])).status).toBe(201)
})
