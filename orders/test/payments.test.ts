import { uuidv7 } from 'uuidv7'
import { DatabaseOutage, SQLSTATE } from '@shop/platform/postgres'
import { raceThroughGate, untilQueued } from '../../tests/support/gate'
import { memoryPaymentGateway, type MemoryPayment } from '../src/adapters/memory/payment-gateway'
import type { ChargeOutcome, PaymentGateway } from '../src/application/ports'
import { aCaller, startOrders, type Service } from './app'

const CARD = { cardNumber: '4242 4242 4242 4242', expMonth: 12, expYear: 2099, cvc: '123' }
const DECLINED = { ...CARD, cardNumber: '4000000000000002' }
const FAILS_AT_FIRST = { ...CARD, cardNumber: '4000 0000 0000 0119' }
const CARD_DIGITS = /4242 ?4242|4000 ?0000/

const REFUSED = new Error('the payment gateway refused to settle')

/** The in-memory gateway, whose answers a test can hold back or lose. */
function aGateway() {
  const books = new Map<string, MemoryPayment>()
  const gateway = memoryPaymentGateway(books)
  let away = false
  const refused = new Set<string>()
  let before = (): Promise<void> => Promise.resolve()
  let after = (outcome: ChargeOutcome): Promise<ChargeOutcome> => Promise.resolve(outcome)
  const port: PaymentGateway = {
    charge: async (request) => {
      await before()
      return away ? { outcome: 'UNAVAILABLE' } : after(await gateway.charge(request))
    },
    settle: (paymentId) => {
      if (refused.has(books.get(paymentId)?.charge?.reference ?? '')) return Promise.reject(REFUSED)
      return away ? Promise.resolve('UNKNOWN') : gateway.settle(paymentId)
    },
    refund: (paymentId) => (away ? Promise.resolve('UNKNOWN') : gateway.refund(paymentId)),
  }
  return {
    port,
    of: (orderId: string) => [...books.values()].filter(({ charge }) => charge?.reference === orderId),
    goAway: (is = true) => void (away = is),
    /** From now on nothing is settled for these orders. */
    refuse: (...orderIds: string[]) => {
      refused.clear()
      for (const id of orderIds) refused.add(id)
    },
    loseAnswers: (lost = true) => void (after = (outcome) => Promise.resolve(lost ? { outcome: 'UNKNOWN' } : outcome)),
    /** The next charges wait until `go`; `reached` resolves when one does. */
    hold: () => {
      let go = () => {}
      let arrived = () => {}
      const gate = new Promise<void>((resolve) => (go = resolve))
      const reached = new Promise<void>((resolve) => (arrived = resolve))
      before = () => {
        arrived()
        return gate
      }
      return { reached, go: () => ((before = () => Promise.resolve()), go()) }
    },
  }
}

let service: Service
let gateway: ReturnType<typeof aGateway>
let time: Date
let now: () => Date
const inMinutes = (minutes: number) => void (time = new Date(Date.now() + minutes * 60_000))
beforeAll(async () => {
  gateway = aGateway()
  service = await startOrders({ gateway: gateway.port, now: () => now(), holdMinutes: 30 })
})
beforeEach(() => {
  inMinutes(0)
  now = () => time
  gateway.goAway(false)
  gateway.loseAnswers(false)
})
afterAll(() => service.stop())

async function anOrder({ available = 5, quantity = 2, priceCents = 1250 } = {}) {
  const buyer = aCaller(service.calls)
  const product = await service.addProduct({ available, priceCents })
  const { body } = await buyer.order([[product.id, quantity]]).expect(201)
  const id = body.id as string
  return {
    id,
    buyer,
    product,
    pay: (card: object = CARD, headers?: Record<string, string>) => buyer.post(`/orders/${id}/payment`, card, headers),
    read: async () => (await buyer.get(`/orders/${id}`).expect(200)).body,
    cancel: () => buyer.post(`/orders/${id}/cancel`),
    available: () => service.available(product.id),
  }
}

