import { randomUUID } from 'node:crypto'
import type { NumberedEntry, OrderStore, SalesQuery, SummaryQuery } from '../src/application/ports'
import { saleOf, type Order } from '../src/domain/order'
import { cancel, finishPayment, moveShipment } from '../src/domain/transitions'
import { LATER, NOW, bring } from './an-order'
import { aPlacement, placed, type World } from './order-store.contract'

/** What sellers and buyers look up beyond an order. */
export function orderQueriesContract(name: string, open: () => Promise<World>): void {
  describe(`${name} order store, asked`, () => {
    let world: World
    let store: OrderStore
    beforeAll(async () => {
      world = await open()
      store = world.store
    })

    const order = (...lines: { id: string; quantity?: number }[]): Promise<Order> =>
      placed(store, aPlacement({ lines: lines.map(({ id, quantity = 1 }) => ({ productId: id, quantity })) }))
    /** Two products of one seller, and one of another. */
    const sellersProducts = async () => {
      const sellerId = randomUUID()
      const [mug, cup, other] = await Promise.all([
        world.addProduct({ available: 100, sellerId, priceCents: 250, name: 'Mug' }),
        world.addProduct({ available: 100, sellerId, priceCents: 100, name: 'Cup' }),
        world.addProduct({ available: 100, priceCents: 999 }),
      ])
      return { sellerId, mug, cup, other }
    }

    describe("for a seller's orders", () => {
      const sales = (query: Partial<SalesQuery> & { sellerId: string }) =>
        store.sales({ status: undefined, after: undefined, limit: 10, ...query })

      test('shows those with lines of the seller, with these lines and this shipment only', async () => {
        const { sellerId, mug, cup, other } = await sellersProducts()
        const unpaid = await order(other, mug, cup)
        const packed = await bring(store, await order(mug, other), { status: 'PACKED' })
        await order(other)
        expect(await sales({ sellerId })).toEqual([packed, unpaid].map((each) => saleOf(each, sellerId)))
        const [first, second] = await sales({ sellerId })
        expect([first?.lines, second?.lines].map((lines) => lines?.map((line) => line.productId))).toEqual([
          [mug.id],
          [mug.id, cup.id],
        ])
        expect([first?.shipment?.sellerId, second?.shipment]).toEqual([sellerId, undefined])
        expect(await sales({ sellerId: randomUUID() })).toEqual([])
      })

      test('is newest first, pages on, and filters by status', async () => {
        const { sellerId, mug, cup } = await sellersProducts()
        const orders = []
        for (let n = 0; n < 4; n++) orders.push(await order(mug, cup))
        const [one, two, three, four] = orders as [Order, Order, Order, Order]
        await bring(store, two, { status: 'CANCELLED' })
        await bring(store, three, { status: 'PAID' })
        const ids = async (query: Partial<SalesQuery>) => (await sales({ sellerId, ...query })).map(({ id }) => id)
        expect(await ids({})).toEqual([four.id, three.id, two.id, one.id])
        expect(await ids({ limit: 3 })).toEqual([four.id, three.id, two.id])
        expect(await ids({ after: three.id })).toEqual([two.id, one.id])
        expect(await ids({ status: 'PLACED' })).toEqual([four.id, one.id])
        expect(await ids({ status: 'PLACED', after: four.id })).toEqual([one.id])
        expect(await ids({ status: 'PLACED', limit: 1 })).toEqual([four.id])
        expect([await ids({ status: 'PAID' }), await ids({ status: 'CANCELLED' })]).toEqual([[three.id], [two.id]])
      })
    })

    describe('for the history of an order', () => {
      test('tells what the order and its shipments reached, oldest first, page by page', async () => {
        const { sellerId, mug, other } = await sellersProducts()
        const placedOrder = await order(mug, other)
        await bring(store, await order(mug, other), { status: 'DELIVERED' })
        const paid = await bring(store, placedOrder, { status: 'PAID', at: LATER })
        const sellers = [sellerId, other.sellerId].sort()
        for (const seller of [other.sellerId, sellerId])
          await store.update(paid.id, seller, (current) => moveShipment(current, seller, 'PACKED', LATER))
        const entries: NumberedEntry[] = [
          { no: 0, at: NOW, sellerId: null, status: 'PLACED' },
          { no: 1, at: LATER, sellerId: null, status: 'PAID' },
          { no: 2, at: LATER, sellerId: sellers[0] ?? '', status: 'PENDING' },
          { no: 3, at: LATER, sellerId: sellers[1] ?? '', status: 'PENDING' },
          { no: 4, at: LATER, sellerId: other.sellerId, status: 'PACKED' },
          { no: 5, at: LATER, sellerId, status: 'PACKED' },
          { no: 6, at: LATER, sellerId: null, status: 'PACKED' },
        ]
        const all = { orderId: paid.id, sellerId: undefined, after: undefined, limit: 20 }
        expect(await store.tracking(all)).toEqual(entries)
        expect(await store.tracking({ ...all, limit: 3 })).toEqual(entries.slice(0, 3))
        expect(await store.tracking({ ...all, after: 2, limit: 2 })).toEqual(entries.slice(3, 5))
        expect(await store.tracking({ ...all, after: 6 })).toEqual([])
        const own = entries.filter((entry) => entry.sellerId === null || entry.sellerId === sellerId)
        expect(await store.tracking({ ...all, sellerId })).toEqual(own)
        expect(await store.tracking({ ...all, sellerId, after: 1, limit: 1 })).toEqual(own.slice(2, 3))
      })

      test('has one entry for an order that was only placed, and none for an unknown one', async () => {
        const { mug } = await sellersProducts()
        const query = { sellerId: undefined, after: undefined, limit: 20 }
        const { id } = await order(mug)
        expect(await store.tracking({ ...query, orderId: id })).toEqual([
          { no: 0, at: NOW, sellerId: null, status: 'PLACED' },
        ])
        expect(await store.tracking({ ...query, orderId: randomUUID() })).toEqual([])
      })
    })

    describe('for the sums of sales', () => {
      const summary = (query: Partial<SummaryQuery> & { sellerId: string }) =>
        store.salesSummary({ from: undefined, to: undefined, after: undefined, limit: 10, ...query })
      const paidAt = async (iso: string, ...lines: { id: string; quantity?: number }[]) =>
        bring(store, await order(...lines), { status: 'PAID', at: new Date(iso) })
      const byProduct = <Row extends { day: string; productId: string }>(rows: Row[]) =>
        rows.sort((a, b) => (a.day + a.productId < b.day + b.productId ? -1 : 1))

      test('counts what was paid by the UTC day of its payment, and what was cancelled after that apart', async () => {
        const { sellerId, mug, cup, other } = await sellersProducts()
        await order(mug) // not paid
        await bring(store, await order(mug), { status: 'CANCELLED', payment: 'FAILED' })
        await paidAt('2026-03-01T23:59:59.999Z', { ...mug, quantity: 2 }, other)
        await paidAt('2026-03-02T00:00:00.000Z', mug, { ...cup, quantity: 3 })
        await bring(store, await paidAt('2026-03-02T12:00:00.000Z', mug), { status: 'CANCELLED' })
        await paidAt('2026-03-02T13:00:00.000Z', mug)
        // A charge that came too late was never a sale.
        const late = await bring(store, await order(cup), { payment: 'PENDING', at: new Date('2026-03-02T14:00:00.000Z') }) // prettier-ignore
        await store.update(late.id, late.buyerId, (current) => cancel(current, LATER))
        const attempt = late.payment.status === 'PENDING' ? late.payment.attempt.id : ''
        await store.update(late.id, null, (current) => finishPayment(current, attempt, 'SUCCEEDED', LATER))

        expect(await summary({ sellerId })).toEqual(
          byProduct([
            { day: '2026-03-01', productId: mug.id, name: 'Mug', units: 2, revenueCents: 500, cancelledUnits: 0 },
            { day: '2026-03-02', productId: mug.id, name: 'Mug', units: 2, revenueCents: 500, cancelledUnits: 1 },
            { day: '2026-03-02', productId: cup.id, name: 'Cup', units: 3, revenueCents: 300, cancelledUnits: 0 },
          ]),
        )
        expect(await summary({ sellerId: other.sellerId })).toMatchObject([{ day: '2026-03-01', revenueCents: 999 }])
        expect(await summary({ sellerId: randomUUID() })).toEqual([])
      })

      test('keeps sums beyond the range of an integer', async () => {
        const sellerId = randomUUID()
        const dear = await world.addProduct({ available: 2000, sellerId, priceCents: 100_000_000 })
        for (const _ of [1, 2]) await paidAt('2026-03-01T10:00:00.000Z', { ...dear, quantity: 1000 })
        expect(await summary({ sellerId })).toMatchObject([{ units: 2000, revenueCents: 200_000_000_000 }])
      })

      test('is bounded by days, both included, and pages on by day and product', async () => {
        const { sellerId, mug, cup } = await sellersProducts()
        for (const day of ['01', '02', '03', '04']) await paidAt(`2026-05-${day}T10:00:00.000Z`, mug, cup)
        const rows = byProduct(
          ['01', '02', '03', '04'].flatMap((day) =>
            [mug, cup].map(({ id: productId }) => ({ day: `2026-05-${day}`, productId })),
          ),
        )
        const keys = async (query: Partial<SummaryQuery>) =>
          (await summary({ sellerId, ...query })).map(({ day, productId }) => ({ day, productId }))
        expect(await keys({})).toEqual(rows)
        expect(await keys({ from: '2026-05-02', to: '2026-05-03' })).toEqual(rows.slice(2, 6))
        expect(await keys({ from: '2026-05-04' })).toEqual(rows.slice(6))
        expect(await keys({ to: '2026-05-01' })).toEqual(rows.slice(0, 2))
        expect(await keys({ limit: 3 })).toEqual(rows.slice(0, 3))
        const after = rows[2]
        expect(await keys({ after, limit: 3 })).toEqual(rows.slice(3, 6))
        expect(await keys({ from: '2026-05-02', to: '2026-05-03', after })).toEqual(rows.slice(3, 6))
      })
    })
  })
}
