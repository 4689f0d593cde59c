import { placing, type Order } from '../../shop'
import { placed, stockIs, unitsOf, type ShopPromise } from '../promise'

const WAVES = 4
/** Of any call, as the shop promises. */
const LONGEST_MS = 10_000

export const crossedOrders: ShopPromise = {
  name: 'crossed-orders',
  promise: 'orders that name the same products in opposite orders all succeed, none waits for another for ever',
  look: async (world, tally) => {
    const { shop, random, callers } = world
    const products = await Promise.all(Array.from({ length: 4 }, () => world.list(100_000)))
    const sold = new Map(products.map(({ id }) => [id, 0]))
    let slowest = 0
    for (let wave = 0; wave < WAVES; wave++) {
      const wanted = callers.map((buyer, i) => {
        const lines = products.map(({ id }): [string, number] => [id, random.int(1, 3)])
        return { buyer, lines: wave % 2 === 1 ? random.shuffled(lines) : i % 2 === 0 ? lines : lines.reverse() }
      })
      const answers = await shop.together<Order>(wanted.map(({ buyer, lines }) => placing(buyer, lines)))
      for (const [i, answer] of answers.entries()) {
        tally.count('orders')
        slowest = Math.max(slowest, answer.ms)
        if (!placed(tally, answer, wanted[i]!.lines)) continue
        for (const { id } of products) sold.set(id, sold.get(id)! + unitsOf(answer.body, id))
      }
    }
    tally.that(slowest < LONGEST_MS, `an order took ${Math.round(slowest)} ms`)
    for (const product of products) await stockIs(world, tally, product, product.stock - sold.get(product.id)!)
    tally.note(`slowest ${Math.round(slowest)} ms`)
  },
}
