import { randomUUID } from 'node:crypto'
import { uuidv7 } from 'uuidv7'
import type { CartStore, Once, OrderStore, Placement } from '../src/application/ports'
import type { Order } from '../src/domain/order'
import { err, ok } from '../src/domain/result'
import { cancel } from '../src/domain/transitions'
import { LATER, NOW } from './an-order'

export type Movement = {
  productId: string
  orderId: string | null
  delta: number
  reason: string
  actorId: string | null
}

/** A store, the carts that it places, and the hands to arrange and inspect what lies beside it. */
export type World = {
  store: OrderStore
  carts: CartStore
  addProduct: (product: {
    available: number
    priceCents?: number
    active?: boolean
    name?: string
    sellerId?: string
  }) => Promise<{ id: string; sellerId: string }>
  setPrice: (productId: string, priceCents: number) => Promise<void>
  takeOffSale: (productId: string) => Promise<void>
  available: (productId: string) => Promise<number>
  /** Of this product, oldest first, the first receipt left out. */
  movements: (productId: string) => Promise<Movement[]>
}

export const aPlacement = (placement: Partial<Placement> & Pick<Placement, 'lines'>): Placement => ({
  id: uuidv7(),
  buyerId: randomUUID(),
  currency: 'USD',
  shippingAddress: null,
  notes: null,
  placedAt: NOW,
  once: undefined,
  ...placement,
})

export async function placed(store: OrderStore, placement: Placement): Promise<Order> {
  const result = await store.place(placement)
  if (!result.ok || result.value.repeated) throw new Error(`not placed: ${JSON.stringify(result)}`)
  return result.value.order
}

export const onceFor = (once: Partial<Once> = {}): Once => ({
  callerId: randomUUID(),
  route: 'POST /orders',
  key: randomUUID(),
  fingerprint: 'same',
  receipt: (order) => ({ status: 201, location: `/orders/${order.id}`, etag: '"1"', body: `{"id":"${order.id}"}` }),
  ...once,
})

