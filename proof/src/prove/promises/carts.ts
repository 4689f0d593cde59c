import type { Party } from '../../accounts'
import { checkingOut, newKey, told, type Lines, type Order } from '../../shop'
import { placed, placedOrShort, stockIs, type ShopPromise, type World } from '../promise'

async function fill({ shop }: World, buyer: Party, lines: Lines): Promise<void> {
  await shop.call('DELETE', '/orders/cart', { as: buyer })
  for (const [id, quantity] of lines) await shop.putInCart(buyer, id, quantity)
}

const contents = async ({ shop }: World, buyer: Party) =>
  (await shop.cart(buyer)).items.map(({ productId, quantity }) => [productId, quantity])

export const checkoutOnce: ShopPromise = {
  name: 'checkout-once',
  promise: 'a cart becomes one order, however often and with however many keys it is checked out',
  look: async (world, tally) => {
    const { shop, random, callers } = world
    const buyer = callers[0]!
    const products = await Promise.all([world.list(50), world.list(50)])
    let taken = [0, 0]
    for (let n = 0; n < 3; n++) {
      const quantities = products.map(() => random.int(1, 9))
      const lines: Lines = products.map(({ id }, i) => [id, quantities[i]!])
      await fill(world, buyer, lines)
      tally.equal(await contents(world, buyer), lines, `the cart of ${buyer.username}`)
      const one = newKey()
      const keys = callers.map((_, i) => (i % 2 === 0 ? one : newKey()))
      const answers = await shop.together<Order>(keys.map((key) => checkingOut(buyer, key)))
      const orders = new Set<string>()
      for (const answer of answers) {
        tally.count('checkouts')
        if (answer.status === 201 && placed(tally, answer, lines)) orders.add(answer.body.id)
        else
          tally.that(
            ['409 cart-empty', '409 request-in-progress'].includes(told(answer)),
            `a checkout was answered ${told(answer)}`,
          )
      }
      tally.equal(orders.size, 1, 'orders of one cart')
      tally.equal(await contents(world, buyer), [], 'the cart that was checked out')
      tally.equal(
        told(await shop.call('POST', '/orders/cart/checkout', { as: buyer, body: {} })),
        '409 cart-empty',
        'a checkout of nothing',
      )
      taken = taken.map((units, i) => units + quantities[i]!)
      for (const [i, product] of products.entries()) await stockIs(world, tally, product, product.stock - taken[i]!)
      tally.note(`order ${[...orders].join(' and ')}`)
    }
  },
}

export const lastUnitInCarts: ShopPromise = {
  name: 'carts-in-a-race',
  promise: 'of all who have the last units in their carts as many get them as there are; the other carts stay',
  needs: { buyers: 2 },
  look: async (world, tally) => {
    const { shop, random, buyers } = world
    const some = buyers.slice(0, 8)
    const plenty = await world.list(1000)
    const scarce = await world.list(random.int(1, some.length - 1))
    const carts = some.map((): Lines =>
      random.shuffled([
        [plenty.id, random.int(1, 9)],
        [scarce.id, 1],
      ] as [string, number][]),
    )
    await Promise.all(some.map((buyer, i) => fill(world, buyer, carts[i]!)))
    const answers = await shop.together<Order>(some.map((buyer) => checkingOut(buyer)))
    let units = 0
    let orders = 0
    for (const [i, answer] of answers.entries()) {
      const got = placedOrShort(tally, answer, carts[i]!)
      if (got) {
        orders++
        units += carts[i]!.find(([id]) => id === plenty.id)![1]
        tally.equal(answer.body.buyerId, some[i]!.id, `the buyer of order ${answer.body.id}`)
      }
      tally.equal(await contents(world, some[i]!), got ? [] : carts[i], `the cart of ${some[i]!.username}`)
      await shop.call('DELETE', '/orders/cart', { as: some[i]! })
    }
    tally.equal(orders, scarce.stock, `orders for the ${scarce.stock} units of product ${scarce.id}`)
    await stockIs(world, tally, scarce, 0)
    await stockIs(world, tally, plenty, plenty.stock - units)
    tally.note(`product ${scarce.id}`)
  },
}
