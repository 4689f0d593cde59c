import type { NumberedEntry, OpenOrder, OpenQuery, OrderStore, ProductDay } from '../../application/ports'
import { lineTotalCents, saleOf, type Order } from '../../domain/order'
import { firstEntry, type TrackingEntry } from '../../domain/tracking'

type Queries = Omit<OrderStore, 'place' | 'update' | 'begin' | 'updateIfFree'>

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

  const listOpen =
    <Open extends OpenOrder>(openOf: (order: Order) => Open | undefined) =>
    ({ until, after, limit }: OpenQuery): Promise<Open[]> =>
      answer(
        [...orders.values()]
          .flatMap((order) => openOf(order) ?? [])
          .filter((open) => open.since <= until && (!after || oldestFirst(open, after) > 0))
          .sort(oldestFirst)
          .slice(0, limit),
      )

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

    unpaidOrders: listOpen(({ id, status, createdAt }) =>
      status === 'PLACED' ? { orderId: id, since: createdAt } : undefined,
    ),
    pendingPayments: listOpen(({ id, payment }) =>
      payment.status === 'PENDING'
        ? { orderId: id, paymentId: payment.attempt.id, since: payment.attempt.requestedAt }
        : undefined,
    ),
    pendingRefunds: listOpen(({ id, payment }) =>
      payment.status === 'REFUND_PENDING'
        ? { orderId: id, paymentId: payment.attempt.id, since: payment.refundRequestedAt }
        : undefined,
    ),
  }
}

const oldestFirst = (a: OpenOrder, b: OpenOrder): number =>
  a.since.getTime() - b.since.getTime() || (a.orderId < b.orderId ? -1 : Number(a.orderId > b.orderId))
