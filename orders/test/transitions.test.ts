import { ORDER_STATUSES, asOrder, holdUntil, saleOf, type Order } from '../src/domain/order'
import { PAYMENT_STATUSES, type Payment } from '../src/domain/payment'
import { err, ok } from '../src/domain/result'
import { SHIPMENT_STATUSES, type Shipment } from '../src/domain/shipment'
import { firstEntry, trackingBetween } from '../src/domain/tracking'
import { cancel, expire, finishPayment, finishRefund, moveShipment, startPayment } from '../src/domain/transitions'
import { CANCELLED_STATES, LATER, NOW, PLACED_STATES, STATES, anOrder, apply } from './an-order'

const AFTER = new Date('2026-11-21T10:00:00.000Z')
const attempt = { id: 'try', card: { brand: 'visa', last4: '4242' } }
const attemptOf = (order: Order) => ('attempt' in order.payment ? order.payment.attempt : undefined)
const next = (order: Order) => ({ version: order.version + 1, updatedAt: AFTER })

describe('paying', () => {
  test.each(['UNPAID', 'FAILED'] as const)('an order whose payment is %s can be paid', (payment) => {
    const order = anOrder({ payment, sellers: ['s1', 's2'] })
    const pending = { status: 'PENDING', attempt: { ...attempt, amountCents: 600, requestedAt: AFTER } }
    expect(startPayment(order, attempt, AFTER)).toEqual(
      ok({ order: { ...order, ...next(order), payment: pending }, returned: [] }),
    )
  })

  test.each(STATES.filter(({ status, payment }) => status !== 'PLACED' || payment === 'PENDING'))(
    'an order that is $status and $payment can not',
    (state) => {
      const code =
        state.status === 'CANCELLED'
          ? 'order-not-payable'
          : state.status === 'PLACED'
            ? 'payment-in-progress'
            : 'order-already-paid'
      expect(startPayment(anOrder(state), attempt, AFTER)).toEqual(err({ code, status: state.status }))
    },
  )

  test('a charge that succeeded makes the order paid, with a shipment for each seller', () => {
    const order = anOrder({ payment: 'PENDING', sellers: ['s2', 's1', 's2'] })
    const born = { status: 'PENDING', createdAt: AFTER, updatedAt: AFTER }
    expect(finishPayment(order, attemptOf(order)?.id ?? '', 'SUCCEEDED', AFTER)).toEqual(
      ok({
        order: {
          ...order,
          ...next(order),
          status: 'PAID',
          payment: { status: 'PAID', attempt: attemptOf(order), settledAt: AFTER },
          shipments: [
            { sellerId: 's1', ...born },
            { sellerId: 's2', ...born },
          ],
        },
        returned: [],
      }),
    )
  })

  test('a charge that succeeded after the order was cancelled is to be refunded, and brings no shipments', () => {
    const order = anOrder({ status: 'CANCELLED', payment: 'PENDING' })
    const payment = {
      status: 'REFUND_PENDING',
      attempt: attemptOf(order),
      settledAt: AFTER,
      refundRequestedAt: AFTER,
    }
    expect(finishPayment(order, attemptOf(order)?.id ?? '', 'SUCCEEDED', AFTER)).toEqual(
      ok({ order: { ...order, ...next(order), payment }, returned: [] }),
    )
  })

  test.each(
    (['PLACED', 'CANCELLED'] as const).flatMap((status) =>
      (['DECLINED', 'NOT_CHARGED'] as const).map((outcome) => ({ status, outcome })),
    ),
  )('a charge that was $outcome leaves a $status order as it was, with a failed payment', ({ status, outcome }) => {
    const order = anOrder({ status, payment: 'PENDING' })
    const payment = { status: 'FAILED', attempt: attemptOf(order), outcome, settledAt: AFTER }
    expect(finishPayment(order, attemptOf(order)?.id ?? '', outcome, AFTER)).toEqual(
      ok({ order: { ...order, ...next(order), payment }, returned: [] }),
    )
  })

  test.each(STATES)('what is settled stays, and another try is none of it: $status and $payment', (state) => {
    const order = anOrder(state)
    const settled = state.payment !== 'PENDING'
    for (const outcome of ['SUCCEEDED', 'DECLINED', 'NOT_CHARGED'] as const) {
      expect(finishPayment(order, 'another', outcome, AFTER)).toEqual(ok({ order, returned: [] }))
      if (settled)
        expect(finishPayment(order, attemptOf(order)?.id ?? 'none', outcome, AFTER)).toEqual(
          ok({ order, returned: [] }),
        )
    }
  })

  test.each(STATES)('only a refund that is due can be done: $status and $payment', (state) => {
    const order = anOrder(state)
    const refunded = {
      ...order,
      ...next(order),
      payment: { ...order.payment, status: 'REFUNDED', refundedAt: AFTER },
    }
    expect(finishRefund(order, AFTER)).toEqual(
      ok({ order: state.payment === 'REFUND_PENDING' ? refunded : order, returned: [] }),
    )
  })
})