describe('paying', () => {
  test('charges the total once, and the order is paid', async () => {
    const order = await anOrder()
    const neighbour = await anOrder()
    const paid = await order.pay().expect(200)
    expect(paid.body).toMatchObject({
      id: order.id,
      status: 'PAID',
      paymentStatus: 'PAID',
      totalCents: 2500,
      holdUntil: null,
    })
    expect(await order.read()).toEqual(paid.body)
    expect(gateway.of(order.id)).toEqual([
      {
        charge: { reference: order.id, amountCents: 2500, currency: 'USD', last4: '4242' },
        status: 'SUCCEEDED',
        refunds: 0,
      },
    ])
    expect(await neighbour.read()).toMatchObject({ status: 'PLACED', paymentStatus: 'UNPAID' })
    expect(gateway.of(neighbour.id)).toEqual([])
  })

  test('fifty calls at once are one charge', async () => {
    const order = await anOrder()
    const answers = await Promise.all(Array.from({ length: 50 }, () => order.pay()))
    const won = answers.filter(({ status }) => status === 200)
    expect(won).toHaveLength(1)
    for (const { status, body } of answers.filter((answer) => !won.includes(answer))) {
      expect(status).toBe(409)
      expect(['payment-in-progress', 'order-already-paid']).toContain(body.code)
    }
    expect(gateway.of(order.id)).toMatchObject([{ status: 'SUCCEEDED' }])
    expect(await order.read()).toMatchObject({ status: 'PAID' })
  })

  test('fifty calls at once with one key are one charge and one answer', async () => {
    const order = await anOrder()
    const answers = await Promise.all(Array.from({ length: 50 }, () => order.pay(CARD, { 'idempotency-key': 'once' })))
    expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(1)
    for (const { status, body } of answers.filter((answer) => answer.status !== 200))
      expect([status, body.code]).toEqual([409, 'request-in-progress'])
    const again = await order.pay(CARD, { 'idempotency-key': 'once' }).expect(200)
    expect(again.headers['idempotency-replayed']).toBe('true')
    for (const { text } of answers.filter((answer) => answer.status === 200)) expect(text).toBe(again.text)
    expect(gateway.of(order.id)).toHaveLength(1)
  })

  test('a declined card charges nothing and may be followed by another one, under the same key', async () => {
    const order = await anOrder()
    const headers = { 'idempotency-key': 'mine' }
    const declined = await order.pay(DECLINED, headers).expect(402)
    expect(declined.body).toMatchObject({ code: 'payment-declined', reason: 'card-declined' })
    expect(await order.read()).toMatchObject({ status: 'PLACED', paymentStatus: 'FAILED' })
    expect((await order.pay(CARD, headers).expect(200)).body).toMatchObject({ status: 'PAID' })
    expect(gateway.of(order.id).map(({ status }) => status)).toEqual(['DECLINED', 'SUCCEEDED'])
  })

  test('a gateway that fails for a moment is 503, and the next try succeeds', async () => {
    const order = await anOrder()
    const failed = await order.pay(FAILS_AT_FIRST).expect(503)
    expect([failed.body.code, failed.headers['retry-after']]).toEqual(['gateway-unavailable', '1'])
    expect(await order.read()).toMatchObject({ status: 'PLACED', paymentStatus: 'FAILED' })
    await order.pay(FAILS_AT_FIRST).expect(200)
  })

  test('a paid order is not paid again, and a cancelled one not at all', async () => {
    const order = await anOrder()
    await order.pay().expect(200)
    expect((await order.pay().expect(409)).body).toMatchObject({ code: 'order-already-paid', orderStatus: 'PAID' })
    const cancelled = await anOrder()
    await cancelled.cancel().expect(200)
    expect((await cancelled.pay().expect(409)).body).toMatchObject({
      code: 'order-not-payable',
      orderStatus: 'CANCELLED',
    })
    expect(gateway.of(cancelled.id)).toEqual([])
  })

  test('an order of somebody else is none', async () => {
    const order = await anOrder()
    const stranger = aCaller(service.calls)
    expect((await stranger.post(`/orders/${order.id}/payment`, CARD).expect(404)).body.code).toBe('order-not-found')
    expect(gateway.of(order.id)).toEqual([])
  })

  test.each([
    ['a check digit that is wrong', { cardNumber: '4242424242424241' }, 'cardNumber'],
    ['letters in its number', { cardNumber: '4242x42424242424' }, 'cardNumber'],
    ['too few digits', { cardNumber: '42424242' }, 'cardNumber'],
    ['a month that does not exist', { expMonth: 13 }, 'expMonth'],
    ['a year that is over', { expYear: 2020 }, 'expYear'],
    ['a short code', { cvc: '12' }, 'cvc'],
  ])('a card with %s is refused without a word of it', async (_name, wrong, path) => {
    const order = await anOrder()
    const refused = await order.pay({ ...CARD, ...wrong }).expect(422)
    expect(refused.body.errors).toEqual([expect.objectContaining({ in: 'body', path })])
    expect(refused.text).not.toMatch(CARD_DIGITS)
    expect(await order.read()).toMatchObject({ paymentStatus: 'UNPAID' })
  })

  test('nothing of a card is kept but its brand and its last four digits', async () => {
    const order = await anOrder()
    await order.pay(CARD, { 'idempotency-key': 'card' }).expect(200)
    const { rows } = await service.owner.query<{ text: string }>(
      `select p::text as text from orders.payments p where order_id = $1
       union all select k::text from orders.idempotency_keys k where caller_id = $2`,
      [order.id, order.buyer.id],
    )
    expect(rows).toHaveLength(2)
    expect(rows[0]?.text).toContain('visa,4242')
    for (const { text } of rows) expect(text).not.toMatch(CARD_DIGITS)
  })
})

