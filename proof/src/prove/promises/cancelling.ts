import type { Party } from '../../accounts'
import { cancelling, placing, told, type Lines, type Order } from '../../shop'
import { placed, placedOrShort, stockIs, sum, type ShopPromise } from '../promise'

export const cancelOnce: ShopPromise = {
  name: 'double-cancel',
  promise: 'a cancelled order gives its units back once, however often it is cancelled',
  look: async (world, tally) => {
    const { shop, random, callers } = world
    const buyer = callers[0]!
    const [one, two] = await Promise.all([world.list(20), world.list(20)])
    for (let n = 0; n < 3; n++) {
      const quantity = random.int(1, 9)
      const lines: Lines = [
        [one.id, quantity],
        [two.id, 1],
      ]
      const answer = await shop.place(buyer, lines)
      if (!placed(tally, answer, lines)) return
      const { id } = answer.body
      const answers = await shop.together<Order>(callers.map(() => cancelling(buyer, id)))
      const again = await shop.cancel(buyer, id)
      for (const answer of [...answers, again]) {
        tally.count('cancelled')
        tally.equal([told(answer), answer.body?.status], ['200', 'CANCELLED'], `cancelling order ${id}`)
        tally.equal(answer.body, again.body, `order ${id} as cancelled first and last`)
      }
      tally.equal((await shop.order(buyer, id)).status, 'CANCELLED', `order ${id}`)
      for (const product of [one, two]) {
        await stockIs(world, tally, product, product.stock)
        const rows = (await shop.movements(product.seller, product.id)).filter(({ orderId }) => orderId === id)
        const units = product === one ? quantity : 1
        tally.equal(
          rows.map(({ reason, delta }) => ({ reason, delta })),
          [
            { reason: 'CANCELLED', delta: units },
            { reason: 'ORDERED', delta: -units },
          ],
          `ledger of product ${product.id} for order ${id}`,
        )
      }
      tally.note(`order ${id}`)
    }
  },
}

export const cancelAgainstOrders: ShopPromise = {
  name: 'cancel-against-orders',
  promise: 'what is cancelled while others order is sold again once, and nothing twice',
  look: async (world, tally) => {
    const { shop, random, callers } = world
    const product = await world.list(Math.max(2, Math.ceil(callers.length / 2)))
    const first = await Promise.all(
      Array.from({ length: product.stock }, async (_, i) => {
        const buyer = callers[i % callers.length]!
        return { buyer, answer: await shop.place(buyer, [[product.id, 1]]) }
      }),
    )
    const live = new Map<string, { buyer: Party; units: number }>()
    for (const { buyer, answer } of first)
      if (placed(tally, answer, [[product.id, 1]])) live.set(answer.body.id, { buyer, units: 1 })

    for (let wave = 0; wave < 4; wave++) {
      const given = random.shuffled([...live]).slice(0, Math.ceil(live.size / 2))
      const requests = random.shuffled([
        ...given.flatMap(([id, { buyer }]) => [cancelling(buyer, id), cancelling(buyer, id)]),
        ...callers.map((buyer) => placing(buyer, [[product.id, 1]])),
      ])
      const answers = await shop.together<Order>(requests)
      requests.forEach((request, i) => {
        const answer = answers[i]!
        if (request.path !== '/orders') {
          tally.count('cancelled')
          if (tally.equal([told(answer), answer.body?.status], ['200', 'CANCELLED'], request.path))
            live.delete(answer.body!.id)
        } else if (placedOrShort(tally, answer, [[product.id, 1]]))
          live.set(answer.body.id, { buyer: request.as as Party, units: 1 })
      })
      const units = sum([...live.values()].map((order) => order.units))
      tally.that(units <= product.stock, `${units} units of ${product.stock} are sold of product ${product.id}`)
      await stockIs(world, tally, product, product.stock - units)
    }
    for (const [id, { buyer }] of live) tally.equal((await shop.order(buyer, id)).status, 'PLACED', `order ${id}`)
    tally.note(`product ${product.id}`)
  },
}
