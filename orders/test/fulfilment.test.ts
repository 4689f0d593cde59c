import { randomUUID } from 'node:crypto'
import { raceThroughGate } from '../../tests/support/gate'
import { aCaller, startOrders, statuses, type Service } from './app'

const CARD = { cardNumber: '4242424242424242', expMonth: 12, expYear: 2099, cvc: '123' }
const STEPS = ['PACKED', 'OUT_FOR_DELIVERY', 'DELIVERED'] as const

let service: Service
let now: () => Date
beforeAll(async () => {
  service = await startOrders({ now: () => now() })
})
beforeEach(() => {
  now = () => new Date()
})
afterAll(() => service.stop())

/** An order of two sellers, paid unless told otherwise. */
async function aPaidOrder({ paid = true, sellers = 2 } = {}) {
  const buyer = aCaller(service.calls)
  const products = await Promise.all(
    Array.from({ length: sellers }, (_, i) => service.addProduct({ available: 10, priceCents: 100 * (i + 1) })),
  )
  const { body } = await buyer.order(products.map(({ id }) => [id, 2] as [string, number])).expect(201)
  const id = body.id as string
  if (paid) await buyer.post(`/orders/${id}/payment`, CARD).expect(200)
  const [first, second] = products.map((product) => ({
    ...aCaller(service.calls, 'SELLER', product.sellerId),
    productId: product.id,
  }))
  if (!first) throw new Error('an order without a seller')
  const move = (seller: { post: ReturnType<typeof aCaller>['post'] }, status: string) =>
    seller.post(`/orders/${id}/shipment`, { status })
  return {
    id,
    buyer,
    first,
    second: second ?? first,
    move,
    read: async () => (await buyer.get(`/orders/${id}`).expect(200)).body,
    tracking: async (caller: { get: ReturnType<typeof aCaller>['get'] }, query = '') =>
      (await caller.get(`/orders/${id}/tracking${query}`).expect(200)).body,
  }
}

describe('a shipment', () => {
  test('moves step by step, and the order is as far as the least advanced one', async () => {
    const order = await aPaidOrder()
    const packed = await order.move(order.first, 'PACKED').expect(200)
    expect(packed.body).toMatchObject({ id: order.id, status: 'PAID', shipmentStatus: 'PACKED', totalCents: 200 })
    expect(packed.body.items).toMatchObject([{ productId: order.first.productId, quantity: 2 }])
    expect(await order.read()).toMatchObject({ status: 'PAID' })
    for (const status of STEPS) {
      const moved = await order.move(order.second, status).expect(200)
      expect(moved.body).toMatchObject({ status: 'PACKED', shipmentStatus: status })
    }
    for (const status of STEPS.slice(1)) await order.move(order.first, status).expect(200)
    expect(await order.read()).toMatchObject({ status: 'DELIVERED', paymentStatus: 'PAID' })
  })

  test('goes no step back, skips none, and makes none twice', async () => {
    const order = await aPaidOrder({ sellers: 1 })
    for (const status of ['OUT_FOR_DELIVERY', 'DELIVERED']) {
      const refused = await order.move(order.first, status).expect(409)
      expect(refused.body).toMatchObject({ code: 'invalid-transition', currentStatus: 'PENDING' })
    }
    await order.move(order.first, 'PACKED').expect(200)
    expect((await order.move(order.first, 'PACKED').expect(409)).body).toMatchObject({ currentStatus: 'PACKED' })
    expect((await order.move(order.first, 'PENDING').expect(422)).body.code).toBe('validation-failed')
    expect(await order.read()).toMatchObject({ status: 'PACKED' })
  })

  test('of an order that is unpaid or cancelled is not packed', async () => {
    const unpaid = await aPaidOrder({ paid: false })
    const refused = await unpaid.move(unpaid.first, 'PACKED').expect(409)
    expect(refused.body).toMatchObject({ code: 'invalid-transition', currentStatus: 'PLACED' })
    await unpaid.buyer.post(`/orders/${unpaid.id}/cancel`).expect(200)
    expect((await unpaid.move(unpaid.first, 'PACKED').expect(409)).body).toMatchObject({ currentStatus: 'CANCELLED' })
  })

  test('is nobody else’s: a seller without a line finds no order', async () => {
    const order = await aPaidOrder()
    const stranger = aCaller(service.calls, 'SELLER')
    expect((await order.move(stranger, 'PACKED').expect(404)).body.code).toBe('order-not-found')
    expect((await stranger.get(`/orders/${order.id}/tracking`).expect(404)).body.code).toBe('order-not-found')
    expect((await aCaller(service.calls).get(`/orders/${order.id}/tracking`).expect(404)).body.code).toBe(
      'order-not-found',
    )
    expect(await order.read()).toMatchObject({ status: 'PAID' })
  })

  test('that is packed makes the order uncancellable; packing and cancelling that meet, a hundred times, have one winner', async () => {
    const packed = await aPaidOrder()
    await packed.move(packed.first, 'PACKED').expect(200)
    const late = await packed.buyer.post(`/orders/${packed.id}/cancel`).expect(409)
    expect(late.body).toMatchObject({ code: 'order-not-cancellable', orderStatus: 'PAID' })

    const outcomes = new Set<string>()
    for (let round = 0; round < 100; round++) {
      const order = await aPaidOrder({ sellers: 1 })
      const pack = () => order.move(order.first, 'PACKED').then((answer) => answer)
      const cancel = () => order.buyer.post(`/orders/${order.id}/cancel`).then((answer) => answer)
      const race = await raceThroughGate(
        service.owner,
        { text: 'select 1 from orders.orders where id = $1 for update', values: [order.id] },
        round % 2 === 0 ? [pack, cancel] : [cancel, pack],
      )
      expect(statuses(race).sort()).toEqual(['200', '409'])
      const { status, paymentStatus } = await order.read()
      outcomes.add(`${status} ${paymentStatus}`)
      expect(await service.available(order.first.productId)).toBe(status === 'CANCELLED' ? 10 : 8)
    }
    expect([...outcomes].sort()).toEqual(['CANCELLED REFUNDED', 'PACKED PAID'])
  }, 120_000)
})

