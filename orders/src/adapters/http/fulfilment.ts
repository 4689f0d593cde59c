import { z } from 'zod'
import { cursors, page } from '@shop/platform/cursors'
import { reply, routesOf } from '@shop/platform/routes'
import { Cents, Day, Id, Timestamp, pageOf, pageQuery } from '@shop/platform/schemas'
import type { MoveShipment } from '../../application/move-shipment'
import type { NumberedEntry, OrderStore, ProductDay } from '../../application/ports'
import type { ReadTracking } from '../../application/read-tracking'
import { lineTotalCents, totalCents, type Sale as DomainSale } from '../../domain/order'
import { PAYMENT_STATUSES } from '../../domain/payment'
import { SHIPMENT_STATUSES } from '../../domain/shipment'
import { TABLE, refused } from './problems'
import { EXAMPLE, ListQuery, Order, OrderParams, OrderStatus } from './schemas'

export type FulfilmentDeps = {
  moveShipment: MoveShipment
  readTracking: ReadTracking
  listSales: OrderStore['sales']
  summariseSales: OrderStore['salesSummary']
}

const route = routesOf<FulfilmentDeps>()(TABLE)
const sellers = { roles: ['SELLER'] } as const

const ShipmentStatus = z.enum(SHIPMENT_STATUSES).meta({ id: 'ShipmentStatus' })
const ShipmentBody = z
  .strictObject({ status: ShipmentStatus.exclude(['PENDING']) })
  .meta({ id: 'ShipmentStep', example: { status: 'PACKED' } })

const Sale = Order.pick({
  id: true,
  status: true,
  items: true,
  totalCents: true,
  currency: true,
  shippingAddress: true,
  notes: true,
  createdAt: true,
  updatedAt: true,
})
  .extend({
    paymentStatus: z.enum(PAYMENT_STATUSES),
    shipmentStatus: ShipmentStatus.nullable().meta({
      description: 'Of your shipment; `null` until the order is paid.',
    }),
  })
  .meta({
    id: 'Sale',
    description: 'An order as one of its sellers sees it: with the own lines only, and their total.',
  })

const saleView = ({ lines, shipment, ...sale }: DomainSale): z.input<typeof Sale> => ({
  id: sale.id,
  status: sale.status,
  paymentStatus: sale.paymentStatus,
  shipmentStatus: shipment?.status ?? null,
  items: lines.map((line) => ({ ...line, lineTotalCents: lineTotalCents(line) })),
  totalCents: totalCents({ lines }),
  currency: sale.currency,
  shippingAddress: sale.shippingAddress,
  notes: sale.notes,
  createdAt: sale.createdAt.toISOString(),
  updatedAt: sale.updatedAt.toISOString(),
})

const TrackingEntry = z
  .object({
    at: Timestamp,
    sellerId: Id.optional().meta({ description: 'Whose shipment; without it the entry is of the order.' }),
    status: z.union([OrderStatus, ShipmentStatus]),
  })
  .meta({ id: 'TrackingEntry' })

const entryView = ({ at, sellerId, status }: NumberedEntry): z.input<typeof TrackingEntry> => ({
  at: at.toISOString(),
  ...(sellerId !== null && { sellerId }),
  status,
})

const SalesDay = z
  .object({
    day: Day.meta({ description: 'When the orders were paid, in UTC.' }),
    productId: Id,
    name: z.string(),
    units: z.int().min(0).meta({ description: 'Of paid orders that stand.' }),
    revenueCents: Cents,
    cancelledUnits: z.int().min(0).meta({ description: 'Of orders that were paid and later cancelled.' }),
  })
  .meta({
    id: 'SalesDay',
    example: {
      day: '2026-11-21',
      productId: EXAMPLE.productId,
      name: 'Pour-over coffee dripper',
      units: 3,
      revenueCents: 7200,
      cancelledUnits: 1,
    },
  })
const salesDayView = (day: ProductDay): z.input<typeof SalesDay> => day