describe('a charge whose answer is lost', () => {
  test('stays pending, for its key and for everybody, until it is known to have succeeded', async () => {
    const order = await anOrder()
    const headers = { 'idempotency-key': 'lost' }
    gateway.loseAnswers()
    expect((await order.pay(CARD, headers).expect(503)).body.code).toBe('gateway-unavailable')
    expect(await order.read()).toMatchObject({ status: 'PLACED', paymentStatus: 'PENDING' })
    expect((await order.pay(CARD, headers).expect(409)).body.code).toBe('request-in-progress')
    expect((await order.pay().expect(409)).body.code).toBe('payment-in-progress')

    await service.settleOpenPayments() // it could still be under way
    expect(await order.read()).toMatchObject({ paymentStatus: 'PENDING' })
    inMinutes(1)
    await service.settleOpenPayments()
    expect(await order.read()).toMatchObject({ status: 'PAID', paymentStatus: 'PAID' })
    const repeated = await order.pay(CARD, headers).expect(200)
    expect(repeated.headers['idempotency-replayed']).toBe('true')
    expect(repeated.body).toEqual(await order.read())
    expect(gateway.of(order.id)).toHaveLength(1)
  })

  test('that never reached the gateway is closed there, and the buyer pays anew', async () => {
    const order = await anOrder()
    const held = gateway.hold()
    const late = order.pay().then((answer) => answer)
    await held.reached
    inMinutes(1)
    await service.settleOpenPayments()
    expect(await order.read()).toMatchObject({ status: 'PLACED', paymentStatus: 'FAILED' })
    held.go()
    expect((await late).body.code).toBe('gateway-unavailable')
    await order.pay().expect(200)
    expect(gateway.of(order.id).map(({ status }) => status)).toEqual(['SUCCEEDED'])
  })

  test('that the database could not keep is not called undone, and is found out about', async () => {
    const order = await anOrder()
    const held = gateway.hold()
    const paying = Promise.resolve(order.pay())
    await held.reached
    const holder = await service.owner.connect()
    await holder.query('begin')
    await holder.query('select from orders.orders where id = $1 for update', [order.id])
    held.go()
    const answer = await paying
    expect([answer.status, answer.body.code]).toEqual([503, 'outcome-unknown'])
    await holder.query('rollback')
    holder.release()
    expect(gateway.of(order.id)).toMatchObject([{ status: 'SUCCEEDED' }])
    inMinutes(1)
    await service.settleOpenPayments()
    expect(await order.read()).toMatchObject({ status: 'PAID', paymentStatus: 'PAID' })
  })

  test('while the gateway is away stays pending', async () => {
    const order = await anOrder()
    gateway.loseAnswers()
    await order.pay().expect(503)
    inMinutes(1)
    gateway.goAway()
    await service.settleOpenPayments()
    expect(await order.read()).toMatchObject({ paymentStatus: 'PENDING' })
    gateway.goAway(false)
    await service.settleOpenPayments()
    expect(await order.read()).toMatchObject({ paymentStatus: 'PAID' })
  })

  test('that the gateway refuses to settle is told, and not even a hundred of them keep the next one from being settled', async () => {
    gateway.loseAnswers()
    const orders = []
    for (let n = 0; n < 102; n++) {
      inMinutes(0)
      const order = await anOrder()
      await order.pay().expect(503)
      orders.push(order)
    }
    const [last, ...refused] = orders.reverse()
    const refusedIds = refused.map(({ id }) => id)
    const settled = async () => ((await last?.read()) as { paymentStatus: string }).paymentStatus
    inMinutes(1)
    gateway.refuse(...refusedIds)
    await service.settleOpenPayments()
    expect(await settled()).toBe('PAID')
    const told = service.leftOver.splice(0)
    expect(told.map(({ orderId }) => orderId).sort()).toEqual(refusedIds.sort())
    expect(new Set(told.map(({ error }) => error))).toEqual(new Set([REFUSED]))
    expect(await refused[0]?.read()).toMatchObject({ paymentStatus: 'PENDING' })
    gateway.refuse()
    await service.settleOpenPayments()
    for (const order of refused) expect(await order.read()).toMatchObject({ paymentStatus: 'PAID' })
  })

  test('waits for the next process when this one is about to stop', async () => {
    const [paid, unknown] = [await anOrder(), await anOrder()]
    await paid.pay().expect(200)
    gateway.loseAnswers()
    await unknown.pay().expect(503)
    gateway.goAway()
    await paid.cancel().expect(200)
    gateway.goAway(false)
    inMinutes(1)
    const sweep = (stopping: { aborted: boolean }) =>
      Promise.all([service.settleOpenPayments(stopping), service.giveOpenRefunds(stopping)])
    await sweep({ aborted: true })
    expect(await unknown.read()).toMatchObject({ paymentStatus: 'PENDING' })
    expect(await paid.read()).toMatchObject({ paymentStatus: 'REFUND_PENDING' })
    await sweep({ aborted: false })
    expect(await unknown.read()).toMatchObject({ paymentStatus: 'PAID' })
    expect(await paid.read()).toMatchObject({ paymentStatus: 'REFUNDED' })
  })
})

