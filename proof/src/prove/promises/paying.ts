import { setTimeout as sleep } from 'node:timers/promises'
import type { Party } from '../../accounts'
import type { Tally } from '../../report'
import { CARDS, cancelling, newKey, paying, told, type Order, type SalesDay } from '../../shop'
import { placed, stockIs, sum, type Listed, type ShopPromise, type World } from '../promise'

const PAYMENTS = 50
/** For the shop to find out what came of a charge or a refund. */
const SETTLED_MS = 30_000

async function bought(world: World, tally: Tally, buyer: Party, product: Listed, quantity: number): Promise<Order> {
  const answer = await world.shop.place(buyer, [[product.id, quantity]])
  if (placed(tally, answer, [[product.id, quantity]])) return answer.body
  throw new Error('there is no order to be paid')
}

async function settled({ shop }: World, buyer: Party, orderId: string): Promise<Order> {
  const deadline = performance.now() + SETTLED_MS
  for (;;) {
    const order = await shop.order(buyer, orderId)
    if (!['PENDING', 'REFUND_PENDING'].includes(order.paymentStatus) || performance.now() > deadline) return order
    await sleep(200)
  }
}

/** What the seller has sold of a product, all days together. */
export async function soldOf({ shop }: World, { id, seller }: Listed) {
  const days = (await shop.all<SalesDay>('/orders/sales/summary', seller)).filter(({ productId }) => productId === id)
  return {
    units: sum(days.map(({ units }) => units)),
    revenueCents: sum(days.map(({ revenueCents }) => revenueCents)),
    cancelledUnits: sum(days.map(({ cancelledUnits }) => cancelledUnits)),
  }
}

export const payOnce: ShopPromise = {
  name: 'pay-once',
  promise: 'fifty payments of one order in the same moment are one charge',
  look: async (world, tally) => {
    const { shop, random, callers } = world
    const buyer = callers[0]!
    const product = await world.list(20, { priceCents: random.int(100, 9999) })
    const quantity = random.int(1, 9)
    const { id, totalCents } = await bought(world, tally, buyer, product, quantity)

    const shared = newKey()
    const keys = Array.from({ length: PAYMENTS }, (_, i) => (i % 5 === 0 ? shared : newKey()))
    const answers = await shop.together<Order>(keys.map((key) => paying(buyer, id, CARDS.good, key)))
    const charged = new Set<string>()
    for (const [i, answer] of answers.entries()) {
      tally.count(answer.status === 200 ? 'paid' : 'refused')
      if (answer.status === 200) charged.add(keys[i]!)
      const known = ['200', '409 order-already-paid', '409 payment-in-progress', '409 request-in-progress']
      tally.that(known.includes(told(answer)), `a payment was answered ${told(answer)}`)
    }
    tally.equal(charged.size, 1, 'keys under which the order was paid')
    const paid = answers.filter(({ status }) => status === 200)
    tally.equal(new Set(paid.map(({ text }) => text)).size, 1, 'answers to those who paid')
    const again = await shop.pay(buyer, id, CARDS.good, [...charged][0])
    tally.equal([told(again), again.text], ['200', paid[0]?.text], 'the repeat of the payment')
    tally.equal(told(await shop.pay(buyer, id)), '409 order-already-paid', 'a payment of a paid order')

    const order = await shop.order(buyer, id)
    tally.equal([order.status, order.paymentStatus], ['PAID', 'PAID'], `order ${id}`)
    const tracking = await shop.tracking(buyer, id)
    tally.equal(
      tracking.map(({ status, sellerId }) => [status, sellerId]),
      [
        ['PLACED', undefined],
        ['PAID', undefined],
        ['PENDING', product.seller.id],
      ],
      `tracking of order ${id}`,
    )
    const sales = { units: quantity, revenueCents: totalCents, cancelledUnits: 0 }
    tally.equal(await soldOf(world, product), sales, `sales of product ${product.id}`)
    tally.note(`order ${id}`)
  },
}