describe('tracking', () => {
  test('shows the buyer everything, a seller the order and the own shipment, oldest first and page by page', async () => {
    const order = await aPaidOrder()
    await order.move(order.second, 'PACKED').expect(200)
    await order.move(order.first, 'PACKED').expect(200)
    const { items } = await order.tracking(order.buyer)
    const told = (entries: { sellerId?: string; status: string }[]) =>
      entries.map(({ sellerId, status }) => {
        const whose = { [order.first.id]: 'first', [order.second.id]: 'second' }[sellerId ?? ''] ?? 'order'
        return `${whose} ${status}`
      })
    const pending = ['first PENDING', 'second PENDING']
    expect(told(items).slice(0, 2)).toEqual(['order PLACED', 'order PAID'])
    expect(told(items).slice(2, 4).sort()).toEqual(pending)
    expect(told(items).slice(4)).toEqual(['second PACKED', 'first PACKED', 'order PACKED'])
    const times = (items as { at: string }[]).map(({ at }) => at)
    expect(times).toEqual([...times].sort())

    expect(told((await order.tracking(order.first)).items)).toEqual([
      'order PLACED',
      'order PAID',
      'first PENDING',
      'first PACKED',
      'order PACKED',
    ])

    const paged = []
    for (let cursor: string | null = ''; cursor !== null;) {
      const page: { items: unknown[]; nextCursor: string | null } = await order.tracking(
        order.buyer,
        `?limit=3${cursor && `&cursor=${encodeURIComponent(cursor)}`}`,
      )
      paged.push(...page.items)
      cursor = page.nextCursor
    }
    expect(paged).toEqual(items)
  })

  test('of an order that was only placed says that', async () => {
    const order = await aPaidOrder({ paid: false })
    const { createdAt } = await order.read()
    expect(await order.tracking(order.buyer)).toEqual({
      items: [{ at: createdAt, status: 'PLACED' }],
      nextCursor: null,
    })
  })
})

describe('sales', () => {
  test('are a seller’s orders with the own lines only, by status and page by page', async () => {
    const order = await aPaidOrder()
    const { body } = await order.second.get('/orders/sales').expect(200)
    expect(body).toMatchObject({
      items: [{ id: order.id, status: 'PAID', paymentStatus: 'PAID', shipmentStatus: 'PENDING', totalCents: 400 }],
      nextCursor: null,
    })
    expect(body.items[0].items.map((line: { sellerId: string }) => line.sellerId)).toEqual([order.second.id])
    expect(body.items[0]).not.toHaveProperty('buyerId')
    expect((await order.second.get('/orders/sales?status=CANCELLED').expect(200)).body.items).toEqual([])
    const stranger = aCaller(service.calls, 'SELLER')
    expect((await stranger.get('/orders/sales').expect(200)).body.items).toEqual([])
  })

  test('are summed by day and product, right under payments, cancellations and refunds', async () => {
    const time = new Date() // which stands still, so that all of it is of one day
    now = () => time
    const product = await service.addProduct({ available: 100, priceCents: 300 })
    const seller = aCaller(service.calls, 'SELLER', product.sellerId)
    const buyer = aCaller(service.calls)
    const place = async (quantity: number) =>
      (await buyer.order([[product.id, quantity]]).expect(201)).body.id as string
    const pay = (id: string) => buyer.post(`/orders/${id}/payment`, CARD).expect(200)
    await place(1) // never paid
    await pay(await place(2))
    await pay(await place(3))
    const cancelled = await place(5)
    await pay(cancelled)
    await buyer.post(`/orders/${cancelled}/cancel`).expect(200)

    const today = time.toISOString().slice(0, 10)
    const sum = { productId: product.id, name: 'Thing', units: 5, revenueCents: 1500, cancelledUnits: 5 }
    const { body } = await seller.get('/orders/sales/summary').expect(200)
    expect(body).toEqual({ items: [{ day: today, ...sum }], nextCursor: null })
    expect((await seller.get(`/orders/sales/summary?from=${today}&to=${today}`).expect(200)).body).toEqual(body)
    expect((await seller.get('/orders/sales/summary?to=2020-01-01').expect(200)).body.items).toEqual([])
    expect((await seller.get('/orders/sales/summary?from=2026-02-30').expect(422)).body.code).toBe('validation-failed')
    expect(
      (await aCaller(service.calls, 'SELLER', randomUUID()).get('/orders/sales/summary').expect(200)).body.items,
    ).toEqual([])
  })
})
