import { setTimeout as sleep } from 'node:timers/promises'
import { startShop, until, type Party, type Shop } from '../support/system'

const CARD = { cardNumber: '4242424242424242', expMonth: 12, expYear: 2099, cvc: '123' }
const AS_JSON = { 'content-type': 'application/json' }

let shop: Shop
let gateway: string
let seller: Party
let buyer: Party
beforeAll(async () => {
  shop = await startShop()
  gateway = shop.stack.urls['gateway'] ?? ''
  seller = await shop.join('SELLER')
  buyer = await shop.join('BUYER')
}, 120_000)
afterAll(() => shop.stop())

type Booked = { paymentId: string; reference: string; status: string; amountCents: number; refunded: boolean }
const booksOf = async (orderId: string): Promise<Booked[]> => {
  const answer = await fetch(`${gateway}/charges?reference=${orderId}`)
  return ((await answer.json()) as { items: Booked[] }).items
}
const charged = async (orderId: string) => (await booksOf(orderId)).filter(({ status }) => status === 'SUCCEEDED')
const faults = (switches: object) =>
  fetch(`${gateway}/faults`, { method: 'POST', headers: AS_JSON, body: JSON.stringify(switches) })

async function anOrder() {
  const product = await shop.list(seller, 10)
  const placed = await shop.order(buyer, [[product, 1]])
  const id = placed.body.id as string
  return {
    id,
    pay: (headers = {}) => shop.call('POST', `/orders/${id}/payment`, { token: buyer.token, body: CARD, headers }),
    cancel: () => shop.call('POST', `/orders/${id}/cancel`, { token: buyer.token }),
    read: async () => (await shop.call('GET', `/orders/${id}`, { token: buyer.token })).body,
    available: () => shop.available(product),
  }
}

const settled = ({ paymentStatus }: { paymentStatus: string }) =>
  paymentStatus !== 'PENDING' && paymentStatus !== 'REFUND_PENDING'

/**
 * Ends the gateway as a crash would, and returns when what supervises the shop has started it again. Should it come back before
 * `meanwhile` is over, it crashes again.
 */
async function crashGateway(meanwhile = () => Promise.resolve()) {
  let crashed: number | undefined
  const next = () => {
    const { gateway: pid } = shop.stack.pids()
    return pid === crashed ? undefined : pid
  }
  const crash = () => {
    crashed = next() ?? crashed
    shop.stack.kill('gateway', 'SIGKILL')
  }
  crash()
  let isOver = false
  const keepAway = async () => {
    for (; !isOver; await sleep(5)) if (next() !== undefined) crash()
  }
  await Promise.all([meanwhile().finally(() => (isOver = true)), keepAway()])
  await until(
    async () => {
      const up = () => fetch(`${gateway}/livez`).then(({ ok }) => ok)
      return next() !== undefined && (await up().catch(() => false))
    },
    (up) => up,
  )
}

test('fifty payments of one order at once are one charge in the gateway’s own books', async () => {
  const order = await anOrder()
  const answers = await Promise.all(Array.from({ length: 50 }, () => order.pay()))
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
  expect(answers.filter(({ status }) => status === 409)).toHaveLength(49)
  expect(await booksOf(order.id)).toMatchObject([{ status: 'SUCCEEDED', refunded: false }])
  expect(await order.read()).toMatchObject({ status: 'PAID' })
})

test('a gateway that is away charges nothing, and the next try does', async () => {
  const order = await anOrder()
  await crashGateway(async () => {
    const refused = await order.pay()
    expect([refused.status, refused.body.code]).toEqual([503, 'gateway-unavailable'])
  })
  await until(order.read, settled)
  expect(await charged(order.id)).toEqual([])
  expect((await order.pay()).status).toBe(200)
  expect(await charged(order.id)).toHaveLength(1)
}, 60_000)

test.each([
  ['before it was booked', { holdBefore: true }, 'FAILED', 0],
  ['after it was booked', { holdAfter: true }, 'PAID', 1],
] as const)(
  'a gateway that dies during a charge, %s, and the order agree in the end',
  async (_when, fault, paymentStatus, charges) => {
    const order = await anOrder()
    await faults(fault)
    const key = { 'idempotency-key': `dies-${order.id}` }
    const paying = order.pay(key)
    await until(
      async () => ((await (await fetch(`${gateway}/faults`)).json()) as { held: number }).held,
      (held) => held === 1,
    )
    await crashGateway()
    const lost = await paying
    expect([lost.status, lost.body.code]).toEqual([503, 'gateway-unavailable'])
    expect((await order.pay(key)).body.code).toBe('request-in-progress')
    expect(await until(order.read, settled)).toMatchObject({ paymentStatus })
    expect(await charged(order.id)).toHaveLength(charges)
    const repeated = await order.pay(key)
    expect(repeated.status).toBe(200)
    expect(repeated.headers['idempotency-replayed']).toBe(charges === 1 ? 'true' : undefined)
    expect(await charged(order.id)).toHaveLength(1)
  },
  60_000,
)

test('orders that dies while its charge is under way finds out what came of it', async () => {
  const order = await anOrder()
  await faults({ holdAfter: true })
  const key = { 'idempotency-key': `dies-${order.id}` }
  const paying = order.pay(key)
  await until(
    () => charged(order.id),
    ({ length }) => length === 1,
  )
  shop.stack.kill('orders', 'SIGKILL')
  expect((await paying).status).toBeGreaterThanOrEqual(500)
  await faults({})
  expect(
    await until(
      async () => (await order.read()) ?? {},
      ({ status }) => status === 'PAID',
    ),
  ).toMatchObject({
    paymentStatus: 'PAID',
  })
  const repeated = await order.pay(key)
  expect([repeated.status, repeated.headers['idempotency-replayed']]).toEqual([200, 'true'])
  expect(await charged(order.id)).toHaveLength(1)
}, 60_000)

test('a refund that finds the gateway away is given when it is back, once', async () => {
  const order = await anOrder()
  expect((await order.pay()).status).toBe(200)
  await faults({ calls: ['refund'], dropAfterNext: 1 })
  const cancelled = await order.cancel()
  expect([cancelled.status, cancelled.body.status]).toEqual([200, 'CANCELLED'])
  await crashGateway()
  expect(await until(order.read, settled)).toMatchObject({ status: 'CANCELLED', paymentStatus: 'REFUNDED' })
  expect(await booksOf(order.id)).toMatchObject([{ status: 'SUCCEEDED', refunded: true }])
  expect(await order.available()).toBe(10)
}, 60_000)
