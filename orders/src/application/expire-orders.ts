import { expire } from '../domain/transitions'
import type { Clock, OrderStore } from './ports'
import { sweep, type ReportLeftOver, type Stopping } from './sweep'

type Deps = { orders: OrderStore; now: Clock; holdMinutes: number; reportLeftOver: ReportLeftOver }

/** Cancels the orders whose hold has run out, one by one, until there is none or `stopping` says so; answers how many. */
export const makeExpireOrders =
  ({ orders, now, holdMinutes, reportLeftOver }: Deps) =>
  async (stopping?: Stopping): Promise<number> => {
    if (holdMinutes === 0) return 0
    let expired = 0
    await sweep({
      list: orders.unpaidOrders,
      until: new Date(now().getTime() - holdMinutes * 60_000),
      work: async ({ orderId }) => {
        const updated = await orders.updateIfFree(orderId, (order) => expire(order, holdMinutes, now()))
        if (updated.ok && updated.value) expired++
      },
      atOnce: 1,
      reportLeftOver,
      stopping,
    })
    return expired
  }
