import { randomUUID } from 'node:crypto'
import { uuidv7 } from 'uuidv7'
import type { KeyClaim, OpenOrder, OpenQuery, OrderStore } from '../src/application/ports'
import type { Order } from '../src/domain/order'
import { err, ok } from '../src/domain/result'
import { cancel, expire, finishPayment, finishRefund, startPayment } from '../src/domain/transitions'
import { LATER, STATES, bring } from './an-order'
import { aPlacement, onceFor, placed, type World } from './order-store.contract'

/** What becomes of orders after they were placed. */
export function orderLifeContract(name: string, open: () => Promise<World>): void {
  describe(`${name} order store, after an order was placed`, () => {
    let world: World
    let store: OrderStore
    beforeAll(async () => {
      world = await open()
      store = world.store
    })

    /** Of one unit of each of as many sellers' products. */
    const anOrderOf = async (sellers: number, placement: { buyerId?: string; placedAt?: Date } = {}) => {
      const products = await Promise.all(Array.from({ length: sellers }, () => world.addProduct({ available: 1 })))
      const lines = products.map(({ id }) => ({ productId: id, quantity: 1 }))
      return { products, order: await placed(store, aPlacement({ lines, ...placement })) }
    }
    const stockOf = (products: readonly { id: string }[]) =>
      Promise.all(products.map((product) => world.available(product.id)))
    const attemptOf = ({ payment }: Order) => (payment.status === 'UNPAID' ? 'none' : payment.attempt.id)

    test.each(STATES)('an order that is $status and $payment is found and listed as it was decided', async (state) => {
      const buyerId = randomUUID()
      const { products, order } = await anOrderOf(2, { buyerId })
      const neighbour = await anOrderOf(1, { buyerId })
      const reached = await bring(store, order, state)
      expect({ status: reached.status, payment: reached.payment.status }).toEqual(state)
      expect(await store.find(order.id)).toEqual(reached)
      const list = { buyerId, status: undefined, after: undefined, limit: 10 }
      expect(await store.list(list)).toEqual([neighbour.order, reached])
      expect(await stockOf(products)).toEqual(state.status === 'CANCELLED' ? [1, 1] : [0, 0])
      expect(await stockOf(neighbour.products)).toEqual([0])
    })

    test('the last try is the payment of an order, however many have failed', async () => {
      const { order } = await anOrderOf(1)
      for (const _ of [1, 2, 3]) {
        const failed = await bring(store, order, { payment: 'FAILED' })
        expect(await store.find(order.id)).toEqual(failed)
      }
      const paid = await bring(store, order, { status: 'PAID' })
      expect(await store.find(order.id)).toEqual(paid)
    })

    describe('a payment that is started under a key', () => {
      const card = { brand: 'visa', last4: '4242' }
      const receipt = ({ id, payment }: Order) => ({ status: 200, location: null, etag: '"3"', body: `{"${id}":"${payment.status}"}` }) // prettier-ignore
      const aKey = (): KeyClaim => {
        const { receipt: _, ...key } = onceFor({ route: 'POST /orders/{id}/payment' })
        return key
      }
      const begin = (order: Order, once: KeyClaim | undefined) =>
        store.begin(order.id, once, (current) => startPayment(current, { id: uuidv7(), card }, LATER))
      const begun = async (order: Order, once: KeyClaim | undefined): Promise<Order> => {
        const result = await begin(order, once)
        if (!result.ok || result.value.repeated) throw new Error(`not begun: ${JSON.stringify(result)}`)
        return result.value.order
      }
      const finish = (order: Order, outcome: 'SUCCEEDED' | 'DECLINED', tell?: typeof receipt) =>
        store.update(order.id, null, (current) => finishPayment(current, attemptOf(order), outcome, LATER), tell)

      test('is in progress until it is settled, and then a repeat gets the receipt and starts nothing', async () => {
        const { order } = await anOrderOf(1)
        const once = aKey()
        const pending = await begun(order, once)
        expect(pending.payment.status).toBe('PENDING')
        expect(await store.find(order.id)).toEqual(pending)
        expect(await begin(order, once)).toEqual(err({ code: 'request-in-progress' }))
        expect(await begin(order, { ...once, fingerprint: 'other' })).toEqual(err({ code: 'idempotency-key-reused' }))
        const paid = await finish(pending, 'SUCCEEDED', receipt)
        expect(await begin(order, once)).toEqual(
          ok({ repeated: true, receipt: { status: 200, location: null, etag: '"3"', body: `{"${order.id}":"PAID"}` } }),
        )
        expect(await begin(order, { ...once, fingerprint: 'other' })).toEqual(err({ code: 'idempotency-key-reused' }))
        expect(ok(await store.find(order.id))).toEqual(paid)
      })

      test('frees its key when it is settled without a receipt, and keeps no answer twice', async () => {
        const { order } = await anOrderOf(1)
        const once = aKey()
        const first = await begun(order, once)
        await finish(first, 'DECLINED')
        await finish(first, 'DECLINED', receipt) // said again: the key may have become another's by now
        const second = await begun(order, { ...once, fingerprint: 'another card' })
        expect(attemptOf(second)).not.toBe(attemptOf(first))
        await finish(first, 'SUCCEEDED', receipt)
        expect(await begin(order, { ...once, fingerprint: 'another card' })).toEqual(
          err({ code: 'request-in-progress' }),
        )
        expect(await store.find(order.id)).toEqual(second)
      })

      test('is in progress also while the order is changed otherwise', async () => {
        const { products, order } = await anOrderOf(1)
        const once = aKey()
        const pending = await begun(order, once)
        await store.update(order.id, order.buyerId, (current) => cancel(current, LATER), receipt)
        expect(await begin(order, once)).toEqual(err({ code: 'request-in-progress' }))
        expect(await stockOf(products)).toEqual([1])
        await finish(pending, 'SUCCEEDED')
        expect(await begin(order, once)).toEqual(err({ code: 'order-not-payable', status: 'CANCELLED' }))
      })

      test('uses up no key when it is refused, or when there is no such order', async () => {
        const [{ order: paid }, { order }] = [await anOrderOf(1), await anOrderOf(1)]
        await bring(store, paid, { status: 'PAID' })
        const once = aKey()
        expect(await begin(paid, once)).toEqual(err({ code: 'order-already-paid', status: 'PAID' }))
        expect(await begin({ ...paid, id: randomUUID() }, once)).toEqual(err({ code: 'order-not-found' }))
        expect((await begun(order, once)).payment.status).toBe('PENDING')
      })

      test('needs no key', async () => {
        const { order } = await anOrderOf(1)
        const pending = await begun(order, undefined)
        expect(await begin(order, undefined)).toEqual(err({ code: 'payment-in-progress', status: 'PLACED' }))
        expect(await finish(pending, 'SUCCEEDED', receipt)).toMatchObject({ ok: true, value: { status: 'PAID' } })
      })
    })

    describe('what is left over', () => {
      const at = (minute: number) => new Date(Date.UTC(2001, 0, 1, 0, minute))

      /** Orders, each of one unit, that were placed in these minutes of a time when there were no others. */
      const placedIn = async (...minutes: number[]) => {
        const orders = []
        for (const minute of minutes) orders.push(await anOrderOf(1, { placedAt: at(minute) }))
        return orders
      }
      /** All that `list` has by that minute, as it comes in pages. */
      async function inPages<Open extends OpenOrder>(
        list: (query: OpenQuery) => Promise<Open[]>,
        minute: number,
        limit: number,
      ): Promise<Open[][]> {
        const pages: Open[][] = []
        for (let after: Open | undefined; ; after = pages.at(-1)?.at(-1)) {
          const page = await list({ until: at(minute), after, limit })
          if (page.length === 0) return pages
          pages.push(page)
        }
      }

      test('unpaid orders are listed from the oldest on, in pages, until they are paid or cancelled', async () => {
        const [third, first, second, paid, cancelled, young] = await placedIn(3, 1, 2, 0, 0, 9)
        if (!third || !first || !second || !paid || !cancelled || !young) throw new Error('not placed')
        await bring(store, paid.order, { status: 'PAID' })
        await bring(store, cancelled.order, { status: 'CANCELLED' })
        await bring(store, second.order, { payment: 'PENDING' })
        const twins = (await placedIn(2, 2)).map(({ order }) => order) // placed in one millisecond with the second
        const named = (...orders: Order[]) => orders.map(({ id, createdAt }) => ({ orderId: id, since: createdAt }))
        const due = named(first.order, ...[second.order, ...twins].sort((a, b) => (a.id < b.id ? -1 : 1)), third.order)
        expect(await inPages(store.unpaidOrders, 3, 10)).toEqual([due])
        expect(await inPages(store.unpaidOrders, 3, 2)).toEqual([due.slice(0, 2), due.slice(2, 4), due.slice(4)])
        expect(await inPages(store.unpaidOrders, 9, 1)).toEqual([...due, ...named(young.order)].map((each) => [each]))
        for (const { orderId } of [...due, ...named(young.order)])
          await store.update(orderId, null, (order) => cancel(order, LATER))
        expect(await inPages(store.unpaidOrders, 9, 2)).toEqual([])
      })

      test('an order that nobody holds is changed by the shop, if the change is not refused', async () => {
        const { products, order } = await anOrderOf(1)
        expect(await store.updateIfFree(order.id, () => err({ code: 'no' }))).toEqual(err({ code: 'no' }))
        expect(await store.find(order.id)).toEqual(order)
        const expired = await store.updateIfFree(order.id, (current) => expire(current, 10, LATER))
        expect(expired).toMatchObject({ ok: true, value: { id: order.id, status: 'CANCELLED' } })
        expect(ok(await store.find(order.id))).toEqual(expired)
        expect(await stockOf(products)).toEqual([1])
        expect((await world.movements(products[0]?.id ?? '')).map(({ reason, actorId }) => [reason, actorId])).toEqual([
          ['ORDERED', order.buyerId],
          ['CANCELLED', null], // nobody asked for it
        ])
        expect(await store.updateIfFree(randomUUID(), () => err({ code: 'no' }))).toEqual(ok(undefined))
      })

      test('charges and refunds without an end are listed from the oldest on, in pages, until they have one', async () => {
        const orders = (await Promise.all([1, 2, 3].map(() => anOrderOf(1)))).map(({ order }) => order)
        const [second, first, third] = orders as [Order, Order, Order]
        const open = async (list: typeof store.pendingPayments, minute: number, limit = 10) =>
          (await inPages(list, minute, limit)).map((page) => page.map(({ orderId, paymentId }) => [orderId, paymentId]))
        const named = async (...expected: Order[]) =>
          Promise.all(expected.map(async ({ id }) => [id, attemptOf((await store.find(id)) ?? first)]))

        for (const [order, minute] of [
          [second, 2],
          [first, 1],
          [third, 3],
        ] as const)
          // prettier-ignore
          await bring(store, order, { payment: 'PENDING', at: at(minute) })
        expect(await open(store.pendingPayments, 2)).toEqual([await named(first, second)])
        expect(await open(store.pendingPayments, 3, 2)).toEqual([await named(first, second), await named(third)])
        const finish = async (order: Order, outcome: 'SUCCEEDED' | 'DECLINED', minute: number) => {
          const attempt = attemptOf((await store.find(order.id)) ?? order)
          await store.update(order.id, null, (current) => finishPayment(current, attempt, outcome, at(minute)))
        }
        await finish(first, 'SUCCEEDED', 5)
        await finish(second, 'SUCCEEDED', 4)
        await finish(third, 'DECLINED', 4)
        expect(await open(store.pendingPayments, 9)).toEqual([])

        expect(await open(store.pendingRefunds, 9)).toEqual([])
        for (const [order, minute] of [
          [second, 7],
          [first, 6],
        ] as const)
          // prettier-ignore
          await store.update(order.id, order.buyerId, (current) => cancel(current, at(minute)))
        expect(await open(store.pendingRefunds, 6)).toEqual([await named(first)])
        expect(await open(store.pendingRefunds, 9)).toEqual([await named(first, second)])
        expect(await open(store.pendingRefunds, 9, 1)).toEqual([await named(first), await named(second)])
        for (const order of [first, second])
          await store.update(order.id, null, (current) => finishRefund(current, at(8)))
        expect(await open(store.pendingRefunds, 9)).toEqual([])
      })
    })
  })
}
