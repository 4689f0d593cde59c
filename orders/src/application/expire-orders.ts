import { expire } from '../domain/transitions'
import type { Clock, OrderStore } from './ports'

/** Cancels the orders whose hold has run out, one by one, until there is none or `stopping` says so; answers how many. */
export const makeExpireOrders =
  ({ orders, now, holdMinutes }: { orders: OrderStore; now: Clock; holdMinutes: number }) =>
  async (stopping?: { readonly aborted: boolean }): Promise<number> => {
    if (holdMinutes === 0) return 0
    for (let expired = 0; ; expired++) {
      if (stopping?.aborted) return expired
      const until = new Date(now().getTime() - holdMinutes * 60_000)
      const next = await orders.updateNextPlaced(until, (order) => expire(order, holdMinutes, now()))
      if (!next.ok || !next.value) return expired
    }
  }
