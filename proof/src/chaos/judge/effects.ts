import { isDeepStrictEqual } from 'node:util'
import type { Books } from '../books'
import { fateOf, isRepeatable, merged, type Deed } from '../history'
import { markOf, nameOf } from '../market'
import { groupedBy, SHIPMENT_STEPS, type Promised } from './evidence'

/** What a deed has left behind, by its mark. What changes an order leaves none. */
function tracesOf(books: Books): (deed: Deed) => number {
  const orders = groupedBy(books.orders, ({ notes }) => notes)
  const movements = groupedBy(books.movements, ({ note }) => note)
  const products = groupedBy(books.products, ({ name }) => name)
  const users = groupedBy(books.usernames, (name) => name)
  return ({ wish, mark }) => {
    switch (wish.do) {
      case 'order':
      case 'check out':
        return orders.get(mark)?.length ?? 0
      case 'change stock':
        return movements.get(mark)?.length ?? 0
      case 'list product':
      case 'edit':
        return products.get(nameOf(mark))?.length ?? 0
      case 'register':
        return users.get(mark)?.length ?? 0
      case 'cancel':
      case 'pay':
      case 'ship':
        return 0
    }
  }
}

/** Whether what an acknowledged deed did is there. */
function effectOf(books: Books): (deed: Deed) => boolean {
  const orders = new Map(books.orders.map((order) => [order.id, order]))
  const movements = groupedBy(books.movements, ({ note }) => note)
  const products = new Map(books.products.map((product) => [product.id, product]))
  const users = new Set(books.usernames)
  return ({ wish, mark, told, by }) => {
    const id = told[0]?.id ?? ''
    switch (wish.do) {
      case 'order':
      case 'check out': {
        const order = orders.get(id)
        const lines = order?.lines.map(({ productId, quantity }) => ({ productId, quantity }))
        const asAsked = wish.lines === undefined || isDeepStrictEqual(lines, merged(wish.lines))
        return order?.notes === mark && order.buyerId === by && asAsked
      }
      case 'pay':
        return ['PAID', 'REFUND_PENDING', 'REFUNDED'].includes(orders.get(wish.orderId)?.paymentStatus ?? '')
      case 'ship': {
        const shipment = books.shipments.find(({ orderId, sellerId }) => orderId === wish.orderId && sellerId === by)
        return SHIPMENT_STEPS.indexOf(shipment?.status ?? '') >= SHIPMENT_STEPS.indexOf(wish.to)
      }
      case 'cancel':
        return orders.get(wish.orderId)?.status === 'CANCELLED'
      case 'change stock':
        return (
          movements.get(mark)?.some(({ productId, delta }) => productId === wish.productId && delta === wish.delta) ??
          false
        )
      case 'list product':
        return products.has(id)
      case 'edit':
        return (products.get(wish.productId)?.version ?? 0) > wish.version
      case 'register':
        return users.has(mark)
    }
  }
}

const told = ({ wish, mark, told: answers }: Deed) =>
  `${wish.do} ${'orderId' in wish ? wish.orderId : `${mark} ${answers[0]?.id ?? ''}`}`.trim()

export const EFFECTS: readonly Promised[] = [
  {
    name: 'acknowledged',
    promise: 'what was acknowledged is stored, as it was asked for',
    look: (tally, { history, books }) => {
      const isThere = effectOf(books)
      const done = history.deeds.filter((deed) => fateOf(deed) === 'done')
      for (const deed of done) tally.that(isThere(deed), () => `acknowledged and not stored: ${told(deed)}`)
      tally.count('orders', done.filter(({ wish }) => wish.do === 'order' || wish.do === 'check out').length)
    },
  },
  {
    name: 'refused',
    promise: 'what was refused has left nothing',
    look: (tally, { history, books }) => {
      const traces = tracesOf(books)
      for (const deed of history.deeds)
        if (fateOf(deed) === 'refused')
          tally.that(traces(deed) === 0, () => `refused (${codesOf(deed)}) and stored all the same: ${told(deed)}`)
    },
  },
  {
    name: 'once',
    promise: 'one effect a call, and one a key however often it is repeated, with the same answer',
    look: (tally, { history, books }) => {
      const traces = tracesOf(books)
      for (const deed of history.deeds) {
        tally.that(
          traces(deed) <= 1,
          () => `stored ${traces(deed)} times: ${told(deed)}${deed.key ? ` with ${deed.key}` : ''}`,
        )
        if (deed.key === undefined || deed.told.length < 2) continue
        tally.count('keys answered more than once')
        const answers = new Set(deed.told.map(({ digest }) => digest)).size
        tally.that(answers === 1, () => `${answers} different answers to one key: ${told(deed)}`)
      }
    },
  },
  {
    name: 'asked-for',
    promise: 'nothing is there that nobody asked for',
    look: (tally, { history, books }) => {
      const marks = groupedBy(history.deeds, ({ mark }) => mark)
      const isMark = (mark: string | null) => mark !== null && marks.has(mark)
      for (const { id, notes } of books.orders)
        tally.that(isMark(notes), () => `order ${id} (${notes}) was never placed`)
      const listed = new Set(
        history.deeds.flatMap(({ wish, told }) => (wish.do === 'list product' && told[0] ? [told[0].id] : [])),
      )
      for (const { id, name } of books.products)
        tally.that(listed.has(id) || isMark(markOf(name)), () => `product ${id} (${name}) was never listed`)
      for (const name of books.usernames) tally.that(isMark(name), () => `user ${name} never registered`)
    },
  },
  {
    name: 'decided',
    promise: 'every outcome that was unknown is known after a repeat with its key',
    look: (tally, { history }) => {
      for (const deed of history.deeds) {
        if (isRepeatable(deed))
          tally.that(fateOf(deed) !== 'undecided', () => `still undecided (${codesOf(deed)}): ${told(deed)}`)
        else if (fateOf(deed) === 'undecided') tally.count('without a key, so that the books told')
      }
    },
  },
]

const codesOf = ({ calls }: Deed): string => calls.map(({ status, code }) => code ?? status).join(', ')
