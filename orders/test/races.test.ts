import { randomUUID } from 'node:crypto'
import { raceThroughGate } from '../../tests/support/gate'
import { postgresOrderStore } from '../src/adapters/postgres/order-store'
import { aCaller, counted, deadlocks, startOrders, statuses, type Service } from './app'

let shop: Service
beforeAll(async () => {
  shop = await startOrders({ connections: 40, store: postgresOrderStore })
})
afterAll(() => shop.stop())

const gate = (productId: string) => ({
  text: 'select 1 from products.inventory where product_id = $1 for update',
  values: [productId],
})

test('two buyers race for the last unit and exactly one gets it', async () => {
  const { id } = await shop.addProduct({ available: 1 })
  const buyers = [aCaller(shop.calls), aCaller(shop.calls)]
  const race = await raceThroughGate(
    shop.owner,
    gate(id),
    buyers.map((buyer) => async () => buyer.order([[id, 1]])),
  )
  expect(statuses(race).sort()).toEqual(['201', '409'])
  expect(await shop.available(id)).toBe(0)
})

test('thirty buyers race for seven units and exactly seven get one', async () => {
  const { id } = await shop.addProduct({ available: 7 })
  const buyers = Array.from({ length: 30 }, () => aCaller(shop.calls))
  const race = await raceThroughGate(
    shop.owner,
    gate(id),
    buyers.map((buyer) => async () => buyer.order([[id, 1]])),
  )
  expect(counted(statuses(race))).toEqual({ 201: 7, 409: 23 })
  expect(await shop.available(id)).toBe(0)
})

test('crossed orders and cancels of two products meet no deadlock', async () => {
  const [a, b] = await Promise.all([shop.addProduct({ available: 100 }), shop.addProduct({ available: 100 })])
  const buyer = aCaller(shop.calls)
  const lines: [string, number][][] = [
    [
      [a.id, 1],
      [b.id, 1],
    ],
    [
      [b.id, 1],
      [a.id, 1],
    ],
  ]
  const before = await deadlocks(shop.owner)
  // Whoever locks the other product first stands in front of this gate with it in hand.
  for (const locked of [a.id, b.id]) {
    const placed = await Promise.all(Array.from({ length: 10 }, (_, n) => buyer.order(lines[n % 2] ?? [])))
    const callers = placed.flatMap((order, n) => [
      async () => buyer.order(lines[n % 2] ?? []),
      async () => buyer.order(lines[(n + 1) % 2] ?? []),
      async () => buyer.post(`/orders/${order.body.id}/cancel`),
    ])
    const race = await raceThroughGate(shop.owner, gate(locked), callers)
    expect(counted(statuses(race))).toEqual({ 200: 10, 201: 20 })
  }
  expect(await deadlocks(shop.owner)).toBe(before)
})

test('an order that is cancelled by ten calls at once gives its stock back once', async () => {
  const { id } = await shop.addProduct({ available: 5 })
  const buyer = aCaller(shop.calls)
  const { body } = await buyer.order([[id, 3]])
  const race = await raceThroughGate(
    shop.owner,
    { text: 'select 1 from orders.orders where id = $1 for update', values: [body.id] },
    Array.from({ length: 10 }, () => async () => buyer.post(`/orders/${body.id}/cancel`)),
  )
  expect(counted(statuses(race))).toEqual({ 200: 10 })
  expect(await shop.available(id)).toBe(5)
  expect((await shop.movements(id)).map(({ delta }) => delta)).toEqual([-3, 3])
})

test('one key in twenty calls at once has one effect; the others are told to wait or get the same answer', async () => {
  const { id } = await shop.addProduct({ available: 50 })
  const buyer = aCaller(shop.calls)
  const key = { 'idempotency-key': randomUUID() }
  const race = await raceThroughGate(
    shop.owner,
    gate(id),
    Array.from({ length: 20 }, () => async () => buyer.order([[id, 1]], key)),
    1,
  )
  expect(Object.keys(counted(statuses(race))).every((status) => status === '201' || status === '409')).toBe(true)
  const answers = race.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  expect(new Set(answers.filter(({ status }) => status === 201).map(({ text }) => text)).size).toBe(1)
  for (const refused of answers.filter(({ status }) => status === 409)) {
    expect([refused.body.code, refused.headers['retry-after']]).toEqual(['request-in-progress', '1'])
  }
  expect(await shop.available(id)).toBe(49)
  expect((await buyer.order([[id, 1]], key)).headers['idempotency-replayed']).toBe('true')
})

test('orders that have to wait too long for a locked product are told so, and others are served', async () => {
  const [locked, free] = await Promise.all([shop.addProduct({ available: 5 }), shop.addProduct({ available: 5 })])
  const holder = await shop.owner.connect()
  await holder.query('begin')
  await holder.query(gate(locked.id).text, gate(locked.id).values)
  const waiting = aCaller(shop.calls)
    .order([[locked.id, 1]])
    .then((response) => response)
  expect((await aCaller(shop.calls).order([[free.id, 1]])).status).toBe(201)
  const refused = await waiting
  await holder.query('rollback')
  holder.release()
  expect([refused.status, refused.body.code, refused.headers['retry-after']]).toEqual([
    503,
    'database-unavailable',
    '1',
  ])
  expect(await shop.available(locked.id)).toBe(5)
})
