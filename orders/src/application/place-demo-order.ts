import type { Clock, OrderStore } from './ports'

/** An order with a fixed id, so that examples can name one; placed unless it is there. Raises when it can't be placed yet. */
export const makePlaceDemoOrder =
  (deps: { orders: OrderStore; now: Clock; currency: string }) =>
  async (demo: { orderId: string; buyerId: string; productId: string }): Promise<void> => {
    if (await deps.orders.find(demo.orderId)) return
    const placed = await deps.orders.place({
      id: demo.orderId,
      buyerId: demo.buyerId,
      lines: [{ productId: demo.productId, quantity: 1 }],
      currency: deps.currency,
      shippingAddress: '1 Harbour Street, 20457 Hamburg, Germany',
      notes: null,
      placedAt: deps.now(),
      once: undefined,
    })
    if (!placed.ok) throw new Error(`the demo order can't be placed: ${placed.error.code}`)
  }