describe('cancelling', () => {
  test.each(STATES)('an order that is $status and $payment', (state) => {
    const order = anOrder({ ...state, sellers: ['s1', 's2'] })
    const payment =
      order.payment.status === 'PAID'
        ? { ...order.payment, status: 'REFUND_PENDING', refundRequestedAt: AFTER }
        : order.payment
    const returned = ['of s1', 'of s2'].map((productId) => ({ productId, quantity: 2 }))
    const cancelled = ok({ order: { ...order, ...next(order), status: 'CANCELLED', payment }, returned })
    const tooLate = err({ code: 'order-not-cancellable', status: state.status })
    const expected = {
      PLACED: cancelled,
      PAID: cancelled,
      PACKED: tooLate,
      OUT_FOR_DELIVERY: tooLate,
      DELIVERED: tooLate,
      CANCELLED: ok({ order, returned: [] }),
    }
    expect(cancel(order, AFTER)).toEqual(expected[state.status])
  })

  test('is too late as soon as one of two sellers has packed', () => {
    const order = apply(anOrder({ status: 'PAID', sellers: ['s1', 's2'] }), (paid) =>
      moveShipment(paid, 's2', 'PACKED', LATER),
    )
    expect(cancel(order, AFTER)).toEqual(err({ code: 'order-not-cancellable', status: 'PAID' }))
  })

  test.each(STATES)('when its hold has run out: $status and $payment', (state) => {
    const order = anOrder(state)
    const returned = [{ productId: 'of s1', quantity: 2 }]
    expect(expire(order, 90, AFTER)).toEqual(
      state.status === 'PLACED'
        ? ok({ order: { ...order, ...next(order), status: 'CANCELLED' }, returned })
        : err({ code: 'hold-not-over', status: state.status }),
    )
  })

  test('not a moment before the hold has run out, and never when there is none', () => {
    const order = anOrder()
    const notOver = err({ code: 'hold-not-over', status: 'PLACED' })
    expect(expire(order, 90, new Date(AFTER.getTime() - 1))).toEqual(notOver)
    expect(expire(order, 0, AFTER)).toEqual(notOver)
  })

  test('only a placed order is held, and not by a hold of 0 minutes', () => {
    expect(STATES.map((state) => holdUntil(anOrder(state), 90))).toEqual(
      STATES.map(({ status }) => (status === 'PLACED' ? AFTER : null)),
    )
    expect(holdUntil(anOrder(), 0)).toBeNull()
  })
})

describe('shipping', () => {
  const to = (status: Shipment['status']) => (order: Order) => moveShipment(order, 's1', status, AFTER)

  test.each(SHIPMENT_STATUSES.flatMap((from) => SHIPMENT_STATUSES.map((target) => ({ from, target }))))(
    'a shipment that is $from is moved to $target only if that is the next step',
    ({ from, target }) => {
      const order = anOrder({ status: from === 'PENDING' ? 'PAID' : from })
      const step = SHIPMENT_STATUSES.indexOf(target) - SHIPMENT_STATUSES.indexOf(from) === 1
      const moved = { sellerId: 's1', status: target, createdAt: LATER, updatedAt: AFTER }
      expect(to(target)(order)).toEqual(
        step
          ? ok({ order: { ...order, ...next(order), status: target, shipments: [moved] }, returned: [] })
          : err({ code: 'invalid-transition', from, to: target }),
      )
    },
  )

  test.each([...PLACED_STATES, ...CANCELLED_STATES])(
    'nothing of an order is packed that is $status and $payment',
    (state) => {
      expect(to('PACKED')(anOrder(state))).toEqual(
        err({ code: 'invalid-transition', from: state.status, to: 'PACKED' }),
      )
    },
  )

  test('the order is as far as its least advanced shipment, and a step touches no other shipment', () => {
    let order = anOrder({ status: 'PAID', sellers: ['s1', 's2'] })
    const seen = [['s1', 'PACKED'], ['s1', 'OUT_FOR_DELIVERY'], ['s2', 'PACKED'], ['s1', 'DELIVERED'], ['s2', 'OUT_FOR_DELIVERY'], ['s2', 'DELIVERED']] as const // prettier-ignore
    const statuses = seen.map(([sellerId, status]) => {
      const other = order.shipments.find((shipment) => shipment.sellerId !== sellerId)
      order = apply(order, (before) => moveShipment(before, sellerId, status, AFTER))
      expect(order.shipments).toContain(other)
      return order.status
    })
    expect(statuses).toEqual(['PAID', 'PAID', 'PACKED', 'PACKED', 'OUT_FOR_DELIVERY', 'DELIVERED'])
  })

  test('somebody who sells nothing of the order has nothing to move', () => {
    expect(() => moveShipment(anOrder({ status: 'PAID' }), 'stranger', 'PACKED', AFTER)).toThrow('stranger')
  })
})

