import { mergeLines, type QuantityOverLimit, type RequestedLine } from '../domain/order'
import type { Result } from '../domain/result'
import type { Clock, Once, OrderStore, Placed, PlacementRefusal } from './ports'

export type PlaceOrderError = PlacementRefusal | QuantityOverLimit

export type PlaceOrder = (command: {
  buyerId: string
  lines: readonly RequestedLine[]
  shippingAddress: string | null
  notes: string | null
  once: Once | undefined
}) => Promise<Result<Placed, PlaceOrderError>>

export const makePlaceOrder =
  (deps: { orders: OrderStore; now: Clock; newId: () => string; currency: string }): PlaceOrder =>
  async ({ lines, ...command }) => {
    const merged = mergeLines(lines)
    if (!merged.ok) return merged
    return deps.orders.place({
      ...command,
      id: deps.newId(),
      lines: merged.value,
      currency: deps.currency,
      placedAt: deps.now(),
    })
  }