describe('cancelling', () => {
  test('a paid order refunds it once and gives the stock back', async () => {
    const order = await anOrder()
    await order.pay().expect(200)
    const cancelled = await order.cancel().expect(200)
    expect(cancelled.body).toMatchObject({ status: 'CANCELLED', paymentStatus: 'REFUNDED' })
    expect((await order.cancel().expect(200)).body).toEqual(cancelled.body)
    expect(gateway.of(order.id)).toMatchObject([{ status: 'SUCCEEDED', refunds: 1 }])
    expect(await order.available()).toBe(5)
  })

  test('while the gateway is away owes the refund, which a sweep gives', async () => {
    const order = await anOrder()
    await order.pay().expect(200)
    gateway.goAway()
    expect((await order.cancel().expect(200)).body).toMatchObject({
      status: 'CANCELLED',
      paymentStatus: 'REFUND_PENDING',
    })
    expect(await order.available()).toBe(5)
    gateway.goAway(false)
    inMinutes(1)
    await service.giveOpenRefunds()
    expect(await order.read()).toMatchObject({ status: 'CANCELLED', paymentStatus: 'REFUNDED' })
    expect(await order.available()).toBe(5)
  })

  test('during a charge wins, and the late charge is refunded', async () => {
    const order = await anOrder()
    const held = gateway.hold()
    const paying = order.pay().then((answer) => answer)
    await held.reached
    expect((await order.cancel().expect(200)).body).toMatchObject({ status: 'CANCELLED', paymentStatus: 'PENDING' })
    held.go()
    const late = await paying
    expect([late.status, late.body.code]).toEqual([409, 'order-not-payable'])
    expect(await order.read()).toMatchObject({ status: 'CANCELLED', paymentStatus: 'REFUNDED' })
    expect(gateway.of(order.id)).toMatchObject([{ status: 'SUCCEEDED', refunds: 1 }])
    expect(await order.available()).toBe(5)
  })
})

