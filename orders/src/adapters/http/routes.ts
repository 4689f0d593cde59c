import { z } from 'zod'
import { cursors, page } from '@shop/platform/cursors'
import { reply, routesOf } from '@shop/platform/routes'
import type { CancelOrder } from '../../application/cancel-order'
import type { PlaceOrder } from '../../application/place-order'
import type { OrderStore, Placed } from '../../application/ports'
import type { ReadOrder } from '../../application/read-order'
import type { Order as DomainOrder } from '../../domain/order'
import { cartRoutes, type CartDeps } from './cart'
import { fulfilmentRoutes, type FulfilmentDeps } from './fulfilment'
import { paymentRoutes, type PaymentDeps } from './payment'
import { TABLE, refused } from './problems'
import {
  AllOrdersQuery,
  CheckoutBody,
  ListQuery,
  Order,
  OrderPage,
  OrderParams,
  PlaceOrderBody,
  orderTag,
  orderView,
} from './schemas'

export type UseCases = CartDeps &
  PaymentDeps &
  FulfilmentDeps & {
    placeOrder: PlaceOrder
    readOrder: ReadOrder
    listOrders: OrderStore['list']
    cancelOrder: CancelOrder
    /** How long an order waits for its payment; 0 is for ever. */
    holdMinutes: number
  }

const route = routesOf<UseCases>()(TABLE)
const buyers = { roles: ['BUYER'] } as const

const created = (order: DomainOrder, holdMinutes: number) =>
  reply(201, orderView(order, holdMinutes), { Location: `/orders/${order.id}`, ETag: orderTag(order) })
const shown = (order: DomainOrder, holdMinutes: number) =>
  reply(200, orderView(order, holdMinutes), { ETag: orderTag(order) })

/** The order, or for a key the answer as it is kept. */
const answered = (placed: Placed, holdMinutes: number) => {
  if (placed.repeated) return { answer: placed.receipt, replayed: true }
  return placed.receipt ? { answer: placed.receipt, replayed: false } : created(placed.order, holdMinutes)
}
const termsOf = ({ shippingAddress, notes }: z.output<typeof CheckoutBody> = {}) => ({
  shippingAddress: shippingAddress ?? null,
  notes: notes ?? null,
})

async function pageOfOrders(
  listOrders: OrderStore['list'],
  asked: { buyerId?: string | undefined; status?: DomainOrder['status'] | undefined; limit: number },
  cursor: string | undefined,
  holdMinutes: number,
) {
  const { buyerId, status, limit } = asked
  const { encode, decode } = cursors(['orders', buyerId, status], z.tuple([z.uuid()]))
  const orders = await listOrders({ buyerId, status, after: decode(cursor)?.[0], limit: limit + 1 })
  return page(
    orders,
    limit,
    (order) => orderView(order, holdMinutes),
    (last) => encode([last.id]),
  )
}

