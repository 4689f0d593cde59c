import type pg from 'pg'
import { settleKey } from '@shop/platform/idempotency'
import type { KeyClaim, Receipt } from '../../application/ports'
import type { Order } from '../../domain/order'
import type { Payment } from '../../domain/payment'
import type { Shipment } from '../../domain/shipment'
import { trackingBetween, type TrackingEntry } from '../../domain/tracking'
import type { OrderChange } from '../../domain/transitions'
import { returnStock } from './stock'

export type ChangedBy = {
  /** Who gives stock back; null is the shop. */
  actorId: string | null
  /** The key under which the change starts a payment. */
  once?: KeyClaim | undefined
  /** What is kept for the key of the payment that the change settles. */
  receipt?: ((order: Order) => Receipt | undefined) | undefined
}

/** Keeps everything in which the change differs from `before`, the order as it was read under the lock that is held. */
export async function keepChange(
  tx: pg.PoolClient,
  before: Order,
  { order, returned }: OrderChange,
  by: ChangedBy,
): Promise<void> {
  await tx.query({
    name: 'change-order',
    text: 'update orders.orders set status = $2, payment_status = $3, version = $4, updated_at = $5 where id = $1',
    values: [order.id, order.status, order.payment.status, order.version, order.updatedAt],
  })
  if (order.payment !== before.payment) await keepPayment(tx, before.payment, order, by)
  const known: readonly Shipment[] = before.shipments
  const shipments = order.shipments.filter((shipment) => !known.includes(shipment))
  if (shipments.length > 0) await keepShipments(tx, order.id, shipments)
  const entries = trackingBetween(before, order)
  if (entries.length > 0) await addEntries(tx, order.id, entries)
  if (returned.length > 0) await returnStock(tx, order, returned, by.actorId)
}

async function keepPayment(
  tx: pg.PoolClient,
  before: Payment,
  order: Order,
  { once, receipt }: ChangedBy,
): Promise<void> {
  const { payment } = order
  if (payment.status === 'UNPAID') throw new Error(`order ${order.id} would forget its payment`)
  const { attempt } = payment
  const kept = await tx.query<{ caller_id: string | null; route: string; key: string }>({
    name: 'keep-payment',
    text: `insert into orders.payments
             (id, order_id, attempt, amount_cents, currency, card_brand, card_last4, status, requested_at, settled_at,
              refund_requested_at, refunded_at, caller_id, route, key)
           values ($1, $2, (select count(*) + 1 from orders.payments where order_id = $2), $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
           on conflict (id) do update
             set status = excluded.status, settled_at = excluded.settled_at,
                 refund_requested_at = excluded.refund_requested_at, refunded_at = excluded.refunded_at
           returning caller_id, route, key`,
    values: [
      attempt.id,
      order.id,
      attempt.amountCents,
      order.currency,
      attempt.card.brand,
      attempt.card.last4,
      payment.status === 'PENDING' ? 'PENDING' : payment.status === 'FAILED' ? payment.outcome : 'SUCCEEDED',
      attempt.requestedAt,
      'settledAt' in payment ? payment.settledAt : null,
      'refundRequestedAt' in payment ? payment.refundRequestedAt : null,
      'refundedAt' in payment ? payment.refundedAt : null,
      once?.callerId,
      once?.route,
      once?.key,
    ],
  })
  const [key] = kept.rows
  const settled = before.status === 'PENDING' && payment.status !== 'PENDING'
  if (settled && key?.caller_id) await settleKey(tx, 'orders', { ...key, callerId: key.caller_id }, receipt?.(order))
}

async function keepShipments(tx: pg.PoolClient, orderId: string, shipments: readonly Shipment[]): Promise<void> {
  await tx.query({
    name: 'keep-shipments',
    text: `insert into orders.shipments (order_id, seller_id, status, created_at, updated_at)
           select $1, * from unnest($2::uuid[], $3::text[], $4::timestamptz[], $5::timestamptz[])
           on conflict (order_id, seller_id) do update set status = excluded.status, updated_at = excluded.updated_at`,
    values: [
      orderId,
      shipments.map((shipment) => shipment.sellerId),
      shipments.map((shipment) => shipment.status),
      shipments.map((shipment) => shipment.createdAt),
      shipments.map((shipment) => shipment.updatedAt),
    ],
  })
}

/** Numbered on from those that there are: nobody else adds to a locked order. */
async function addEntries(tx: pg.PoolClient, orderId: string, entries: readonly TrackingEntry[]): Promise<void> {
  await tx.query({
    name: 'add-order-events',
    text: `insert into orders.order_events (order_id, no, at, seller_id, status)
           select $1, (select coalesce(max(no), 0) from orders.order_events where order_id = $1) + no, at, seller_id, status
             from unnest($2::timestamptz[], $3::uuid[], $4::text[]) with ordinality as entry (at, seller_id, status, no)`,
    values: [
      orderId,
      entries.map((entry) => entry.at),
      entries.map((entry) => entry.sellerId),
      entries.map((entry) => entry.status),
    ],
  })
}
