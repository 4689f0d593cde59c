import { randomUUID } from 'node:crypto'
import { uuidv7 } from 'uuidv7'
import type { OrderStore } from '../src/application/ports'
import { placedOrder, sellersOf, type Order } from '../src/domain/order'
import type { Payment } from '../src/domain/payment'
import { SHIPMENT_STATUSES, type ShipmentStatus } from '../src/domain/shipment'
import type { Result } from '../src/domain/result'
import {
  cancel,
  finishPayment,
  finishRefund,
  moveShipment,
  startPayment,
  type OrderChange,
} from '../src/domain/transitions'

export const NOW = new Date('2026-11-21T08:30:00.000Z')
export const LATER = new Date('2026-11-21T09:00:00.000Z')

export type Step = (order: Order) => Result<OrderChange, unknown>
export type State = { status: Order['status']; payment: Payment['status'] }
export const CANCELLED_STATES = (['UNPAID', 'PENDING', 'FAILED', 'REFUND_PENDING', 'REFUNDED'] as const).map(
  (payment): State => ({ status: 'CANCELLED', payment }),
)
export const PLACED_STATES = (['UNPAID', 'PENDING', 'FAILED'] as const).map((payment): State => ({
  status: 'PLACED',
  payment,
}))
const PAID_STATES = (['PAID', 'PACKED', 'OUT_FOR_DELIVERY', 'DELIVERED'] as const).map((status): State => ({
  status,
  payment: 'PAID',
}))
/** All that an order can be in. */
export const STATES = [...PLACED_STATES, ...PAID_STATES, ...CANCELLED_STATES]

type Aim = { status?: Order['status']; payment?: Payment['status']; at?: Date }

const CARD = { brand: 'visa', last4: '4242' }

/** How an order that was placed gets to a state: one transition after another. */
function stepsTo({ status = 'PLACED', payment = 'UNPAID', at = LATER }: Aim): Step[] {
  const id = uuidv7()
  const start: Step = (order) => startPayment(order, { id, card: CARD }, at)
  const paid: Step[] = [start, (order) => finishPayment(order, id, 'SUCCEEDED', at)]
  const stop: Step[] = status === 'CANCELLED' ? [(order) => cancel(order, at)] : []
  if (payment === 'PENDING') return [start, ...stop]
  if (payment === 'FAILED') return [start, (order) => finishPayment(order, id, 'DECLINED', at), ...stop]
  if (payment === 'REFUND_PENDING') return [...paid, ...stop]
  if (payment === 'REFUNDED') return [...paid, ...stop, (order) => finishRefund(order, at)]
  if (status === 'PLACED' || status === 'CANCELLED') return stop
  const moves = SHIPMENT_STATUSES.slice(1, SHIPMENT_STATUSES.indexOf(status as ShipmentStatus) + 1)
  return [
    ...paid,
    ...moves.map(
      (to): Step =>
        (order) =>
          moveAll(order, to, at),
    ),
  ]
}

const moveAll = (order: Order, to: ShipmentStatus, at: Date): Result<OrderChange, unknown> => ({
  ok: true,
  value: {
    order: sellersOf(order).reduce(
      (each, sellerId) => apply(each, (now) => moveShipment(now, sellerId, to, at)),
      order,
    ),
    returned: [],
  },
})

export function apply(order: Order, step: Step): Order {
  const result = step(order)
  if (!result.ok) throw new Error(`refused: ${JSON.stringify(result.error)}`)
  return result.value.order
}

/** Takes an order of a store to a state, as its buyer. */
export async function bring(store: OrderStore, order: Order, aim: Aim): Promise<Order> {
  let reached = order
  for (const step of stepsTo(aim)) {
    const result = await store.update(order.id, order.buyerId, step)
    if (!result.ok) throw new Error(`refused: ${JSON.stringify(result.error)}`)
    reached = result.value
  }
  return reached
}

/** Two units for 150 cents from each seller. */
export const anOrder = ({ sellers = ['s1'], ...aim }: Aim & { sellers?: readonly string[] } = {}): Order =>
  stepsTo(aim).reduce<Order>(
    apply,
    placedOrder({
      id: randomUUID(),
      buyerId: randomUUID(),
      lines: sellers.map((sellerId) => ({ productId: `of ${sellerId}`, sellerId, name: 'Thing', quantity: 2, unitPriceCents: 150 })), // prettier-ignore
      currency: 'EUR',
      shippingAddress: null,
      notes: null,
      createdAt: NOW,
    }),
  )
