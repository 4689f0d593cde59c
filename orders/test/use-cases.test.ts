import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { memoryPaymentGateway } from '../src/adapters/memory/payment-gateway'
import { makeCancelOrder } from '../src/application/cancel-order'
import { makePlaceDemoOrder } from '../src/application/place-demo-order'
import { makePlaceOrder } from '../src/application/place-order'
import { makeReadOrder } from '../src/application/read-order'
import { makeRefund } from '../src/application/settle-payment'
import { MAX_QUANTITY, mergeLines, totalCents } from '../src/domain/order'
import { aMemoryShop } from './shop'

const NOW = new Date('2026-11-21T08:30:00.000Z')

function aShop(...stocks: number[]) {
  const { products, orders } = aMemoryShop(stocks)
  const deps = { orders, now: () => NOW, newId: () => randomUUID(), currency: 'EUR' }
  const terms = { shippingAddress: null, notes: null, once: undefined }
  return {
    orders,
    now: deps.now,
    products,
    terms,
    placeOrder: makePlaceOrder(deps),
    cancelOrder: makeCancelOrder({
      ...deps,
      refund: makeRefund({ ...deps, gateway: memoryPaymentGateway(new Map()) }),
    }),
    readOrder: makeReadOrder(deps),
  }
}

test('lines of one product are merged before stock is taken, in the shop’s currency', async () => {
  const { products, terms, placeOrder, readOrder } = aShop(5, 5)
  const [a, b] = products.map((product) => product.id) as [string, string]
  const buyerId = randomUUID()
  const placed = await placeOrder({
    buyerId,
    lines: [
      { productId: b, quantity: 1 },
      { productId: a, quantity: 2 },
      { productId: b, quantity: 3 },
    ],
    ...terms,
  })
  if (!placed.ok || placed.value.repeated) throw new Error('not placed')
  const { order } = placed.value
  expect(order.lines.map(({ productId, quantity }) => [productId, quantity])).toEqual([
    [b, 4],
    [a, 2],
  ])
  expect([order.currency, order.createdAt, totalCents(order)]).toEqual(['EUR', NOW, 600])
  expect(products.map((product) => product.available)).toEqual([3, 1])
  expect(await readOrder({ orderId: order.id, reader: { buyerId } })).toEqual({ ok: true, value: order })
})

test('too many units of one product are refused before anything is asked of the store', async () => {
  const { products, terms, placeOrder } = aShop(5000)
  const productId = products[0]?.id ?? ''
  const lines = [
    { productId, quantity: 600 },
    { productId, quantity: 600 },
  ]
  expect(await placeOrder({ buyerId: randomUUID(), lines, ...terms })).toEqual({
    ok: false,
    error: { code: 'quantity-over-limit', productIds: [productId] },
  })
  expect(products[0]?.available).toBe(5000)
})

test('only its buyer reads or cancels an order', async () => {
  const { products, terms, placeOrder, cancelOrder, readOrder } = aShop(1)
  const buyerId = randomUUID()
  const placed = await placeOrder({ buyerId, lines: [{ productId: products[0]?.id ?? '', quantity: 1 }], ...terms })
  if (!placed.ok || placed.value.repeated) throw new Error('not placed')
  const orderId = placed.value.order.id
  const notFound = { ok: false, error: { code: 'order-not-found' } }
  expect(await cancelOrder({ orderId, buyerId: randomUUID() })).toEqual(notFound)
  expect(await readOrder({ orderId, reader: { buyerId: randomUUID() } })).toEqual(notFound)
  expect(await readOrder({ orderId: randomUUID(), reader: { buyerId } })).toEqual(notFound)
  expect(products[0]?.available).toBe(0)
  expect(await cancelOrder({ orderId, buyerId })).toMatchObject({
    ok: true,
    value: { status: 'CANCELLED', version: 2 },
  })
  expect(products[0]?.available).toBe(1)
})

test('the demo order is placed once, as soon as its product is there', async () => {
  const { products, orders, now } = aShop(2)
  const demo = { orderId: randomUUID(), buyerId: randomUUID(), productId: products[0]?.id ?? '' }
  const placeDemoOrder = makePlaceDemoOrder({ orders, now, currency: 'EUR' })
  await expect(placeDemoOrder({ ...demo, productId: randomUUID() })).rejects.toThrow('product-unavailable')
  await placeDemoOrder(demo)
  await placeDemoOrder(demo)
  expect((await orders.find(demo.orderId))?.buyerId).toBe(demo.buyerId)
  expect(products[0]?.available).toBe(1)
})

test('merging keeps every unit and names each product once, in the order of first mention', () => {
  const line = fc.record({ productId: fc.constantFrom('a', 'b', 'c'), quantity: fc.integer({ min: 1, max: 400 }) })
  fc.assert(
    fc.property(fc.array(line, { minLength: 1, maxLength: 20 }), (lines) => {
      const merged = mergeLines(lines)
      const sums = new Map<string, number>()
      for (const { productId, quantity } of lines) sums.set(productId, (sums.get(productId) ?? 0) + quantity)
      const over = [...sums].filter(([, quantity]) => quantity > MAX_QUANTITY).map(([id]) => id)
      expect(merged).toEqual(
        over.length > 0
          ? { ok: false, error: { code: 'quantity-over-limit', productIds: over } }
          : { ok: true, value: [...sums].map(([productId, quantity]) => ({ productId, quantity })) },
      )
    }),
  )
})