export function orderStoreContract(name: string, open: () => Promise<World>): void {
  describe(`${name} order store`, () => {
    let world: World
    let store: OrderStore
    beforeAll(async () => {
      world = await open()
      store = world.store
    })

    test('a placed order takes its stock, writes the ledger and can be found as it was answered', async () => {
      const product = await world.addProduct({ available: 5, priceCents: 250, name: 'Mug' })
      const neighbour = await world.addProduct({ available: 5 })
      const placement = aPlacement({
        lines: [{ productId: product.id, quantity: 2 }],
        shippingAddress: '1 Main St',
        notes: 'Ring twice',
      })
      const order = await placed(store, placement)
      expect(order).toEqual({
        id: placement.id,
        buyerId: placement.buyerId,
        status: 'PLACED',
        lines: [{ productId: product.id, sellerId: product.sellerId, name: 'Mug', quantity: 2, unitPriceCents: 250 }],
        currency: 'USD',
        shippingAddress: '1 Main St',
        notes: 'Ring twice',
        payment: { status: 'UNPAID' },
        shipments: [],
        version: 1,
        createdAt: NOW,
        updatedAt: NOW,
      })
      expect(await store.find(order.id)).toEqual(order)
      expect(await world.available(product.id)).toBe(3)
      expect(await world.movements(product.id)).toEqual([
        { productId: product.id, orderId: order.id, delta: -2, reason: 'ORDERED', actorId: placement.buyerId },
      ])
      expect(await world.available(neighbour.id)).toBe(5)
      expect(await world.movements(neighbour.id)).toEqual([])
    })

    test('lines keep the order in which they were asked for', async () => {
      const products = await Promise.all([1, 2, 3].map(() => world.addProduct({ available: 1 })))
      const lines = products.map(({ id }) => ({ productId: id, quantity: 1 })).reverse()
      const order = await placed(store, aPlacement({ lines }))
      expect(order.lines.map((line) => line.productId)).toEqual(lines.map((line) => line.productId))
      expect((await store.find(order.id))?.lines).toEqual(order.lines)
    })

    test('a later price changes no order', async () => {
      const product = await world.addProduct({ available: 2, priceCents: 100 })
      const before = await placed(store, aPlacement({ lines: [{ productId: product.id, quantity: 1 }] }))
      await world.setPrice(product.id, 900)
      const after = await placed(store, aPlacement({ lines: [{ productId: product.id, quantity: 1 }] }))
      const prices = await Promise.all(
        [before, after].map(async ({ id }) => (await store.find(id))?.lines[0]?.unitPriceCents),
      )
      expect(prices).toEqual([100, 900])
    })

    test('the last unit is sold, the next one is short, and nothing of a short order happens', async () => {
      const scarce = await world.addProduct({ available: 1 })
      const plenty = await world.addProduct({ available: 9 })
      const lines = [
        { productId: plenty.id, quantity: 3 },
        { productId: scarce.id, quantity: 1 },
      ]
      await placed(store, aPlacement({ lines }))
      const refused = aPlacement({ lines })
      expect(await store.place(refused)).toEqual(
        err({ code: 'insufficient-stock', shortages: [{ productId: scarce.id, requested: 1, available: 0 }] }),
      )
      expect(await store.find(refused.id)).toBeUndefined()
      expect([await world.available(scarce.id), await world.available(plenty.id)]).toEqual([0, 6])
      expect(await world.movements(plenty.id)).toHaveLength(1)
    })

    test('every short line is reported', async () => {
      const [one, two, enough] = await Promise.all([1, 2, 50].map((available) => world.addProduct({ available })))
      const lines = [enough, two, one].map((product) => ({ productId: product?.id ?? '', quantity: 40 }))
      const result = await store.place(aPlacement({ lines }))
      expect(result).toEqual(
        err({
          code: 'insufficient-stock',
          shortages: [
            { productId: two?.id, requested: 40, available: 2 },
            { productId: one?.id, requested: 40, available: 1 },
          ],
        }),
      )
    })

    test('unknown and disabled products are refused before a shortage is', async () => {
      const disabled = await world.addProduct({ available: 5, active: false })
      const scarce = await world.addProduct({ available: 0 })
      const unknown = randomUUID()
      const lines = [scarce.id, unknown, disabled.id].map((productId) => ({ productId, quantity: 1 }))
      expect(await store.place(aPlacement({ lines }))).toEqual(
        err({ code: 'product-unavailable', productIds: [unknown, disabled.id] }),
      )
      expect(await world.available(disabled.id)).toBe(5)
    })

    test('a repeated key is answered with the first receipt and places nothing', async () => {
      const product = await world.addProduct({ available: 5 })
      const once = onceFor()
      const first = aPlacement({ lines: [{ productId: product.id, quantity: 1 }], once })
      const receipt = { status: 201, location: `/orders/${first.id}`, etag: '"1"', body: `{"id":"${first.id}"}` }
      expect(await store.place(first)).toMatchObject(ok({ repeated: false, order: { id: first.id }, receipt }))
      expect(await store.place({ ...first, id: uuidv7() })).toEqual(ok({ repeated: true, receipt }))
      expect(await world.available(product.id)).toBe(4)
    })

    test('a key is refused for another request, and is free for another caller and another route', async () => {
      const product = await world.addProduct({ available: 5 })
      const once = onceFor()
      const placement = (more: Partial<Once>) =>
        aPlacement({ lines: [{ productId: product.id, quantity: 1 }], once: { ...once, ...more } })
      await placed(store, placement({}))
      expect(await store.place(placement({ fingerprint: 'other' }))).toEqual(err({ code: 'idempotency-key-reused' }))
      await placed(store, placement({ callerId: randomUUID() }))
      await placed(store, placement({ route: 'POST /elsewhere' }))
      expect(await world.available(product.id)).toBe(2)
    })

    test('a refusal does not use up its key', async () => {
      const product = await world.addProduct({ available: 1 })
      const once = onceFor()
      const tooMuch = aPlacement({ lines: [{ productId: product.id, quantity: 2 }], once })
      expect(await store.place(tooMuch)).toMatchObject({ ok: false, error: { code: 'insufficient-stock' } })
      await placed(
        store,
        aPlacement({ lines: [{ productId: product.id, quantity: 1 }], once: { ...once, fingerprint: 'corrected' } }),
      )
      expect(await world.available(product.id)).toBe(0)
    })

    test('a cancelled order gives its stock back, once', async () => {
      const product = await world.addProduct({ available: 3 })
      const order = await placed(store, aPlacement({ lines: [{ productId: product.id, quantity: 2 }] }))
      const neighbour = await placed(store, aPlacement({ lines: [{ productId: product.id, quantity: 1 }] }))
      const cancelled = { ...order, status: 'CANCELLED', version: 2, updatedAt: LATER }
      const again = () => store.update(order.id, order.buyerId, (current) => cancel(current, LATER))
      expect([await again(), await again()]).toEqual([ok(cancelled), ok(cancelled)])
      expect(await store.find(order.id)).toEqual(cancelled)
      expect(await store.find(neighbour.id)).toEqual(neighbour)
      expect(await world.available(product.id)).toBe(2)
      expect((await world.movements(product.id)).map(({ delta, reason }) => [delta, reason])).toEqual([
        [-2, 'ORDERED'],
        [-1, 'ORDERED'],
        [2, 'CANCELLED'],
      ])
    })

    test('a refused decision keeps everything, and an unknown order is not found', async () => {
      const product = await world.addProduct({ available: 3 })
      const order = await placed(store, aPlacement({ lines: [{ productId: product.id, quantity: 2 }] }))
      expect(await store.update(order.id, order.buyerId, () => err({ code: 'no' as const }))).toEqual(
        err({ code: 'no' }),
      )
      expect(await store.find(order.id)).toEqual(order)
      expect(await store.update(randomUUID(), order.buyerId, (current) => cancel(current, LATER))).toEqual(
        err({ code: 'order-not-found' }),
      )
      expect(await world.available(product.id)).toBe(1)
    })

    test('an order that was handed out is a copy', async () => {
      const product = await world.addProduct({ available: 3 })
      const order = await placed(store, aPlacement({ lines: [{ productId: product.id, quantity: 1 }] }))
      const found = await store.find(order.id)
      Object.assign(found?.lines[0] ?? {}, { quantity: 99 })
      expect((await store.find(order.id))?.lines[0]?.quantity).toBe(1)
    })

    test("a buyer's list is newest first, pages on, filters by status, and shows nobody else's", async () => {
      const product = await world.addProduct({ available: 9 })
      const buyerId = randomUUID()
      const orders: Order[] = []
      for (let n = 0; n < 3; n++)
        orders.push(await placed(store, aPlacement({ buyerId, lines: [{ productId: product.id, quantity: 1 }] })))
      await placed(store, aPlacement({ lines: [{ productId: product.id, quantity: 1 }] }))
      const [oldest, middle, newest] = orders.map((order) => order.id)
      const ids = async (query: Partial<Parameters<OrderStore['list']>[0]>) =>
        (await store.list({ buyerId, status: undefined, after: undefined, limit: 10, ...query })).map(
          (order) => order.id,
        )
      expect(await ids({})).toEqual([newest, middle, oldest])
      expect(await ids({ limit: 2 })).toEqual([newest, middle])
      expect(await ids({ after: middle })).toEqual([oldest])
      await store.update(middle ?? '', buyerId, (current) => cancel(current, LATER))
      expect(await ids({ status: 'PLACED' })).toEqual([newest, oldest])
      expect(await ids({ status: 'PLACED', after: newest })).toEqual([oldest])
      expect(await ids({ status: 'CANCELLED' })).toEqual([middle])
    })

    test("everybody's list has the orders of all buyers, newest first, pages on, and filters by status", async () => {
      const product = await world.addProduct({ available: 9 })
      const orders: Order[] = []
      for (let n = 0; n < 3; n++)
        orders.push(await placed(store, aPlacement({ lines: [{ productId: product.id, quantity: 1 }] })))
      const [oldest, middle, newest] = orders.map((order) => order.id)
      const ids = async (query: Partial<Parameters<OrderStore['list']>[0]>) =>
        (await store.list({ buyerId: undefined, status: undefined, after: undefined, limit: 3, ...query })).map(
          (order) => order.id,
        )
      expect(await ids({})).toEqual([newest, middle, oldest])
      expect(await ids({ after: newest, limit: 2 })).toEqual([middle, oldest])
      await store.update(middle ?? '', null, (current) => cancel(current, LATER))
      expect(await ids({ status: 'PLACED', limit: 2 })).toEqual([newest, oldest])
      expect(await ids({ status: 'CANCELLED', limit: 1 })).toEqual([middle])
      expect(await ids({ status: 'CANCELLED', after: newest, limit: 1 })).toEqual([middle])
    })
  })
}