const SummaryQuery = z.strictObject({
  ...pageQuery,
  from: Day.optional().meta({ description: 'First day, in UTC.' }),
  to: Day.optional().meta({ description: 'Last day, in UTC; it counts.' }),
})

export const fulfilmentRoutes = [
  route(
    {
      method: 'get',
      path: '/orders/sales',
      operationId: 'listSales',
      tag: 'sales',
      summary: 'List the orders with products of yours',
      description: 'Newest first, with your lines only.',
      access: sellers,
      query: ListQuery,
      responses: { 200: { description: 'A page of them.', body: pageOf(Sale).meta({ id: 'SalePage' }) } },
      problems: [],
    },
    async ({ query: { status, cursor, limit }, caller }, { listSales }) => {
      const { encode, decode } = cursors(['sales', status ?? null], z.tuple([z.uuid()]))
      const after = decode(cursor)?.[0]
      const sales = await listSales({ sellerId: caller.id, status, after, limit: limit + 1 })
      return reply(
        200,
        page(sales, limit, saleView, (last) => encode([last.id])),
      )
    },
  ),
  route(
    {
      method: 'get',
      path: '/orders/sales/summary',
      operationId: 'summariseSales',
      tag: 'sales',
      summary: 'What you have sold, by day and product',
      description: 'Of paid orders, on the day of their payment; what was cancelled after that is counted apart.',
      access: sellers,
      query: SummaryQuery,
      responses: { 200: { description: 'A page of it.', body: pageOf(SalesDay).meta({ id: 'SalesSummary' }) } },
      problems: [],
    },
    async ({ query: { from, to, cursor, limit }, caller }, { summariseSales }) => {
      const { encode, decode } = cursors(['sales-summary', from ?? null, to ?? null], z.tuple([Day, z.uuid()]))
      const [day, productId] = decode(cursor) ?? []
      const after = day === undefined || productId === undefined ? undefined : { day, productId }
      const days = await summariseSales({ sellerId: caller.id, from, to, after, limit: limit + 1 })
      return reply(
        200,
        page(days, limit, salesDayView, (last) => encode([last.day, last.productId])),
      )
    },
  ),
  route(
    {
      method: 'post',
      path: '/orders/{id}/shipment',
      operationId: 'moveShipment',
      tag: 'shipping',
      summary: 'Move your shipment of an order one step',
      description:
        'A paid order has a shipment of each of its sellers: `PENDING`, `PACKED`, `OUT_FOR_DELIVERY`, `DELIVERED`. The order is ' +
        'as far as the least advanced of them.',
      access: sellers,
      params: OrderParams,
      body: ShipmentBody,
      responses: { 200: { description: 'The order as you see it.', body: Sale } },
      problems: ['order-not-found', 'invalid-transition'],
    },
    async ({ params, body, caller }, { moveShipment }) => {
      const moved = await moveShipment({ orderId: params.id, sellerId: caller.id, to: body.status })
      return moved.ok ? reply(200, saleView(moved.value)) : refused(moved.error)
    },
  ),
  route(
    {
      method: 'get',
      path: '/orders/{id}/tracking',
      operationId: 'trackOrder',
      tag: 'shipping',
      summary: 'What an order has reached, and when',
      description:
        'Oldest first. The buyer sees the order and every shipment, a seller the order and the own shipment.',
      access: { roles: ['BUYER', 'SELLER'] },
      params: OrderParams,
      query: z.strictObject(pageQuery),
      responses: { 200: { description: 'A page of it.', body: pageOf(TrackingEntry).meta({ id: 'Tracking' }) } },
      problems: ['order-not-found'],
    },
    async ({ params, query: { cursor, limit }, caller }, { readTracking }) => {
      const { encode, decode } = cursors(['tracking', params.id], z.tuple([z.int().min(0)]))
      const after = decode(cursor)?.[0]
      const entries = await readTracking({ callerId: caller.id, orderId: params.id, after, limit: limit + 1 })
      if (!entries.ok) return refused(entries.error)
      return reply(
        200,
        page(entries.value, limit, entryView, (last) => encode([last.no])),
      )
    },
  ),
]
