import { mergeLines, type QuantityOverLimit, type RequestedLine } from '../domain/order'
import { ok, type Result } from '../domain/result'
import type { CartEmpty, Clock, NewId, Once, OrderStore, Placed, Placement, PlacementRefusal } from './ports'

export type PlaceOrderError = PlacementRefusal | QuantityOverLimit

type Command<Lines extends Placement['lines']> = {
  buyerId: string
  lines: Lines
  shippingAddress: string | null
  notes: string | null
  once: Once | undefined
}

/** Orders the lines that are named, or what is in the buyer's cart: only then there may be nothing to order. */
export type PlaceOrder = ReturnType<typeof makePlaceOrder>

export function makePlaceOrder(deps: { orders: OrderStore; now: Clock; newId: NewId; currency: string }) {
  function placeOrder(command: Command<'cart'>): Promise<Result<Placed, PlacementRefusal>>
  function placeOrder(
    command: Command<readonly RequestedLine[]>,
  ): Promise<Result<Placed, Exclude<PlaceOrderError, CartEmpty>>>
  async function placeOrder(command: Command<Placement['lines']>): Promise<Result<Placed, PlaceOrderError>> {
    const lines = command.lines === 'cart' ? ok(command.lines) : mergeLines(command.lines)
    if (!lines.ok) return lines
    const placedAt = deps.now()
    return deps.orders.place({
      ...command,
      id: deps.newId(placedAt),
      lines: lines.value,
      currency: deps.currency,
      placedAt,
    })
  }
  return placeOrder
}
