import type { Books, Movement, StoredOrder } from '../books'
import { fateOf, merged } from '../history'
import { groupedBy, type Promised } from './evidence'

const STATUSES = ['PLACED', 'PAID', 'PACKED', 'OUT_FOR_DELIVERY', 'DELIVERED', 'CANCELLED']

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)

/** The ledger rows that an order has to have, in a form that can be compared. */
const dueRows = ({ lines, status }: StoredOrder): string[] =>
  lines.flatMap(({ productId, quantity }) => [
    `${productId} ORDERED ${-quantity}`,
    ...(status === 'CANCELLED' ? [`${productId} CANCELLED ${quantity}`] : []),
  ])
const row = ({ productId, reason, delta }: Movement): string => `${productId} ${reason} ${delta}`

function unitsInLiveOrders({ orders }: Books): Map<string, number> {
  const units = new Map<string, number>()
  for (const { status, lines } of orders)
    if (status !== 'CANCELLED')
      for (const { productId, quantity } of lines) units.set(productId, (units.get(productId) ?? 0) + quantity)
  return units
}

export const STOCK: readonly Promised[] = [
  {
    name: 'never-oversold',
    promise: 'no product is sold more often than it was received, and none goes below zero',
    look: (tally, { books }) => {
      const live = unitsInLiveOrders(books)
      const ledger = groupedBy(books.movements, ({ productId }) => productId)
      for (const { id, available } of books.products) {
        const received = sum((ledger.get(id) ?? []).filter(({ orderId }) => orderId === null).map(({ delta }) => delta))
        const sold = live.get(id) ?? 0
        tally.that(
          sold <= received,
          () => `oversold: ${sold} units of product ${id} are in live orders, and ${received} were received`,
        )
        tally.that(available >= 0, () => `product ${id} has ${available} units`)
      }
      tally.count('units in live orders', sum([...live.values()]))
    },
  },
  {
    name: 'conserved',
    promise: 'received − available = units in live orders; the ledger sums to what is available',
    look: (tally, { books }) => {
      const live = unitsInLiveOrders(books)
      const ledger = groupedBy(books.movements, ({ productId }) => productId)
      for (const { id, available } of books.products) {
        const rows = ledger.get(id) ?? []
        const received = sum(rows.filter(({ orderId }) => orderId === null).map(({ delta }) => delta))
        const total = sum(rows.map(({ delta }) => delta))
        tally.that(
          total === available,
          () => `the ledger of product ${id} sums to ${total}, and ${available} are available`,
        )
        tally.that(
          received - available === (live.get(id) ?? 0),
          () => `product ${id}: ${received} received − ${available} available ≠ ${live.get(id) ?? 0} in live orders`,
        )
      }
      tally.count('products', books.products.length)
      tally.count('ledger rows', books.movements.length)
    },
  },
  {
    name: 'all-or-nothing',
    promise:
      'an order has all of its lines and each its ledger row, a cancelled one those of its return; no row is without its order',
    look: (tally, { books, history }) => {
      const wishes = new Map(
        history.deeds.flatMap(({ mark, wish }) =>
          (wish.do === 'order' || wish.do === 'check out') && wish.lines ? [[mark, wish.lines]] : [],
        ),
      )
      const ledger = groupedBy(books.movements, ({ orderId }) => orderId)
      for (const order of books.orders) {
        const wished = wishes.get(order.notes ?? '')
        const asked = wished && merged(wished).map(({ productId, quantity }) => `${productId} × ${quantity}`)
        const stored = order.lines.map(({ productId, quantity }) => `${productId} × ${quantity}`)
        if (asked) tally.equal(stored, asked, `the lines of order ${order.id}`)
        const [rows, due] = [(ledger.get(order.id) ?? []).map(row).sort(), dueRows(order).sort()]
        const missing = due.filter((each) => !rows.includes(each))
        tally.that(missing.length === 0, () => `order ${order.id} lacks the ledger row ${missing.join(' and ')}`)
        tally.that(
          rows.length <= due.length,
          () => `order ${order.id} has ledger rows beyond its own: ${rows.join(', ')}`,
        )
      }
      const orders = new Set(books.orders.map(({ id }) => id))
      for (const orderId of ledger.keys())
        tally.that(orders.has(orderId), () => `stock was taken for order ${orderId}, which does not exist`)
    },
  },
  {
    name: 'ledger-asked-for',
    promise: 'every other ledger row was asked for: a change of stock, or what a product began with',
    look: (tally, { books, history }) => {
      const changes = new Map(
        history.deeds.flatMap((deed) => (deed.wish.do === 'change stock' ? [[deed.mark, deed.wish]] : [])),
      )
      const listed = new Map(
        history.deeds.flatMap(({ wish, told }) =>
          wish.do === 'list product' && told[0] ? [[told[0].id, wish.stock]] : [],
        ),
      )
      for (const { note, productId, delta, orderId } of books.movements) {
        if (orderId !== null) continue
        const wish = changes.get(note ?? '')
        if (note !== null)
          tally.that(
            wish?.productId === productId && wish.delta === delta,
            () => `the ledger row ${note} (${delta} of product ${productId}) was never asked for`,
          )
        else if (listed.has(productId))
          tally.equal(delta, listed.get(productId), `what product ${productId} began with`)
      }
    },
  },
  {
    name: 'legal-states',
    promise:
      'orders are in legal states only, at prices that their products had, and cancelled for good once that was said',
    look: (tally, { books, history }) => {
      const prices = pricesOf(history.deeds)
      for (const { id, status, lines, totalCents } of books.orders) {
        tally.that(STATUSES.includes(status), () => `order ${id} is ${status}`)
        tally.equal(
          totalCents,
          sum(lines.map(({ quantity, unitPriceCents }) => quantity * unitPriceCents)),
          `the total of order ${id}`,
        )
        for (const { productId, unitPriceCents } of lines) {
          const known = prices.get(productId)
          if (known)
            tally.that(
              known.has(unitPriceCents),
              () => `order ${id} has product ${productId} at ${unitPriceCents}, which it never cost`,
            )
        }
      }
      const cancelledAt = new Map<string, number>()
      for (const { wish, calls } of history.deeds) {
        const done = wish.do === 'cancel' ? calls.find(({ outcome }) => outcome === 'ok') : undefined
        if (wish.do !== 'cancel' || !done) continue
        const at = done.begunAt + done.ms
        cancelledAt.set(wish.orderId, Math.min(at, cancelledAt.get(wish.orderId) ?? Infinity))
      }
      for (const { orderId, begunAt, status, orderStatus } of history.sightings) {
        tally.that(status !== 404, () => `order ${orderId} was acknowledged and not found at ${Math.round(begunAt)} ms`)
        if (orderStatus !== undefined && begunAt > (cancelledAt.get(orderId) ?? Infinity))
          tally.that(
            orderStatus === 'CANCELLED',
            () => `order ${orderId} was seen ${orderStatus} after its cancellation had been acknowledged`,
          )
      }
      tally.count('looks at orders on the way', history.sightings.length)
    },
  },
  {
    name: 'edits',
    promise:
      'no edit of a product is lost: it is as the last acknowledged one left it, or one with an unknown outcome after that',
    look: (tally, { books, history }) => {
      const edits = groupedBy(history.deeds, ({ wish }) => (wish.do === 'edit' ? wish.productId : null))
      for (const { id, priceCents, version } of books.products) {
        const made = (edits.get(id) ?? []).filter((deed) => fateOf(deed) !== 'refused')
        const last = made.findLastIndex((deed) => fateOf(deed) === 'done')
        const possible = made
          .slice(Math.max(0, last))
          .flatMap(({ wish }) => (wish.do === 'edit' ? [wish.priceCents] : []))
        if (last >= 0)
          tally.that(
            possible.includes(priceCents),
            () => `product ${id} costs ${priceCents} instead of ${possible.join(' or ')}`,
          )
        const done = made.filter((deed) => fateOf(deed) === 'done').length
        tally.that(
          version > done && version <= made.length + 1,
          () =>
            `product ${id} is version ${version} after ${done} acknowledged and ${made.length - done} undecided edits`,
        )
      }
    },
  },
  {
    name: 'shown',
    promise: 'what the calls show in the end is what the database holds',
    look: (tally, { books }) => {
      const shown = new Map(books.shown.orders.map((order) => [order.id, order]))
      for (const answer of books.shown.unread) tally.that(false, answer)
      tally.equal(books.shown.orders.length, shown.size, 'orders that the lists show, each once')
      for (const { id, buyerId, status, paymentStatus, totalCents } of books.orders)
        tally.equal(
          shown.get(id),
          { id, buyerId, status, paymentStatus, totalCents },
          `order ${id} as its buyer sees it`,
        )
      const products = new Map(books.products.map((product) => [product.id, product]))
      for (const { id, available, ledger } of books.shown.products) {
        tally.equal(available, products.get(id)?.available, `units of product ${id} as they are shown`)
        tally.equal(ledger, available, `the sum of the ledger of product ${id} as it is shown`)
      }
    },
  },
]

/** Every price that a product had or may have had. */
function pricesOf(deeds: readonly Parameters<typeof fateOf>[0][]): Map<string, Set<number>> {
  const prices = new Map<string, Set<number>>()
  const add = (id: string, price: number) => prices.set(id, (prices.get(id) ?? new Set()).add(price))
  for (const deed of deeds) {
    const { wish, told } = deed
    if (wish.do === 'list product' && told[0]) add(told[0].id, wish.priceCents)
    if (wish.do === 'edit' && fateOf(deed) !== 'refused') add(wish.productId, wish.priceCents)
  }
  return prices
}
