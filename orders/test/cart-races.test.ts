import { randomUUID } from 'node:crypto'
import { raceThroughGate, untilQueued } from '../../tests/support/gate'
import { batchingOrderStore } from '../src/adapters/postgres/batching-order-store'
import { postgresOrderStore } from '../src/adapters/postgres/order-store'
import { aCaller, counted, deadlocks, startOrders, told, type Service } from './app'

const cartOf = (buyerId: string) => ({
  text: 'select 1 from orders.carts where buyer_id = $1 for update',
  values: [buyerId],
})
const stockOf = (productId: string) => ({
  text: 'select 1 from products.inventory where product_id = $1 for update',
  values: [productId],
})

describe.each([
  { name: 'one order a transaction', store: postgresOrderStore, together: 2 },
  { name: 'in batches', store: batchingOrderStore, together: 1 }, // a batch waits for the row, and whoever comes later for the batch
])('checkouts placed $name', ({ store, together }) => {
  let shop: Service
  beforeAll(async () => {
    shop = await startOrders({ connections: 10, store })
  })
  afterAll(() => shop.stop())

  const cartLines = async (buyer: ReturnType<typeof aCaller>) =>
    ((await buyer.get('/orders/cart')).body.items as { quantity: number }[]).map(({ quantity }) => quantity)

  test('a cart and an order race for the last unit fifty times: one gets it, and a cart that loses stays', async () => {
    const [buyer, other] = [aCaller(shop.calls), aCaller(shop.calls)]
    const winners = new Set<number>()
    for (let round = 0; round < 50; round++) {
      const { id } = await shop.addProduct({ available: 1 })
      await buyer.putIntoCart(id, 1)
      const checkout = async () => buyer.checkout()
      const order = async () => other.order([[id, 1]])
      const [first, second] = round % 2 ? [checkout, order] : [order, checkout]
      const behind = async () => {
        if (together === 2) await untilQueued(shop.owner, 1) // or the order, which asks less, would nearly always be first
        return second()
      }
      const race = await raceThroughGate(shop.owner, stockOf(id), [first, behind], together)
      const outcomes = round % 2 ? told(race) : told(race).toReversed()
      expect(outcomes.toSorted()).toEqual(['201', 'insufficient-stock'])
      winners.add(outcomes.indexOf('201'))
      expect(await cartLines(buyer)).toEqual(outcomes[0] === '201' ? [] : [1])
      expect(await shop.available(id)).toBe(0)
      await buyer.delete('/orders/cart')
    }
    expect([...winners].sort()).toEqual([0, 1])
  }, 60_000)

  test('a checkout that finds no cart leaves alone the one that is begun meanwhile: another checkout may have it', async () => {
    const [buyer, { id }] = [aCaller(shop.calls), await shop.addProduct({ available: 5 })]
    const cart = await shop.owner.connect()
    await cart.query('begin; lock table orders.cart_items in access exclusive mode')
    let answered = false
    const checkout = buyer.checkout().then((answer) => {
      answered = true
      return answer
    })
    await Promise.race([checkout, untilQueued(shop.owner, 1, () => answered)])
    await cart.query('insert into orders.carts (buyer_id) values ($1)', [buyer.id])
    await cart.query(
      'insert into orders.cart_items (buyer_id, product_id, quantity, seen_price_cents) values ($1, $2, 1, 100)',
      [buyer.id, id],
    )
    await cart.query('commit')
    cart.release()
    expect((await checkout).body).toMatchObject({ code: 'cart-empty' })
    expect(await cartLines(buyer)).toEqual([1])
    expect(await shop.available(id)).toBe(5)
  })

  // What the order and the cart may hold in the end: the change came after the checkout, or before it.
  test.each([
    { name: 'another quantity', after: [[1], [5]], before: [[5], []] },
    { name: 'taking it out', after: [[1], []], before: [[], []] },
    { name: 'emptying the cart', after: [[1], []], before: [[], []] },
  ])(
    'checkout against $name: one comes first, nothing is lost or ordered twice',
    async ({ name, after, before }) => {
      const buyer = aCaller(shop.calls)
      const { id } = await shop.addProduct({ available: 1_000 })
      const change = {
        'another quantity': async () => buyer.putIntoCart(id, 5),
        'taking it out': async () => buyer.delete(`/orders/cart/items/${id}`),
        'emptying the cart': async () => buyer.delete('/orders/cart'),
      }[name] as () => Promise<{ status: number; body: { code?: string } }>
      for (let round = 0; round < 20; round++) {
        await buyer.delete('/orders/cart')
        await buyer.putIntoCart(id, 1)
        const stock = await shop.available(id)
        const callers = [async () => buyer.checkout(), change]
        const race = await raceThroughGate(shop.owner, cartOf(buyer.id), round % 2 ? callers : callers.toReversed())
        const [checkout] = round % 2 ? race : race.toReversed()
        const ordered = checkout?.status === 'fulfilled' && checkout.value.status === 201 ? checkout.value : undefined
        const orderLines = ((ordered?.body as { items?: { quantity: number }[] })?.items ?? []).map(
          (line) => line.quantity,
        )
        expect([after, before]).toContainEqual([orderLines, await cartLines(buyer)])
        expect(await shop.available(id)).toBe(stock - (orderLines[0] ?? 0))
        expect(told(race).filter((outcome) => !/^20[014]$|^cart-empty$/.test(outcome))).toEqual([])
      }
    },
    60_000,
  )
})

