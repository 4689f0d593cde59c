import { placing, told, type Order, type Shortage } from '../../shop'
import { placedOrShort, stockIs, unitsOf, type ShopPromise } from '../promise'

/** An id of the right form that no product has. */
const NO_PRODUCT = '01980000-0000-7000-8000-0000ffffffff'

export const allOrNothing: ShopPromise = {
  name: 'all-or-nothing',
  promise: 'an order of which one line is short takes nothing, and every short line is told',
  look: async (world, tally) => {
    const { shop, random, callers } = world
    const buyer = callers[0]!
    const [plenty, other, one, none] = await Promise.all([
      world.list(100),
      world.list(100),
      world.list(1),
      world.list(0),
    ])
    const all = [plenty, other, one, none]
    const orders = () => shop.all<Order>('/orders', buyer).then((list) => list.map(({ id }) => id))
    const before = await orders()

    const asked = random.int(2, 9)
    const lines = random.shuffled([
      [plenty.id, asked],
      [other.id, 1],
      [one.id, asked],
      [none.id, 1],
    ] as const)
    const short = await shop.place(buyer, lines)
    tally.equal(told(short), '409 insufficient-stock', 'an order with two short lines')
    const byId = (a: Shortage, b: Shortage) => a.productId.localeCompare(b.productId)
    tally.equal(
      (short.problem?.shortages as Shortage[] | undefined)?.toSorted(byId),
      [
        { productId: one.id, requested: asked, available: 1 },
        { productId: none.id, requested: 1, available: 0 },
      ].sort(byId),
      'shortages',
    )

    const disabled = await world.list(5)
    await shop.edit(disabled.seller, disabled.id, { status: 'DISABLED' })
    const missing = await shop.place(
      buyer,
      random.shuffled([
        [plenty.id, 1],
        [none.id, 1],
        [NO_PRODUCT, 1],
        [disabled.id, 1],
      ]),
    )
    tally.equal(
      told(missing),
      '422 product-unavailable',
      'an order of products that are not for sale and one that is short',
    )
    tally.equal(
      (missing.problem?.productIds as string[] | undefined)?.toSorted(),
      [NO_PRODUCT, disabled.id].sort(),
      'productIds',
    )

    for (const product of [...all, disabled]) await stockIs(world, tally, product, product.stock)
    tally.equal(await orders(), before, `orders of ${buyer.username}`)
    tally.note(`product ${plenty.id} untouched`)
  },
}

export const allOrNothingInARace: ShopPromise = {
  name: 'all-or-nothing-in-a-race',
  promise: 'when many order a scarce product with another, the other is taken for those who got both',
  look: async (world, tally) => {
    const { shop, random, callers } = world
    const plenty = await world.list(10_000)
    const scarce = await world.list(random.int(1, Math.max(1, callers.length - 1)))
    const wanted = callers.map((buyer) => ({
      buyer,
      lines: random.shuffled([
        [plenty.id, random.int(1, 5)],
        [scarce.id, 1],
      ] as [string, number][]),
    }))
    const answers = await shop.together<Order>(wanted.map(({ buyer, lines }) => placing(buyer, lines)))
    const placed = answers.flatMap((answer, i) => (placedOrShort(tally, answer, wanted[i]!.lines) ? [answer.body] : []))
    tally.equal(placed.length, scarce.stock, `orders for the ${scarce.stock} units of product ${scarce.id}`)
    const taken = placed.reduce((units, order) => units + unitsOf(order, plenty.id), 0)
    await stockIs(world, tally, plenty, plenty.stock - taken)
    await stockIs(world, tally, scarce, scarce.stock - placed.length)
    tally.note(`${scarce.stock} units of product ${scarce.id}`)
  },
}

export const summedLines: ShopPromise = {
  name: 'summed-lines',
  promise: 'lines of one product count together',
  look: async (world, tally) => {
    const { shop, random, callers } = world
    const buyer = callers[0]!
    const [a, b] = [random.int(1, 5), random.int(1, 5)]
    const product = await world.list(a + b)
    const over = await shop.place(buyer, [
      [product.id, a],
      [product.id, b + 1],
    ])
    tally.equal(told(over), '409 insufficient-stock', `${a} and ${b + 1} of ${a + b}`)
    tally.equal(
      over.problem?.shortages,
      [{ productId: product.id, requested: a + b + 1, available: a + b }],
      'shortages of the summed line',
    )
    await stockIs(world, tally, product, a + b)

    const placed = await shop.place(buyer, [
      [product.id, a],
      [product.id, b],
    ])
    tally.equal(told(placed), '201', `${a} and ${b} of ${a + b}`)
    tally.equal(
      placed.body?.items.map(({ productId, quantity, lineTotalCents }) => ({ productId, quantity, lineTotalCents })),
      [{ productId: product.id, quantity: a + b, lineTotalCents: (a + b) * product.priceCents }],
      'the line of the order',
    )
    tally.equal(placed.body?.totalCents, (a + b) * product.priceCents, 'the total of the order')
    await stockIs(world, tally, product, 0)
    tally.note(`order ${placed.body?.id}: ${a} + ${b} units`)

    const many = await world.list(5000)
    const tooMany = await shop.place(buyer, [
      [many.id, 600],
      [many.id, 600],
    ])
    tally.equal(told(tooMany), '422 validation-failed', '600 and 600 units, of which 1000 are allowed')
    await stockIs(world, tally, many, 5000)
  },
}
