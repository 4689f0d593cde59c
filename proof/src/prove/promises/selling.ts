import { setTimeout as sleep } from 'node:timers/promises'
import type { Party } from '../../accounts'
import { placing, told, type Lines, type Order } from '../../shop'
import { inTurn, placed, placedOrShort, stockIs, sum, unitsOf, type ShopPromise } from '../promise'

type Change = { delta: number; reason: string }

export const stockDeltas: ShopPromise = {
  name: 'stock-deltas',
  promise: 'stock that is received, corrected and written off during sales is neither lost nor doubled',
  look: async (world, tally) => {
    const { shop, random, callers } = world
    const product = await world.list(2 * callers.length)
    const changes = Array.from({ length: 2 * callers.length }, (): Change => {
      const units = random.int(1, 6)
      return random.pick([
        { delta: units, reason: 'RECEIVED' },
        { delta: -units, reason: 'DAMAGED' },
        { delta: random.oneIn(2) ? units : -units, reason: 'CORRECTION' },
      ])
    })
    const purchases = callers.map((buyer) => ({
      buyer,
      orders: Array.from({ length: 4 }, () => ({ quantity: random.int(1, 4), regretted: random.oneIn(3) })),
    }))

    const accepted: (Change & { id: string })[] = []
    const change = async ({ delta, reason }: Change) => {
      const answer = await shop.changeStock(product.seller, product.id, delta, reason)
      tally.count('stock changes')
      if (answer.status === 200 && answer.body) {
        const { available, movement } = answer.body
        accepted.push({ delta, reason, id: movement.id })
        tally.that(available >= 0, `after ${delta} of product ${product.id} ${available} are available`)
      } else tally.equal([told(answer), delta < 0], ['409 insufficient-stock', true], `a ${reason} of ${delta} units`)
    }
    let sold = 0
    const lanes = [0, 1, 2, 3].map((lane) => changes.filter((_, i) => i % 4 === lane))
    await Promise.all([
      ...lanes.map((lane) => inTurn(lane, change)),
      ...purchases.map(({ buyer, orders }) =>
        inTurn(orders, async ({ quantity, regretted }) => {
          const answer = await shop.place(buyer, [[product.id, quantity]])
          if (!placedOrShort(tally, answer, [[product.id, quantity]])) return
          if (!regretted) sold += quantity
          else tally.equal(told(await shop.cancel(buyer, answer.body.id)), '200', `cancelling order ${answer.body.id}`)
        }),
      ),
    ])

    const left = product.stock + sum(accepted.map(({ delta }) => delta)) - sold
    const tooMuch = await shop.place(callers[0]!, [[product.id, left + 1]])
    tally.equal(told(tooMuch), '409 insufficient-stock', `an order of one unit more than the ${left} that are left`)
    await stockIs(world, tally, product, left)
    const ledger = await shop.movements(product.seller, product.id)
    const rows = new Map(ledger.map(({ id, delta, reason }) => [id, { id, delta, reason }]))
    for (const { id, delta, reason } of accepted)
      tally.equal(rows.get(id), { id, delta, reason }, `stock change ${id} in the ledger`)
    tally.equal(rows.size, ledger.length, 'rows of the ledger, each once')
    tally.note(`product ${product.id}: ${ledger.length} rows in its ledger`)
  },
}

export const priceChanges: ShopPromise = {
  name: 'price-changes',
  promise: 'an order placed while a price changes is wholly at the old one or at the new one, and stays there',
  look: async (world, tally) => {
    const { shop, random, callers } = world
    const changing = await world.list(100_000, { priceCents: random.int(100, 999) })
    const steady = await world.list(100_000, { priceCents: 7 })
    const prices = [changing.priceCents]
    const orders: { order: Order; buyer: Party }[] = []
    for (let step = 1; step <= 6; step++) {
      const [old, cents] = [prices.at(-1)!, 1000 * step + random.int(0, 999)]
      prices.push(cents)
      // Two lines of the product, around another: they are one line, at one price.
      const linesOf = (): Lines => [
        [changing.id, random.int(1, 4)],
        [steady.id, 1],
        [changing.id, random.int(1, 4)],
      ]
      const lines = callers.map(linesOf)
      const waitMs = random.int(0, 30) // so that some orders come before the change and some after it
      const [answers, changed] = await Promise.all([
        shop.together<Order>(callers.map((buyer, i) => placing(buyer, lines[i]!))),
        sleep(waitMs).then(() => shop.edit(changing.seller, changing.id, { priceCents: cents })),
      ])
      tally.equal(told(changed), '200', 'a change of price')
      const last = await shop.place(callers[0]!, lines[0]!)
      for (const [i, answer] of [...answers, last].entries()) {
        if (!placed(tally, answer, lines[i] ?? lines[0]!)) continue
        const order = answer.body
        orders.push({ order, buyer: callers[i] ?? callers[0]! })
        const found = order.items
          .filter(({ productId }) => productId === changing.id)
          .map((line) => line.unitPriceCents)
        tally.that(
          found.length === 1 && (found[0] === cents || (found[0] === old && answer !== last)),
          `order ${order.id} is at ${found.join(' and ')} when the price went from ${old} to ${cents}`,
        )
        tally.count(found[0] === cents ? 'orders at the new price' : 'orders at the old price')
      }
    }
    for (const { order, buyer } of orders)
      tally.equal(
        (await shop.order(buyer, order.id)).items,
        order.items,
        `lines of order ${order.id}, prices changed since`,
      )
    for (const product of [changing, steady]) {
      const sold = sum(orders.map(({ order }) => unitsOf(order, product.id)))
      await stockIs(world, tally, product, product.stock - sold)
    }
    tally.note(`product ${changing.id}: ${prices.join(', ')}`)
  },
}