describe('fifty at once', () => {
  let shop: Service
  beforeAll(async () => {
    shop = await startOrders({ connections: 60, store: postgresOrderStore })
  })
  afterAll(() => shop.stop())

  test('checkouts of one cart make one order, and the others find the cart empty', async () => {
    const buyer = aCaller(shop.calls)
    const { id } = await shop.addProduct({ available: 100 })
    await buyer.putIntoCart(id, 2)
    const callers = Array.from({ length: 50 }, () => async () => buyer.checkout())
    const race = await raceThroughGate(shop.owner, cartOf(buyer.id), callers)
    expect(counted(told(race))).toEqual({ '201': 1, 'cart-empty': 49 })
    expect(await shop.available(id)).toBe(98)
    expect((await buyer.get('/orders')).body.items).toHaveLength(1)
  })

  test('checkouts with one key make one order; the others get the same answer or are told to wait', async () => {
    const buyer = aCaller(shop.calls)
    const { id } = await shop.addProduct({ available: 100 })
    await buyer.putIntoCart(id, 2)
    const key = { 'idempotency-key': randomUUID() }
    const callers = Array.from({ length: 50 }, () => async () => buyer.checkout(key))
    const race = await raceThroughGate(shop.owner, cartOf(buyer.id), callers, 1)
    const answers = race.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
    const placed = answers.filter(({ status }) => status === 201)
    expect(new Set(placed.map(({ text }) => text)).size).toBe(1)
    expect(told(race).filter((outcome) => outcome !== '201' && outcome !== 'request-in-progress')).toEqual([])
    expect(await shop.available(id)).toBe(98)
    expect((await buyer.checkout(key)).text).toBe(placed[0]?.text)
  })

  test('products put into a cart with room for forty: forty get in', async () => {
    const buyer = aCaller(shop.calls)
    const products = await Promise.all(Array.from({ length: 110 }, () => shop.addProduct({ available: 1 })))
    for (const { id } of products.slice(0, 60)) await buyer.putIntoCart(id, 1)
    const callers = products.slice(60).map(
      ({ id }) =>
        async () =>
          buyer.putIntoCart(id, 1),
    )
    const race = await raceThroughGate(shop.owner, cartOf(buyer.id), callers)
    expect(counted(told(race))).toEqual({ '200': 40, 'cart-full': 10 })
    expect((await buyer.get('/orders/cart')).body.items).toHaveLength(100)
  })

  test('quantities of one product, the first that the buyer ever puts anywhere: one line has one of them', async () => {
    const buyer = aCaller(shop.calls)
    const { id } = await shop.addProduct({ available: 1 })
    const callers = Array.from({ length: 50 }, (_, n) => async () => buyer.putIntoCart(id, n + 1))
    const opening = { text: 'insert into orders.carts (buyer_id) values ($1)', values: [buyer.id] }
    const race = await raceThroughGate(shop.owner, opening, callers)
    expect(counted(told(race))).toEqual({ '200': 50 })
    expect((await buyer.get('/orders/cart')).body.items).toEqual([expect.objectContaining({ productId: id })])
  })

  test('crossed checkouts and orders of two products meet no deadlock', async () => {
    const [a, b] = await Promise.all([shop.addProduct({ available: 100 }), shop.addProduct({ available: 100 })])
    const before = await deadlocks(shop.owner)
    // Whoever locks the other product first stands in front of this gate with it in hand.
    for (const locked of [a.id, b.id]) {
      const callers = await Promise.all(
        Array.from({ length: 40 }, async (_, n) => {
          const [first, second] = n % 2 ? [a.id, b.id] : [b.id, a.id]
          const buyer = aCaller(shop.calls)
          if (n % 4 < 2) {
            return async () =>
              buyer.order([
                [first, 1],
                [second, 1],
              ])
          }
          await buyer.putIntoCart(first, 1)
          await buyer.putIntoCart(second, 1)
          return async () => buyer.checkout()
        }),
      )
      const race = await raceThroughGate(shop.owner, stockOf(locked), callers)
      expect(counted(told(race))).toEqual({ '201': 40 })
    }
    expect(await deadlocks(shop.owner)).toBe(before)
    expect([await shop.available(a.id), await shop.available(b.id)]).toEqual([20, 20])
  })
})
