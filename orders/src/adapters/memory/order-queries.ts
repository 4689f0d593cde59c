import type { NumberedEntry, OpenPayment, OrderStore, ProductDay } from '../../application/ports'
import { lineTotalCents, saleOf, type Order } from '../../domain/order'
import { firstEntry, type TrackingEntry } from '../../domain/tracking'

type Queries = Omit<OrderStore, 'place' | 'update' | 'begin' | 'updateNextPlaced'>

/** Reads of the store's maps; `history` has what came after an order was placed. Copies go out. */
export function orderQueries(
  orders: ReadonlyMap<string, Order>,
  history: ReadonlyMap<string, readonly TrackingEntry[]>,
): Queries {
  const answer = <T>(value: T): Promise<T> => Promise.resolve(structuredClone(value))
  const newestFirst = (query: { status: Order['status'] | undefined; after: string | undefined }): Order[] =>
    [...orders.values()]
      .filter(({ status }) => query.status === undefined || status === query.status)
      .filter(({ id }) => query.after === undefined || id < query.after)
      .sort((a, b) => (a.id < b.id ? 1 : -1))

  return {
    find: (id) => answer(orders.get(id)),

    list: (query) =>
      answer(
        newestFirst(query)
          .filter(({ buyerId }) => query.buyerId === undefined || buyerId === query.buyerId)
          .slice(0, query.limit),
      ),

    sales: (query) =>
      answer(
        newestFirst(query)
          .flatMap((order) => saleOf(order, query.sellerId) ?? [])
          .slice(0, query.limit),
      ),

    salesSummary: ({ sellerId, from = '', to = '9999-12-31', after, limit }) => {
      const rows = new Map<string, ProductDay>()
      for (const order of newestFirst({ status: undefined, after: undefined }).reverse()) {
        const shipment = order.shipments.find((each) => each.sellerId === sellerId)
        const day = shipment?.createdAt.toISOString().slice(0, 10)
        if (day === undefined || day < from || day > to) continue
        const stands = order.status !== 'CANCELLED'
        for (const line of order.lines.filter((each) => each.sellerId === sellerId)) {
          const { productId, name, quantity } = line
          const row = rows.get(day + productId) ?? { units: 0, revenueCents: 0, cancelledUnits: 0 }
          rows.set(day + productId, {
            day,
            productId,
            name,
            units: row.units + (stands ? quantity : 0),
            revenueCents: row.revenueCents + (stands ? lineTotalCents(line) : 0),
            cancelledUnits: row.cancelledUnits + (stands ? 0 : quantity),
          })
        }
      }
      const sorted = [...rows].sort(([a], [b]) => (a < b ? -1 : 1))
      const left = after ? sorted.filter(([key]) => key > after.day + after.productId) : sorted
      return answer(left.slice(0, limit).map(([, row]) => row))
    },

    tracking: ({ orderId, sellerId, after = -1, limit }) => {
      const order = orders.get(orderId)
      const entries = order ? [firstEntry(order), ...(history.get(orderId) ?? [])] : []
      return answer(
        entries
          .map((entry, no): NumberedEntry => ({ ...entry, no }))
          .filter((entry) => entry.no > after)
          .filter((entry) => sellerId === undefined || entry.sellerId === null || entry.sellerId === sellerId)
          .slice(0, limit),
      )
    },

    pendingPayments: ({ until, limit }) =>
      answer(
        oldest(orders, limit, ({ payment }) =>
          payment.status === 'PENDING' && payment.attempt.requestedAt <= until
            ? { paymentId: payment.attempt.id, at: payment.attempt.requestedAt }
            : undefined,
        ),
      ),

    pendingRefunds: ({ until, limit }) =>
      answer(
        oldest(orders, limit, ({ payment }) =>
          payment.status === 'REFUND_PENDING' && payment.refundRequestedAt <= until
            ? { paymentId: payment.attempt.id, at: payment.refundRequestedAt }
            : undefined,
        ),
      ),
  }
}

const oldest = (
  orders: ReadonlyMap<string, Order>,
  limit: number,
  openOf: (order: Order) => { paymentId: string; at: Date } | undefined,
): OpenPayment[] =>
  [...orders.values()]
    .flatMap((order) => {
      const open = openOf(order)
      return open ? [{ ...open, orderId: order.id }] : []
    })
    .sort((a, b) => a.at.getTime() - b.at.getTime())
    .slice(0, limit)
    .map(({ orderId, paymentId }) => ({ orderId, paymentId }))