describe('what is shown', () => {
  test('a seller is shown the own lines and shipment, and a stranger nothing', () => {
    const order = anOrder({ status: 'PACKED', sellers: ['s1', 's2', 's1'] })
    const { payment, shipments, ...terms } = order
    expect(saleOf(order, 's2')).toEqual({
      ...terms,
      paymentStatus: payment.status,
      lines: [order.lines[1]],
      shipment: shipments[1],
    })
    expect(saleOf(anOrder({ sellers: ['s1'] }), 's1')?.shipment).toBeUndefined()
    expect(saleOf(order, 's3')).toBeUndefined()
  })

  test('the history of an order tells causes first', () => {
    const order = anOrder({ payment: 'PENDING', sellers: ['s1', 's2'] })
    const entries = (before: Order, after: Order) =>
      trackingBetween(before, after).map((entry) => [entry.at, entry.sellerId, entry.status])
    const paid = apply(order, () => finishPayment(order, attemptOf(order)?.id ?? '', 'SUCCEEDED', AFTER))
    const half = apply(paid, () => moveShipment(paid, 's2', 'PACKED', AFTER))
    const packed = apply(half, () => moveShipment(half, 's1', 'PACKED', AFTER))
    expect(firstEntry(order)).toEqual({ at: NOW, sellerId: null, status: 'PLACED' })
    expect(entries(anOrder(), order)).toEqual([])
    expect(entries(order, paid)).toEqual([[AFTER, null, 'PAID'], [AFTER, 's1', 'PENDING'], [AFTER, 's2', 'PENDING']]) // prettier-ignore
    expect(entries(paid, half)).toEqual([[AFTER, 's2', 'PACKED']])
    expect(entries(half, packed)).toEqual([[AFTER, 's1', 'PACKED'], [AFTER, null, 'PACKED']]) // prettier-ignore
    expect(
      entries(
        paid,
        apply(paid, () => cancel(paid, AFTER)),
      ),
    ).toEqual([[AFTER, null, 'CANCELLED']])
  })
})

test('parts that no transition brings together are no order', () => {
  const legal = new Set(STATES.map(({ status, payment }) => `${status} ${payment}`))
  const paymentOf = (payment: Payment['status']) =>
    anOrder(STATES.find((state) => state.payment === payment) ?? {}).payment
  const accepted = ORDER_STATUSES.flatMap((status) =>
    PAYMENT_STATUSES.filter((payment) => {
      const { shipments, ...terms } = anOrder({ status: payment === 'PAID' && status !== 'CANCELLED' && status !== 'PLACED' ? status : 'PLACED' }) // prettier-ignore
      try {
        return asOrder(terms, { status, payment: paymentOf(payment), shipments }).status === status
      } catch {
        return false
      }
    }).map((payment) => `${status} ${payment}`),
  )
  expect(new Set(accepted)).toEqual(legal)

  const { shipments, payment, ...terms } = anOrder({ status: 'PACKED' })
  for (const parts of [
    { status: 'PAID', payment, shipments },
    { status: 'PACKED', payment, shipments: [] },
    { status: 'CANCELLED', payment: paymentOf('UNPAID'), shipments },
    { status: 'CANCELLED', payment: paymentOf('REFUNDED'), shipments },
  ] as const)
    expect(() => asOrder(terms, parts)).toThrow(terms.id)
})
