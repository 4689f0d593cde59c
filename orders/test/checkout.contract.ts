import { randomUUID } from 'node:crypto'
import { uuidv7 } from 'uuidv7'
import type { OrderStore, Placement } from '../src/application/ports'
import type { Order } from '../src/domain/order'
import { err, ok } from '../src/domain/result'
import { aPlacement, onceFor, type World } from './order-store.contract'

/** What every order store makes of a placement whose lines are the buyer's cart. */
export function checkoutContract(name: string, open: () => Promise<World>): void {
  describe(`${name} order store, placing a cart`, () => {
    let world: World
    let store: OrderStore
    beforeAll(async () => {
      world = await open()
      store = world.store
    })

    const fill = async (buyerId: string, ...lines: [productId: string, quantity: number][]) => {
      for (const [productId, quantity] of lines) await world.carts.put(buyerId, { productId, quantity })
    }
    const linesOf = async (buyerId: string) =>
      (await world.carts.read(buyerId)).lines.map((line) => [line.productId, line.quantity])
    const checkout = (buyerId: string, more: Partial<Placement> = {}) =>
      store.place(aPlacement({ buyerId, lines: 'cart', ...more }))
    const placed = async (placement: ReturnType<typeof checkout>): Promise<Order> => {
      const result = await placement
      if (!result.ok || result.value.repeated) throw new Error(`not placed: ${JSON.stringify(result)}`)
      return result.value.order
    }

    test('the cart becomes an order, line by line at the prices of that moment, and is empty', async () => {
      const [mug, lamp] = await Promise.all([
        world.addProduct({ available: 5, priceCents: 250, name: 'Mug' }),
        world.addProduct({ available: 2, priceCents: 9900, name: 'Lamp' }),
      ])
      const [buyerId, other] = [randomUUID(), randomUUID()]
      await fill(buyerId, [lamp.id, 1], [mug.id, 4])
      await fill(other, [mug.id, 1])
      await world.setPrice(mug.id, 300)
      const order = await placed(checkout(buyerId))
      expect(order).toMatchObject({ buyerId, status: 'PLACED' })
      expect(order.lines).toEqual([
        { productId: lamp.id, sellerId: lamp.sellerId, name: 'Lamp', quantity: 1, unitPriceCents: 9900 },
        { productId: mug.id, sellerId: mug.sellerId, name: 'Mug', quantity: 4, unitPriceCents: 300 },
      ])
      expect(await store.find(order.id)).toEqual(order)
      expect([await world.available(mug.id), await world.available(lamp.id)]).toEqual([1, 1])
      expect(await world.movements(mug.id)).toEqual([
        { productId: mug.id, orderId: order.id, delta: -4, reason: 'ORDERED', actorId: buyerId },
      ])
      expect(await linesOf(buyerId)).toEqual([])
      expect(await linesOf(other)).toEqual([[mug.id, 1]])
    })

    test('an empty cart is refused, whether it never held anything or not any more', async () => {
      const product = await world.addProduct({ available: 5 })
      const buyerId = randomUUID()
      const refused = err({ code: 'cart-empty' })
      expect(await checkout(buyerId)).toEqual(refused)
      await fill(buyerId, [product.id, 1])
      await placed(checkout(buyerId))
      expect(await checkout(buyerId)).toEqual(refused)
      await fill(buyerId, [product.id, 1])
      await world.carts.clear(buyerId)
      expect(await checkout(buyerId)).toEqual(refused)
      expect(await world.available(product.id)).toBe(4)
    })

    test('a short checkout leaves the cart and the stock as they were, and can be repeated when there is more', async () => {
      const [scarce, plenty] = [await world.addProduct({ available: 1 }), await world.addProduct({ available: 9 })]
      const buyerId = randomUUID()
      await fill(buyerId, [plenty.id, 3], [scarce.id, 2])
      const refused = aPlacement({ buyerId, lines: 'cart' })
      expect(await store.place(refused)).toEqual(
        err({ code: 'insufficient-stock', shortages: [{ productId: scarce.id, requested: 2, available: 1 }] }),
      )
      expect(await store.find(refused.id)).toBeUndefined()
      expect([await world.available(scarce.id), await world.available(plenty.id)]).toEqual([1, 9])
      expect(await linesOf(buyerId)).toEqual([
        [plenty.id, 3],
        [scarce.id, 2],
      ])
      await fill(buyerId, [scarce.id, 1])
      expect((await placed(checkout(buyerId))).lines.map((line) => line.quantity)).toEqual([3, 1])
    })

    test('a product that went off sale is reported before a shortage, and the cart stays', async () => {
      const [gone, scarce] = [await world.addProduct({ available: 5 }), await world.addProduct({ available: 0 })]
      const buyerId = randomUUID()
      await fill(buyerId, [scarce.id, 1], [gone.id, 1])
      await world.takeOffSale(gone.id)
      expect(await checkout(buyerId)).toEqual(err({ code: 'product-unavailable', productIds: [gone.id] }))
      expect(await linesOf(buyerId)).toEqual([
        [scarce.id, 1],
        [gone.id, 1],
      ])
    })

    test('a repeated key gets the first receipt, and the cart that was filled since then stays', async () => {
      const product = await world.addProduct({ available: 5 })
      const buyerId = randomUUID()
      const once = onceFor({ callerId: buyerId, route: 'POST /orders/cart/checkout' })
      await fill(buyerId, [product.id, 2])
      const id = uuidv7()
      const receipt = { status: 201, location: `/orders/${id}`, etag: '"1"', body: `{"id":"${id}"}` }
      expect(await checkout(buyerId, { id, once })).toMatchObject(ok({ repeated: false, receipt }))
      await fill(buyerId, [product.id, 1])
      expect(await checkout(buyerId, { once })).toEqual(ok({ repeated: true, receipt }))
      expect(await linesOf(buyerId)).toEqual([[product.id, 1]])
      expect(await world.available(product.id)).toBe(3)
    })

    test('a refused checkout does not use up its key', async () => {
      const product = await world.addProduct({ available: 5 })
      const buyerId = randomUUID()
      const once = onceFor({ callerId: buyerId, route: 'POST /orders/cart/checkout' })
      expect(await checkout(buyerId, { once })).toEqual(err({ code: 'cart-empty' }))
      await fill(buyerId, [product.id, 1])
      expect((await placed(checkout(buyerId, { once }))).lines).toMatchObject([{ productId: product.id, quantity: 1 }])
    })

    test('an order of named lines leaves the cart alone', async () => {
      const product = await world.addProduct({ available: 5 })
      const buyerId = randomUUID()
      await fill(buyerId, [product.id, 2])
      await placed(store.place(aPlacement({ buyerId, lines: [{ productId: product.id, quantity: 1 }] })))
      expect(await linesOf(buyerId)).toEqual([[product.id, 2]])
    })

    test('of two checkouts at once one gets the lines', async () => {
      const product = await world.addProduct({ available: 5 })
      const buyerId = randomUUID()
      await fill(buyerId, [product.id, 2])
      const outcomes = await Promise.all([checkout(buyerId), checkout(buyerId)])
      expect(outcomes.map((outcome) => (outcome.ok ? 'placed' : outcome.error.code)).sort()).toEqual([
        'cart-empty',
        'placed',
      ])
      expect(await world.available(product.id)).toBe(3)
    })
  })
}
