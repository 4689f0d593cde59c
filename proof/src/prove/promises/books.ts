import { type Order } from '../../shop'
import { sum, type ShopPromise, type World } from '../promise'

export const books: ShopPromise = {
  name: 'books',
  promise: 'for every product: received − available = units in live orders, and the ledger sums to available',
  look: async (world, tally) => {
    const { shop, listed, buyers } = world
    await trade(world)
    const ids = new Set(listed.map(({ id }) => id))
    const orders: Order[] = []
    for (const buyer of new Set(buyers)) orders.push(...(await shop.all<Order>('/orders', buyer)))
    const lines = orders.flatMap(({ id, status, items }) =>
      items
        .filter(({ productId }) => ids.has(productId))
        .map((line) => ({ ...line, orderId: id, live: status !== 'CANCELLED' })),
    )
    for (const { id, seller } of listed) {
      const [{ available }, ledger] = await Promise.all([shop.product(seller, id), shop.movements(seller, id)])
      const own = lines.filter(({ productId }) => productId === id)
      const live = sum(own.filter((line) => line.live).map(({ quantity }) => quantity))
      const received = sum(ledger.filter(({ orderId }) => orderId === null).map(({ delta }) => delta))
      tally.that(available >= 0, `${available} of product ${id} are available`)
      tally.equal(received - available, live, `received − available of product ${id}, and units in live orders`)
      tally.equal(sum(ledger.map(({ delta }) => delta)), available, `sum of the ledger of product ${id}`)

      // And each order by itself: what it took, and what it gave back.
      const expected = own.flatMap(({ orderId, quantity, live }) => [
        `${orderId} ORDERED ${-quantity}`,
        ...(live ? [] : [`${orderId} CANCELLED ${quantity}`]),
      ])
      const rows = ledger
        .filter(({ orderId }) => orderId !== null)
        .map((row) => `${row.orderId} ${row.reason} ${row.delta}`)
      tally.equal(rows.sort(), expected.sort(), `orders in the ledger of product ${id}`)
      tally.count('ledger rows', ledger.length)
    }
    tally.count('products', listed.length)
    tally.count('orders', new Set(lines.map(({ orderId }) => orderId)).size)
    tally.count('units in live orders', sum(lines.filter(({ live }) => live).map(({ quantity }) => quantity)))
  },
}

/** A little of everything, so that there is something in the books also when nothing else was looked at. */
async function trade({ shop, buyers, random, list }: World): Promise<void> {
  const product = await list(random.int(10, 20))
  await shop.changeStock(product.seller, product.id, random.int(1, 9), 'RECEIVED')
  for (const isRegretted of [false, true]) {
    const { body } = await shop.place(buyers[0]!, [[product.id, random.int(1, 5)]])
    if (isRegretted && body) await shop.cancel(buyers[0]!, body.id)
  }
}
