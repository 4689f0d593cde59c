import type { Authenticate } from '@shop/platform/authentication'
import { httpApp, type App } from '@shop/platform/http'
import type { Logger } from '@shop/platform/logging'
import type { Operations } from '@shop/platform/operations'
import { paymentReceipt } from './adapters/http/payment'
import { PROBLEMS } from './adapters/http/problems'
import { routes, type UseCases } from './adapters/http/routes'
import { makeCancelOrder } from './application/cancel-order'
import { makeExpireOrders } from './application/expire-orders'
import { makeMoveShipment } from './application/move-shipment'
import { makePayOrder } from './application/pay-order'
import { makePlaceOrder } from './application/place-order'
import type { CartStore, Clock, NewId, OrderStore, PaymentGateway } from './application/ports'
import { makeReadOrder } from './application/read-order'
import { makeReadTracking } from './application/read-tracking'
import {
  makeGiveOpenRefunds,
  makeRefund,
  makeSettleOpenPayments,
  makeSettlePayment,
} from './application/settle-payment'
import type { ReportLeftOver } from './application/sweep'

/** What stands behind the ports, and the rules of this shop. */
export type Wiring = {
  orders: OrderStore
  carts: CartStore
  gateway: PaymentGateway
  now: Clock
  newId: NewId
  currency: string
  /** How long an order waits for its payment; 0 is for ever. */
  holdMinutes: number
  reportLeftOver: ReportLeftOver
}

/** The use cases over any adapters: those that are called, and those that are to run now and then. */
export function useCasesOf(wiring: Wiring) {
  const { orders, carts, currency, holdMinutes } = wiring
  const refund = makeRefund(wiring)
  const settlePayment = makeSettlePayment({ ...wiring, paymentReceipt, refund })
  const called: UseCases = {
    placeOrder: makePlaceOrder(wiring),
    readOrder: makeReadOrder(wiring),
    listOrders: orders.list,
    cancelOrder: makeCancelOrder({ ...wiring, refund }),
    payOrder: makePayOrder({ ...wiring, settlePayment }),
    moveShipment: makeMoveShipment(wiring),
    readTracking: makeReadTracking(wiring),
    listSales: orders.sales,
    summariseSales: orders.salesSummary,
    carts,
    currency,
    holdMinutes,
  }
  return {
    called,
    expireOrders: makeExpireOrders(wiring),
    settleOpenPayments: makeSettleOpenPayments({ ...wiring, settlePayment }),
    giveOpenRefunds: makeGiveOpenRefunds({ ...wiring, refund }),
  }
}

/** The orders service over HTTP. */
export const ordersApp = (options: {
  useCases: UseCases
  authenticate: Authenticate
  idempotencySecret: string
  log: Logger
  operations?: Operations
}): App => {
  const { useCases, ...http } = options
  return httpApp({ ...http, routes, problems: PROBLEMS, deps: useCases })
}