const orderRoutes = [
  route(
    {
      method: 'post',
      path: '/orders',
      operationId: 'placeOrder',
      tag: 'orders',
      summary: 'Place an order',
      description:
        'Takes the stock of every line and records the order in one transaction, or does nothing. Prices are those of the ' +
        'shop at that moment. Send an `Idempotency-Key` and the call is safe to repeat.',
      access: buyers,
      idempotent: true,
      body: PlaceOrderBody,
      responses: { 201: { description: 'The order.', body: Order, headers: ['Location', 'ETag'] } },
      problems: ['insufficient-stock', 'product-unavailable'],
    },
    async ({ body, caller, once, render }, { placeOrder, holdMinutes }) => {
      const placed = await placeOrder({
        ...termsOf(body),
        buyerId: caller.id,
        lines: body.items,
        once: once && { ...once, receipt: (order) => render(created(order, holdMinutes)) },
      })
      if (placed.ok) return answered(placed.value, holdMinutes)
      return refused(
        placed.error,
        body.items.map((item) => item.productId),
      )
    },
  ),
  route(
    {
      method: 'post',
      path: '/orders/cart/checkout',
      operationId: 'checkout',
      tag: 'cart',
      summary: 'Order what is in your cart',
      description:
        'Places the lines of the cart as an order, as `POST /orders` would, at the prices of this moment, and empties the cart ' +
        'in the same transaction: two calls never order the same lines. A refused call leaves the cart as it was. Send an ' +
        '`Idempotency-Key` and the call is safe to repeat.',
      access: buyers,
      idempotent: true,
      body: CheckoutBody.optional(),
      responses: { 201: { description: 'The order.', body: Order, headers: ['Location', 'ETag'] } },
      problems: ['cart-empty', 'insufficient-stock', 'product-unavailable'],
    },
    async ({ body, caller, once, render }, { placeOrder, holdMinutes }) => {
      const placed = await placeOrder({
        ...termsOf(body),
        buyerId: caller.id,
        lines: 'cart',
        once: once && { ...once, receipt: (order) => render(created(order, holdMinutes)) },
      })
      return placed.ok ? answered(placed.value, holdMinutes) : refused(placed.error)
    },
  ),
  route(
    {
      method: 'get',
      path: '/orders',
      operationId: 'listOrders',
      tag: 'orders',
      summary: 'List your orders',
      description: 'Newest first.',
      access: buyers,
      query: ListQuery,
      responses: { 200: { description: 'A page of orders.', body: OrderPage } },
      problems: [],
    },
    async ({ query: { cursor, ...asked }, caller }, { listOrders, holdMinutes }) =>
      reply(200, await pageOfOrders(listOrders, { ...asked, buyerId: caller.id }, cursor, holdMinutes)),
  ),
  route(
    {
      method: 'get',
      path: '/orders/all',
      operationId: 'listAllOrders',
      tag: 'orders',
      summary: 'List the orders of all buyers',
      description: 'Newest first.',
      access: { roles: ['ADMIN'] },
      query: AllOrdersQuery,
      responses: { 200: { description: 'A page of orders.', body: OrderPage } },
      problems: [],
    },
    async ({ query: { cursor, ...asked } }, { listOrders, holdMinutes }) =>
      reply(200, await pageOfOrders(listOrders, asked, cursor, holdMinutes)),
  ),
  route(
    {
      method: 'get',
      path: '/orders/{id}',
      operationId: 'readOrder',
      tag: 'orders',
      summary: 'Read one of your orders',
      description: 'An admin reads any.',
      access: { roles: ['BUYER', 'ADMIN'] },
      params: OrderParams,
      responses: { 200: { description: 'The order.', body: Order } },
      problems: ['order-not-found'],
    },
    async ({ params, caller }, { readOrder, holdMinutes }) => {
      const reader = caller.role === 'ADMIN' ? 'admin' : { buyerId: caller.id }
      const order = await readOrder({ orderId: params.id, reader })
      return order.ok ? shown(order.value, holdMinutes) : refused(order.error)
    },
  ),
  route(
    {
      method: 'post',
      path: '/orders/{id}/cancel',
      operationId: 'cancelOrder',
      tag: 'orders',
      summary: 'Cancel one of your orders',
      description: 'Gives its stock back, exactly once: a cancelled order is answered as it is.',
      access: buyers,
      params: OrderParams,
      responses: { 200: { description: 'The cancelled order.', body: Order, headers: ['ETag'] } },
      problems: ['order-not-found', 'order-not-cancellable'],
    },
    async ({ params, caller }, { cancelOrder, holdMinutes }) => {
      const cancelled = await cancelOrder({ orderId: params.id, buyerId: caller.id })
      return cancelled.ok ? shown(cancelled.value, holdMinutes) : refused(cancelled.error)
    },
  ),
]

export const routes = [...orderRoutes, ...cartRoutes, ...paymentRoutes, ...fulfilmentRoutes]
