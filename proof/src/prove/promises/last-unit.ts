import type { Party } from '../../accounts'
import type { Tally } from '../../report'
import { placing, type Order } from '../../shop'
import { placedOrShort, stockIs, sum, unitsOf, type Listed, type ShopPromise, type World } from '../promise'

const RACES = 4

/** Everybody orders in the same moment; answers what was placed, and by whom. */
async function race(
  world: World,
  tally: Tally,
  wanted: readonly { buyer: Party; product: Listed; quantity: number }[],
) {
  const answers = await world.shop.together<Order>(
    wanted.map(({ buyer, product, quantity }) => placing(buyer, [[product.id, quantity]])),
  )
  const outcomes = wanted.map((asked, i) => {
    const answer = answers[i]!
    return {
      ...asked,
      order: placedOrShort(tally, answer, [[asked.product.id, asked.quantity]]) ? answer.body : undefined,
    }
  })
  const won = outcomes.flatMap(({ order }) => order ?? [])
  tally.equal(new Set(won.map(({ id }) => id)).size, won.length, 'different orders')
  for (const { buyer, product, quantity, order } of outcomes) {
    if (!order) continue
    const kept = await world.shop.order(buyer, order.id)
    tally.equal(
      { buyerId: kept.buyerId, units: unitsOf(kept, product.id), lines: kept.items.length },
      { buyerId: buyer.id, units: quantity, lines: 1 },
      `order ${order.id} as it is kept`,
    )
  }
  return outcomes
}

export const lastUnit: ShopPromise = {
  name: 'last-unit',
  promise: 'of all who want the last unit exactly one gets it',
  look: async (world, tally) => {
    for (let n = 0; n < RACES; n++) {
      const product = await world.list(1)
      const outcomes = await race(
        world,
        tally,
        world.callers.map((buyer) => ({ buyer, product, quantity: 1 })),
      )
      const won = outcomes.flatMap(({ order }) => order ?? [])
      tally.equal(won.length, 1, `orders for the one unit of product ${product.id}`)
      tally.note(`order ${won[0]?.id} has it`)
      await stockIs(world, tally, product, 0)
    }
  },
}

export const severalUnits: ShopPromise = {
  name: 'k-units',
  promise: 'K units are sold K times, in whatever quantities, and no more',
  look: async (world, tally) => {
    const { callers, random } = world
    for (let n = 0; n < RACES; n++) {
      const product = await world.list(random.int(2, Math.max(2, callers.length - 1)))
      const most = n % 2 === 0 ? 1 : 3
      const wanted = callers.map((buyer) => ({ buyer, product, quantity: random.int(1, most) }))
      const outcomes = await race(world, tally, wanted)
      const sold = sum(outcomes.map(({ order, quantity }) => (order ? quantity : 0)))
      tally.that(sold <= product.stock, `${sold} units of ${product.stock} were sold of product ${product.id}`)
      // Nothing came back: what was refused then could not be had now either.
      const refused = outcomes.filter(({ order }) => !order).map(({ quantity }) => quantity)
      const left = product.stock - sold
      tally.that(
        refused.every((quantity) => quantity > left),
        `orders for ${Math.min(...refused)} of product ${product.id} were refused, and ${left} are left`,
      )
      tally.note(`product ${product.id}: ${sold} of ${product.stock} sold`)
      await stockIs(world, tally, product, left)
    }
  },
}

export const manyProducts: ShopPromise = {
  name: 'many-products',
  promise: 'many products that sell out at once: each as often as there are units',
  look: async (world, tally) => {
    const { callers, random } = world
    const products = await Promise.all(Array.from({ length: 6 }, () => world.list(random.int(1, 3))))
    const buyers = callers.slice(0, Math.max(4, Math.ceil(callers.length / 2)))
    const wanted = random.shuffled(
      products.flatMap((product) => buyers.map((buyer) => ({ buyer, product, quantity: 1 }))),
    )
    const outcomes = await race(world, tally, wanted)
    for (const product of products) {
      const sold = outcomes.filter((outcome) => outcome.product === product && outcome.order).length
      tally.equal(
        sold,
        Math.min(product.stock, buyers.length),
        `orders for the ${product.stock} units of product ${product.id}`,
      )
      await stockIs(world, tally, product, product.stock - sold)
    }
    tally.note(`product ${products[0]!.id} and ${products.length - 1} more`)
  },
}