export const declinedCards: ShopPromise = {
  name: 'declined-cards',
  promise: 'a card that is declined or fails pays nothing, and the buyer may try again',
  look: async (world, tally) => {
    const { shop, callers } = world
    const buyer = callers[0]!
    const product = await world.list(10)
    const { id } = await bought(world, tally, buyer, product, 2)
    const key = newKey()
    tally.equal(told(await shop.pay(buyer, id, CARDS.declined, key)), '402 payment-declined', 'a card that is declined')
    const failed = await shop.order(buyer, id)
    tally.equal([failed.status, failed.paymentStatus], ['PLACED', 'FAILED'], `order ${id}`)
    tally.equal((await soldOf(world, product)).units, 0, 'sold units of what was not paid')
    // The gateway fails for a moment and says so; who waits as it says has paid.
    const second = await bought(world, tally, buyer, product, 1)
    const fails = await shop.pay(buyer, second.id, CARDS.failsAtFirst)
    tally.equal([told(fails), fails.tries > 1], ['200', true], 'a card that fails at first, and whether it did')

    const paid = await shop.pay(buyer, id, CARDS.good, key)
    tally.equal([told(paid), paid.body?.paymentStatus], ['200', 'PAID'], 'another card')
    for (const secret of [CARDS.good, CARDS.declined, 'cvc', 'cardNumber'])
      tally.that(!JSON.stringify([paid.text, await shop.order(buyer, id)]).includes(secret), `an order shows ${secret}`)
    tally.equal((await soldOf(world, product)).units, 3, 'sold units when both are paid')
    await stockIs(world, tally, product, 7)
    tally.note(`orders ${id} and ${second.id}`)
  },
}

export const refundOnce: ShopPromise = {
  name: 'refund-once',
  promise: 'a paid order that is cancelled gives its units back once and is refunded, whenever the two meet',
  look: async (world, tally) => {
    const { shop, random, callers } = world
    const product = await world.list(10 * callers.length)
    const { id: first } = await bought(world, tally, callers[0]!, product, 3)
    tally.equal(told(await shop.pay(callers[0]!, first)), '200', 'a payment')
    for (const answer of await shop.together<Order>(callers.map(() => cancelling(callers[0]!, first))))
      tally.equal([told(answer), answer.body?.status], ['200', 'CANCELLED'], `cancelling the paid order ${first}`)
    const refunded = await settled(world, callers[0]!, first)
    tally.equal([refunded.status, refunded.paymentStatus], ['CANCELLED', 'REFUNDED'], `order ${first}`)
    tally.equal(told(await shop.pay(callers[0]!, first)), '409 order-not-payable', 'a payment of a cancelled order')
    await stockIs(world, tally, product, product.stock)

    // Payments and cancels in the same moment: whoever comes first, the order ends cancelled and nobody's money is kept.
    const orders = await Promise.all(callers.map((buyer) => bought(world, tally, buyer, product, random.int(1, 5))))
    const pairs = orders.flatMap(({ id }, i) => [
      { id, request: paying(callers[i]!, id) },
      { id, request: cancelling(callers[i]!, id) },
    ])
    const mixed = random.shuffled(pairs)
    const answers = await shop.together<Order>(mixed.map(({ request }) => request))
    const charged = new Set<string>([first])
    for (const [i, answer] of answers.entries()) {
      const { id, request } = mixed[i]!
      if (request.path.endsWith('/cancel')) tally.equal(told(answer), '200', `cancelling order ${id}`)
      else if (answer.status === 200) charged.add(id)
      else tally.equal(told(answer), '409 order-not-payable', `paying order ${id}`)
    }
    for (const order of await Promise.all(orders.map(({ id }, i) => settled(world, callers[i]!, id)))) {
      const { id } = order
      tally.equal(order.status, 'CANCELLED', `order ${id}`)
      const possible = charged.has(id) ? ['REFUNDED'] : ['UNPAID', 'FAILED', 'REFUNDED']
      tally.that(possible.includes(order.paymentStatus), `the cancelled order ${id} is ${order.paymentStatus}`)
      tally.count(order.paymentStatus === 'REFUNDED' ? 'refunded' : 'not charged')
    }
    await stockIs(world, tally, product, product.stock)
    const { units, revenueCents } = await soldOf(world, product)
    tally.equal([units, revenueCents], [0, 0], `units and revenue of product ${product.id}, all cancelled`)
    tally.note(`order ${first}`)
  },
}
