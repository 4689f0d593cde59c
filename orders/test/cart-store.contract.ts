import { randomUUID } from 'node:crypto'
import type { CartStore } from '../src/application/ports'
import { MAX_LINES } from '../src/domain/order'
import { err, ok } from '../src/domain/result'
import type { World } from './order-store.contract'

export function cartStoreContract(name: string, open: () => Promise<World>): void {
  describe(`${name} cart store`, () => {
    let world: World
    let carts: CartStore
    beforeAll(async () => {
      world = await open()
      carts = world.carts
    })

    const put = (buyerId: string, productId: string, quantity = 1) => carts.put(buyerId, { productId, quantity })
    const linesOf = async (buyerId: string) =>
      (await carts.read(buyerId)).lines.map((line) => [line.productId, line.quantity])

    test('whoever has put nothing into a cart has an empty one', async () => {
      expect(await carts.read(randomUUID())).toEqual({ lines: [] })
    })

    test('lines stand in the order in which they were put in, and nobody else sees them', async () => {
      const [mug, lamp] = await Promise.all([
        world.addProduct({ available: 5, priceCents: 250, name: 'Mug' }),
        world.addProduct({ available: 2, priceCents: 9900, name: 'Lamp' }),
      ])
      const [buyerId, other] = [randomUUID(), randomUUID()]
      await put(buyerId, lamp.id, 3)
      const cart = await put(buyerId, mug.id, 4)
      const lines = [
        { productId: lamp.id, name: 'Lamp', quantity: 3, unitPriceCents: 9900, seenPriceCents: 9900, available: 2 },
        { productId: mug.id, name: 'Mug', quantity: 4, unitPriceCents: 250, seenPriceCents: 250, available: 5 },
      ].map((line) => ({ ...line, forSale: true }))
      expect(cart).toEqual(ok({ lines }))
      expect(await carts.read(buyerId)).toEqual({ lines })
      expect(await carts.read(other)).toEqual({ lines: [] })
      expect([await world.available(mug.id), await world.available(lamp.id)]).toEqual([5, 2])
    })

    test('putting a product in again sets its quantity where it stands, at the price of that moment', async () => {
      const [first, second] = await Promise.all([1, 2].map(() => world.addProduct({ available: 9, priceCents: 100 })))
      const buyerId = randomUUID()
      await put(buyerId, first?.id ?? '', 2)
      await put(buyerId, second?.id ?? '', 3)
      await world.setPrice(first?.id ?? '', 150)
      const seen = async () => (await carts.read(buyerId)).lines[0]
      expect(await seen()).toMatchObject({ quantity: 2, unitPriceCents: 150, seenPriceCents: 100 })
      await put(buyerId, first?.id ?? '', 5)
      expect(await seen()).toMatchObject({ quantity: 5, unitPriceCents: 150, seenPriceCents: 150 })
      expect(await linesOf(buyerId)).toEqual([
        [first?.id, 5],
        [second?.id, 3],
      ])
    })

    test('a line stays when its product goes off sale, shows none of it, and can only be taken out', async () => {
      const product = await world.addProduct({ available: 5 })
      const buyerId = randomUUID()
      await put(buyerId, product.id, 2)
      await world.takeOffSale(product.id)
      const { lines } = await carts.read(buyerId)
      expect(lines).toMatchObject([{ productId: product.id, quantity: 2, available: 0, forSale: false }])
      expect(await put(buyerId, product.id, 1)).toEqual(err({ code: 'product-unavailable', productIds: [product.id] }))
      expect(await carts.read(buyerId)).toEqual({ lines })
      await carts.remove(buyerId, product.id)
      expect(await linesOf(buyerId)).toEqual([])
    })

    test('unknown and disabled products are refused', async () => {
      const [disabled, unknown] = [await world.addProduct({ available: 5, active: false }), randomUUID()]
      const buyerId = randomUUID()
      for (const productId of [disabled.id, unknown]) {
        expect(await put(buyerId, productId)).toEqual(err({ code: 'product-unavailable', productIds: [productId] }))
      }
      expect(await linesOf(buyerId)).toEqual([])
    })

    test('a full cart takes no further product, but other quantities, and has room again when one is taken out', async () => {
      const products = await Promise.all(
        Array.from({ length: MAX_LINES + 1 }, () => world.addProduct({ available: 1 })),
      )
      const [first, ...rest] = products.map(({ id }) => id) as [string, ...string[]]
      const last = rest.pop() as string
      const buyerId = randomUUID()
      for (const id of [first, ...rest]) expect(await put(buyerId, id)).toMatchObject({ ok: true })
      expect(await put(buyerId, last)).toEqual(err({ code: 'cart-full' }))
      expect((await linesOf(buyerId)).map(([id]) => id)).toEqual([first, ...rest])
      expect(await put(buyerId, first, 7)).toMatchObject({ ok: true })
      await carts.remove(buyerId, first)
      expect(await put(buyerId, last)).toMatchObject({ ok: true })
      expect((await linesOf(buyerId)).map(([id]) => id)).toEqual([...rest, last])
    })

    test('taking out and emptying may be repeated, and leave what is beside them', async () => {
      const [a, b] = await Promise.all([world.addProduct({ available: 1 }), world.addProduct({ available: 1 })])
      const [buyerId, other] = [randomUUID(), randomUUID()]
      for (const each of [buyerId, other]) for (const { id } of [a, b]) await put(each, id)
      await carts.remove(buyerId, a.id)
      await carts.remove(buyerId, a.id)
      expect(await linesOf(buyerId)).toEqual([[b.id, 1]])
      await carts.clear(buyerId)
      await carts.clear(buyerId)
      expect(await linesOf(buyerId)).toEqual([])
      expect(await linesOf(other)).toEqual([
        [a.id, 1],
        [b.id, 1],
      ])
      await carts.remove(randomUUID(), a.id)
      await carts.clear(randomUUID())
    })

    test('a cart that was handed out is a copy', async () => {
      const product = await world.addProduct({ available: 3 })
      const buyerId = randomUUID()
      await put(buyerId, product.id, 2)
      const { lines } = await carts.read(buyerId)
      Object.assign(lines[0] ?? {}, { quantity: 99 })
      expect(await linesOf(buyerId)).toEqual([[product.id, 2]])
    })
  })
}