describe('a hold', () => {
  test('is shown, and when it is over the order is cancelled and its stock is back, once', async () => {
    const order = await anOrder()
    const paid = await anOrder()
    await paid.pay().expect(200)
    const { createdAt, holdUntil } = await order.read()
    expect(Date.parse(holdUntil as string) - Date.parse(createdAt as string)).toBe(30 * 60_000)

    inMinutes(29)
    await service.expireOrders()
    expect(await order.read()).toMatchObject({ status: 'PLACED' })
    inMinutes(31)
    await Promise.all(Array.from({ length: 5 }, () => service.expireOrders()))
    expect(await order.read()).toMatchObject({ status: 'CANCELLED', paymentStatus: 'UNPAID', holdUntil: null })
    expect(await order.available()).toBe(5)
    expect(await paid.read()).toMatchObject({ status: 'PAID' })
    const { rows } = await service.owner.query(
      `select delta, actor_id from products.stock_movements where order_id = $1 and reason = 'CANCELLED'`,
      [order.id],
    )
    expect(rows).toEqual([{ delta: 2, actor_id: null }])
  })

  test('that ends for an order which can not be cancelled is told, and keeps no other one from being cancelled', async () => {
    inMinutes(-1)
    const stuck = await anOrder()
    inMinutes(0)
    const next = await anOrder()
    const haveInStock = (units: number) =>
      service.owner.query('update products.inventory set available = $2 where product_id = $1', [
        stuck.product.id,
        units,
      ])
    await haveInStock(2 ** 31 - 1) // as much as the column can hold: there is no room for what comes back
    inMinutes(31)
    expect(await service.expireOrders()).toBe(1)
    expect(await next.read()).toMatchObject({ status: 'CANCELLED' })
    expect(await stuck.read()).toMatchObject({ status: 'PLACED' })
    expect(service.leftOver.splice(0)).toMatchObject([
      { orderId: stuck.id, error: { code: SQLSTATE.numericValueOutOfRange } },
    ])
    await haveInStock(3)
    expect(await service.expireOrders()).toBe(1)
    expect(await stuck.read()).toMatchObject({ status: 'CANCELLED' })
    expect(await stuck.available()).toBe(5)
  })

  test('that ends during a charge wins, and the late charge is refunded', async () => {
    const order = await anOrder()
    const held = gateway.hold()
    const paying = order.pay().then((answer) => answer)
    await held.reached
    inMinutes(31)
    await service.expireOrders()
    held.go()
    expect((await paying).body.code).toBe('order-not-payable')
    expect(await order.read()).toMatchObject({ status: 'CANCELLED', paymentStatus: 'REFUNDED' })
    expect(await order.available()).toBe(5)
  })

  test('and a payment that meet, a hundred times, leave one legal outcome and the stock exact', async () => {
    const outcomes = new Set<string>()
    for (let round = 0; round < 100; round++) {
      inMinutes(0)
      const order = await anOrder()
      inMinutes(31)
      const pay = () => order.pay().then(({ status }) => status)
      const expire = () => service.expireOrders()
      // The sweep passes over an order that somebody holds: in its rounds it is held up later, by the stock that it gives back, and
      // the payment comes when the sweep holds the order.
      const raced =
        round % 2 === 0
          ? await raceThroughGate<number>(
              service.owner,
              { text: 'select 1 from orders.orders where id = $1 for update', values: [order.id] },
              [pay, expire],
              1,
              1, // or the sweep might come so late that it meets the order when its payment is under way
            )
          : await raceThroughGate<number>(
              service.owner,
              { text: 'select 1 from products.inventory where product_id = $1 for update', values: [order.product.id] },
              [expire, () => untilQueued(service.owner, 1).then(pay)],
            )
      await service.expireOrders()
      const { status, paymentStatus } = await order.read()
      outcomes.add(`${status} ${paymentStatus}`)
      const [charge] = gateway.of(order.id)
      expect(raced.map((each) => each.status)).toEqual(['fulfilled', 'fulfilled'])
      if (status === 'PAID') expect([await order.available(), charge?.refunds]).toEqual([3, 0])
      else expect([status, await order.available(), charge?.refunds ?? 1]).toEqual(['CANCELLED', 5, 1])
    }
    expect([...outcomes].sort()).toEqual(['CANCELLED UNPAID', 'PAID PAID'])
  }, 120_000)
})

