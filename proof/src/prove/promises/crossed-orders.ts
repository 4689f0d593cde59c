import type { Party } from '../../accounts'
import { cancelling, placing, told, type Order } from '../../shop'
import { placed, stockIs, sum, unitsOf, type ShopPromise } from '../promise'

const WAVES = 4
/** Of any call, as the shop promises. */
const LONGEST_MS = 10_000

export const crossedOrders: ShopPromise = {
  name: 'crossed-orders',
  promise: 'orders and cancels that meet on the same products from both ends all succeed, and none waits for ever',
  look: async (world, tally) => {
    const { shop, random, callers } = world
    const products = await Promise.all(Array.from({ length: 4 }, () => world.list(100_000)))
    const live = new Map<string, { buyer: Party; order: Order }>()
    let slowest = 0
    for (let wave = 0; wave < WAVES; wave++) {
      const given = random.shuffled([...live.values()]).slice(0, live.size / 2)
      const wanted = callers.map((buyer, i) => {
        const lines = products.map(({ id }): [string, number] => [id, random.int(1, 3)])
        return { buyer, lines: wave % 2 === 1 ? random.shuffled(lines) : i % 2 === 0 ? lines : lines.reverse() }
      })
      const answers = await shop.together<Order>([
        ...wanted.map(({ buyer, lines }) => placing(buyer, lines)),
        ...given.map(({ buyer, order }) => cancelling(buyer, order.id)),
      ])
      for (const [i, answer] of answers.entries()) {
        slowest = Math.max(slowest, answer.ms)
        const asked = wanted[i]
        if (!asked) {
          tally.count('cancelled')
          if (tally.equal(told(answer), '200', 'a cancel')) live.delete(answer.body!.id)
        } else if (placed(tally, answer, asked.lines)) {
          tally.count('placed')
          live.set(answer.body.id, { buyer: asked.buyer, order: answer.body })
        }
      }
    }
    tally.that(slowest < LONGEST_MS, `a call took ${Math.round(slowest)} ms`)
    for (const product of products) {
      const sold = sum([...live.values()].map(({ order }) => unitsOf(order, product.id)))
      await stockIs(world, tally, product, product.stock - sold)
    }
    tally.note(`slowest ${Math.round(slowest)} ms`)
  },
}
