import { told, type Sale } from '../../shop'
import { placed, sum, type ShopPromise } from '../promise'
import { soldOf } from './paying'

export const shipmentSteps: ShopPromise = {
  name: 'shipment-steps',
  promise: 'a shipment goes step by step, each once, by its own seller; no step is skipped, taken back or begun unpaid',
  needs: { sellers: 2 },
  look: async (world, tally) => {
    const { shop, callers, sellers } = world
    const [a, b] = [sellers[0]!, sellers[1]!]
    const buyer = callers[0]!
    const [one, two] = await Promise.all([world.list(5, { seller: a }), world.list(5, { seller: b })])
    const lines = [one, two].map(({ id }) => [id, 1] as const)
    const answer = await shop.place(buyer, lines)
    if (!placed(tally, answer, lines)) return
    const { id } = answer.body
    const refused = async (seller: typeof a, step: string, what: string) =>
      tally.equal(told(await shop.ship(seller, id, step)), '409 invalid-transition', what)
    const orderIs = async (status: string) => tally.equal((await shop.order(buyer, id)).status, status, `order ${id}`)

    await refused(a, 'PACKED', 'packing an unpaid order')
    tally.equal(told(await shop.pay(buyer, id)), '200', 'a payment')
    await refused(a, 'OUT_FOR_DELIVERY', 'sending what is not packed')
    await refused(a, 'DELIVERED', 'delivering what is not sent')
    const third = await world.list(1, { seller: a })
    const foreign = await shop.place(buyer, [[third.id, 1]])
    await shop.pay(buyer, foreign.body?.id ?? '')
    const stranger = await shop.ship(b, foreign.body?.id ?? '', 'PACKED')
    tally.equal(told(stranger), '404 order-not-found', 'packing an order with nothing of one’s own')
    tally.equal((await shop.ship(buyer, id, 'PACKED')).status, 403, 'packing as a buyer')

    const steps = ['PACKED', 'OUT_FOR_DELIVERY', 'DELIVERED']
    for (const step of steps) {
      const path = `/orders/${id}/shipment`
      const moves = await shop.together<Sale>(
        callers.map(() => ({ method: 'POST', path, as: a, body: { status: step } })),
      )
      tally.equal(moves.filter(({ status }) => status === 200).length, 1, `moves to ${step} that were made`)
      for (const move of moves)
        if (move.status !== 200) tally.equal(told(move), '409 invalid-transition', `a second move to ${step}`)
      tally.count('moves', moves.length)
      // The order is as far as the shipment that is least far.
      await orderIs('PAID')
      await refused(a, 'PACKED', `packing again after ${step}`)
    }
    tally.equal(told(await shop.cancel(buyer, id)), '409 order-not-cancellable', 'cancelling what is packed')
    for (const step of steps) {
      const moved = await shop.ship(b, id, step)
      tally.equal([told(moved), moved.body?.shipmentStatus], ['200', step], `the move of ${b.username} to ${step}`)
      tally.equal(
        moved.body?.items.map(({ productId }) => productId),
        [two.id],
        'the lines that a seller sees',
      )
      await orderIs(step)
    }

    const own = (sellerId: string) => ['PENDING', ...steps].map((status) => `${status} ${sellerId}`)
    const ofOrder = ['PLACED', 'PAID', ...steps].map((status) => `${status} `)
    for (const [who, seen] of [
      [buyer, [...ofOrder, ...own(a.id), ...own(b.id)]],
      [a, [...ofOrder, ...own(a.id)]],
      [b, [...ofOrder, ...own(b.id)]],
    ] as const) {
      const entries = await shop.tracking(who, id)
      tally.equal(
        entries.map(({ status, sellerId = '' }) => `${status} ${sellerId}`).sort(),
        [...seen].sort(),
        `tracking of order ${id} as ${who.username} sees it`,
      )
      const times = entries.map(({ at }) => at)
      tally.equal(times, times.toSorted(), `times in the tracking of order ${id}`)
    }
    tally.note(`order ${id}`)
  },
}

export const salesSummary: ShopPromise = {
  name: 'sales-summary',
  promise: 'a seller’s figures are what was paid and not cancelled, to the unit and the cent',
  look: async (world, tally) => {
    const { shop, random, callers } = world
    const products = await Promise.all([1, 2].map(() => world.list(10_000, { priceCents: random.int(1, 9999) })))
    const plans = callers.flatMap((buyer) =>
      ['unpaid', 'paid', 'paid', 'cancelled', 'refunded'].map((fate) => ({
        buyer,
        fate,
        lines: products.map(({ id }) => [id, random.int(1, 5)] as const),
      })),
    )
    const expected = new Map(products.map(({ id }) => [id, { units: 0, revenueCents: 0, cancelledUnits: 0 }]))
    const known: string[] = []
    await Promise.all(
      plans.map(async ({ buyer, fate, lines }) => {
        const answer = await shop.place(buyer, lines)
        if (!placed(tally, answer, lines)) return
        const { id, items } = answer.body
        known.push(id)
        tally.count(fate)
        if (fate === 'paid' || fate === 'refunded')
          tally.equal(told(await shop.pay(buyer, id)), '200', `paying order ${id}`)
        if (fate === 'cancelled' || fate === 'refunded')
          tally.equal(told(await shop.cancel(buyer, id)), '200', `cancelling order ${id}`)
        for (const { productId, quantity, lineTotalCents } of items) {
          const figures = expected.get(productId)!
          if (fate === 'paid') figures.units += quantity
          if (fate === 'paid') figures.revenueCents += lineTotalCents
          if (fate === 'refunded') figures.cancelledUnits += quantity
        }
      }),
    )
    for (const product of products)
      tally.equal(await soldOf(world, product), expected.get(product.id), `figures of product ${product.id}`)

    const seller = products[0]!.seller
    const sales = await shop.all<Sale>('/orders/sales', seller)
    tally.equal(
      known.filter((id) => !sales.some((sale) => sale.id === id)),
      [],
      'orders that the seller does not see',
    )
    tally.equal(new Set(sales.map(({ id }) => id)).size, sales.length, 'sales, each once')
    const foreign = sales.flatMap(({ items }) => items).filter(({ sellerId }) => sellerId !== seller.id)
    tally.equal(foreign, [], 'lines of other sellers')
    const cents = sum([...expected.values()].map(({ revenueCents }) => revenueCents))
    tally.note(`products ${products.map(({ id }) => id).join(' and ')}: ${cents} cents`)
  },
}