test('the id of an attempt is a UUIDv7, and another one for each', async () => {
  const order = await anOrder()
  await order.pay(DECLINED).expect(402)
  await order.pay().expect(200)
  const { rows } = await service.owner.query<{ id: string }>('select id from orders.payments where order_id = $1', [
    order.id,
  ])
  expect(new Set(rows.map(({ id }) => id)).size).toBe(2)
  for (const { id } of rows) expect(id[14]).toBe(uuidv7()[14])
})

test('while the clock of the database was never seen, what needs the time is 503 and changes nothing, and what only reads is answered', async () => {
  const [placed, paid] = [await anOrder(), await anOrder()]
  await paid.pay().expect(200)
  const before = [await placed.read(), await paid.read()]
  const [{ sellerId }] = before[1].items
  const seller = aCaller(service.calls, 'SELLER', sellerId)
  await placed.buyer.putIntoCart(placed.product.id, 1).expect(200)

  now = () => {
    throw new DatabaseOutage('database-unavailable', 'its clock was not seen yet')
  }
  const refused = [
    await placed.buyer.order([[placed.product.id, 1]], { 'idempotency-key': 'none' }),
    await placed.buyer.checkout(),
    await placed.pay(),
    await placed.cancel(),
    await paid.cancel(),
    await seller.post(`/orders/${paid.id}/shipment`, { status: 'PACKED' }),
  ]
  expect(refused.map(({ status, body }) => [status, body.code])).toEqual(
    refused.map(() => [503, 'database-unavailable']),
  )
  const sweeps: (() => Promise<unknown>)[] = [service.expireOrders, service.settleOpenPayments, service.giveOpenRefunds]
  for (const sweep of sweeps) await expect((async () => sweep())()).rejects.toThrow(DatabaseOutage)
  expect([await placed.read(), await paid.read()]).toEqual(before)
  for (const path of ['', '/cart', `/${paid.id}/tracking`]) await paid.buyer.get(`/orders${path}`).expect(200)
  for (const path of ['/sales', '/sales/summary']) await seller.get(`/orders${path}`).expect(200)

  now = () => time
  await placed.buyer.order([[placed.product.id, 1]], { 'idempotency-key': 'none' }).expect(201)
  await placed.buyer.checkout().expect(201)
  await placed.pay().expect(200)
  expect(gateway.of(placed.id)).toMatchObject([{ status: 'SUCCEEDED' }])
})
