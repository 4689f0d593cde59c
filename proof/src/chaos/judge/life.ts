import type { StoredOrder } from '../books'
import { fateOf } from '../history'
import { groupedBy, SHIPMENT_STEPS, type Evidence, type Promised } from './evidence'

/** A sweep comes every few seconds; this much later it must have been there, whatever it met. */
const SWEPT_MS = 30_000

const holdEnds = ({ createdAt }: StoredOrder, { holdMs }: Evidence): number => Date.parse(createdAt) + holdMs

/** What becomes of an order after it was placed. */
export const LIFE: readonly Promised[] = [
  {
    name: 'charged-once',
    promise: "by the gateway's own books a paid order is charged once, at its total, and any other not at all",
    look: (tally, { books, history }) => {
      const charges = groupedBy(books.charges, ({ reference, status }) => (status === 'SUCCEEDED' ? reference : null))
      const tries = groupedBy(history.deeds, ({ wish }) => (wish.do === 'pay' ? wish.orderId : null))
      for (const { id, paymentStatus, totalCents } of books.orders) {
        const made = charges.get(id) ?? []
        const standing = made.filter(({ refunded }) => !refunded)
        const due = paymentStatus === 'PAID' ? 1 : 0
        tally.that(
          standing.length === due,
          () => `order ${id} is ${paymentStatus}, and charged ${standing.length} times`,
        )
        tally.that(
          made.length <= 1 && made.every(({ amountCents }) => amountCents === totalCents),
          () => `order ${id} of ${totalCents} was charged ${made.map(({ amountCents }) => amountCents).join(', ')}`,
        )
        // One whose outcome was unknown may have charged an order that was cancelled before it was repeated, and refused then.
        const wished = (tries.get(id) ?? []).some(({ calls }) => calls.some(({ outcome }) => outcome !== 'refused'))
        tally.that(made.length === 0 || wished, () => `order ${id} was charged, and every payment was refused`)
        if (due) tally.count('paid orders')
        else if (made.length > 0) tally.count('refunds')
      }
      const orders = new Set(books.orders.map(({ id }) => id))
      for (const id of charges.keys()) tally.that(orders.has(id), () => `${id} was charged, and is no order`)
    },
  },
  {
    name: 'payments-end',
    promise: 'no charge and no refund stays open',
    look: (tally, { books }) => {
      for (const { id, paymentStatus } of books.orders)
        tally.that(
          paymentStatus !== 'PENDING' && paymentStatus !== 'REFUND_PENDING',
          () => `order ${id} is still ${paymentStatus}`,
        )
    },
  },
  {
    name: 'holds',
    promise:
      'an order that nobody cancels is cancelled when its hold is over: neither before, nor not at all, nor when it is paid',
    look: (tally, evidence) => {
      const { books, history, began, readAt } = evidence
      const cancels = groupedBy(history.deeds, ({ wish }) => (wish.do === 'cancel' ? wish.orderId : null))
      const wasCancelled = (id: string) => cancels.get(id)?.some((deed) => fateOf(deed) !== 'refused') ?? false
      const orders = new Map(books.orders.map((order) => [order.id, order]))
      for (const order of books.orders) {
        const ends = holdEnds(order, evidence)
        if (order.status === 'PLACED')
          tally.that(
            ends + SWEPT_MS > began + readAt,
            () => `order ${order.id} is still held, although its hold is over`,
          )
        if (order.status !== 'CANCELLED' || wasCancelled(order.id)) continue
        tally.count('expired')
        tally.that(ends <= began + readAt, () => `order ${order.id} is cancelled, nobody has, and its hold is not over`)
      }
      for (const { orderId, begunAt, ms, orderStatus } of history.sightings) {
        const order = orders.get(orderId)
        if (!order || orderStatus !== 'CANCELLED' || wasCancelled(orderId)) continue
        tally.that(
          holdEnds(order, evidence) <= began + begunAt + ms,
          () =>
            `order ${orderId} was seen cancelled at ${Math.round(begunAt)} ms; nobody had, and its hold was not over`,
        )
      }
    },
  },
  {
    name: 'shipped-by-steps',
    promise: 'a paid order has one shipment of each of its sellers, and is as far as the least advanced',
    look: (tally, { books }) => {
      const shipments = groupedBy(books.shipments, ({ orderId }) => orderId)
      for (const { id, status, lines } of books.orders) {
        const own = shipments.get(id) ?? []
        const steps = own.map((shipment) => SHIPMENT_STEPS.indexOf(shipment.status))
        if (status === 'PLACED') tally.equal(own, [], `the shipments of order ${id}, which is not paid`)
        else if (status === 'CANCELLED')
          tally.that(Math.max(0, ...steps) === 0, () => `order ${id} was cancelled after it had been packed`)
        else {
          const sellers = [...new Set(lines.map(({ sellerId }) => sellerId))].sort()
          tally.equal(own.map(({ sellerId }) => sellerId).sort(), sellers, `whose shipments order ${id} has`)
          const least = SHIPMENT_STEPS[Math.min(...steps)]
          tally.equal(status, least === 'PENDING' ? 'PAID' : least, `how far order ${id} is`)
          if (status !== 'PAID') tally.count('on their way')
        }
      }
    },
  },
]
