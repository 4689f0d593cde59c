import type { Authenticate } from '@shop/platform/authentication'
import { httpApp, type App } from '@shop/platform/http'
import type { Logger } from '@shop/platform/logging'
import type { Operations } from '@shop/platform/operations'
import { PROBLEMS } from './adapters/http/problems'
import { routes } from './adapters/http/routes'
import { makeCancelOrder } from './application/cancel-order'
import { makePlaceOrder } from './application/place-order'
import type { CartStore, Clock, OrderStore } from './application/ports'
import { makeReadOrder } from './application/read-order'

/** The orders service over any stores: use cases inside, HTTP outside. */
export function ordersApp(options: {
  orders: OrderStore
  carts: CartStore
  now: Clock
  newId: () => string
  currency: string
  holdMinutes: number
  authenticate: Authenticate
  idempotencySecret: string
  log: Logger
  operations?: Operations
}): App {
  const { orders, carts, now, newId, currency, holdMinutes, ...http } = options
  return httpApp({
    ...http,
    routes,
    problems: PROBLEMS,
    deps: {
      placeOrder: makePlaceOrder({ orders, now, newId, currency }),
      readOrder: makeReadOrder({ orders }),
      listOrders: orders.list,
      cancelOrder: makeCancelOrder({ orders, now }),
      carts,
      currency,
      holdMinutes,
    },
  })
}
