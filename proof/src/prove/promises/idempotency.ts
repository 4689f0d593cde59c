import { setTimeout as sleep } from 'node:timers/promises'
import type { Party } from '../../accounts'
import { retryAfterMs, type Answer, type Request } from '../../client'
import type { Tally } from '../../report'
import { newKey, placing, told, type Movement, type Order } from '../../shop'
import { stockIs, type Listed, type ShopPromise, type World } from '../promise'

const inProgress = ({ problem }: Answer) => problem?.code === 'request-in-progress'
/** How often a call that is in progress is repeated before that is held against the shop, which promises 10 s. */
const REPEATS = 15

/** Repeats a call with its key until it is decided. */
async function decided<Body>({ shop }: World, { method, path, ...call }: Request): Promise<Answer<Body>> {
  let answer = await shop.call<Body>(method, path, call)
  for (let n = 0; n < REPEATS && inProgress(answer); n++) {
    await sleep(retryAfterMs(answer) ?? 1000)
    answer = await shop.call<Body>(method, path, call)
  }
  return answer
}

const replayed = ({ headers }: Answer) => headers['idempotency-replayed'] === 'true'
/** An answer that was not had before. A 503 may have been in its place, so the second try may be told what the first one did. */
const isNew = (answer: Answer) => !replayed(answer) || answer.tries > 1
/** What a repeat has to be the same in, byte for byte. */
const sent = ({ status, headers, text }: Answer) => ({ status, location: headers.location, etag: headers.etag, text })

const ordersOf = async ({ shop }: World, buyer: Party, { id }: Listed) =>
  (await shop.all<Order>('/orders', buyer)).filter(({ items }) => items.some(({ productId }) => productId === id))

/** Calls at once with one key: each gets the one answer, or is told that it is under way, and gets it then. */
async function onceForAll(world: World, tally: Tally, request: Request, status: number, times: number) {
  const answers = await world.shop.together(Array.from({ length: times }, () => request))
  const settled: Answer[] = []
  for (const answer of answers) {
    tally.count('calls')
    if (inProgress(answer)) {
      tally.count('told to wait')
      tally.that(retryAfterMs(answer) !== undefined, '409 request-in-progress without Retry-After')
    }
    settled.push(inProgress(answer) ? await decided(world, request) : answer)
  }
  for (const answer of settled) {
    tally.equal(told(answer), String(status), `${request.method} ${request.path} with one key`)
    tally.equal(sent(answer), sent(settled[0]!), `answers of ${request.method} ${request.path} to one key`)
  }
  const firsts = settled.filter((answer) => !replayed(answer)).length
  const lost = answers.some(({ tries }) => tries > 1) // a 503 may have been the first one
  tally.that(firsts === 1 || (firsts === 0 && lost), `${firsts} answers are not marked as replayed`)
  return settled[0]!
}

export const oneKeyAtOnce: ShopPromise = {
  name: 'one-key-at-once',
  promise: 'calls with one Idempotency-Key in the same moment have one effect and one answer',
  look: async (world, tally) => {
    const { shop, random, callers } = world
    const buyer = callers[0]!
    const product = await world.list(50)
    const quantity = random.int(1, 5)
    const order = await onceForAll(world, tally, placing(buyer, [[product.id, quantity]]), 201, callers.length)
    tally.equal(
      (await ordersOf(world, buyer, product)).map(({ id }) => id),
      [(order.body as Order | undefined)?.id],
      'orders of the one key',
    )

    const { seller } = product
    const delivery = {
      method: 'POST',
      path: `/products/${product.id}/stock`,
      as: seller,
      body: { delta: 5, reason: 'RECEIVED' },
    }
    await onceForAll(world, tally, { ...delivery, key: newKey() }, 200, callers.length)
    await stockIs(world, tally, product, product.stock - quantity + 5)

    const name = `once ${newKey()}`
    const listing = { method: 'POST', path: '/products', as: seller, body: { name, priceCents: 1, stock: 0 } }
    const listed = await onceForAll(world, tally, { ...listing, key: newKey() }, 201, callers.length)
    const mine = await shop.all<{ id: string; name: string }>('/products/mine', seller)
    const id = (listed.body as Listed | undefined)?.id
    tally.equal(
      mine.filter((each) => each.name === name).map((each) => each.id),
      [id],
      'products of the one key',
    )
    if (id !== undefined) await shop.edit(seller, id, { status: 'DISABLED' })
    tally.note(`order ${(order.body as Order | undefined)?.id}`)
  },
}

export const repeats: ShopPromise = {
  name: 'repeats',
  promise:
    'a key repeats its answer byte for byte; with another body it is refused, and without a key there are two orders',
  look: async (world, tally) => {
    const { shop, random, callers } = world
    const buyer = callers[0]!
    const product = await world.list(10, { priceCents: random.int(1, 500) })
    const request = placing(buyer, [[product.id, 1]])
    const { method, path, ...call } = request
    const first = await shop.call<Order>(method, path, call)
    tally.equal([told(first), isNew(first)], ['201', true], 'the first call, and whether it was new')

    // The world goes on: the answer is what it was.
    await shop.edit(product.seller, product.id, { priceCents: 999, name: 'renamed' })
    await shop.cancel(buyer, first.body?.id ?? '')
    for (const key of [call.key!, `"${call.key}"`]) {
      const again = await shop.call(method, path, { ...call, key })
      tally.equal(sent(again), sent(first), 'the repeated answer')
      tally.equal(replayed(again), true, 'Idempotency-Replayed')
    }
    const other = await shop.place(buyer, [[product.id, 2]], call.key)
    tally.equal(told(other), '422 idempotency-key-reused', 'the key with another body')
    tally.equal(
      (await ordersOf(world, buyer, product)).map(({ id }) => id),
      [first.body?.id],
      'orders of the key',
    )
    await stockIs(world, tally, product, 10)

    // What is refused is not remembered: the same key may try again.
    const key = newKey()
    tally.equal(
      told(await shop.place(buyer, [[product.id, 11]], key)),
      '409 insufficient-stock',
      'an order of too much',
    )
    await shop.changeStock(product.seller, product.id, 1, 'RECEIVED')
    const allowed = await shop.place(buyer, [[product.id, 11]], key)
    tally.equal([told(allowed), isNew(allowed)], ['201', true], 'the refused call again, when there is enough')
    await shop.cancel(buyer, allowed.body?.id ?? '')

    const twice = [1, 2].map(() => placing(buyer, [[product.id, 1]], null))
    const orders = await shop.together<Order>(twice)
    tally.equal(orders.map(told), ['201', '201'], 'two calls without a key')
    tally.that(orders[0]?.body?.id !== orders[1]?.body?.id, 'two calls without a key are one order')
    await stockIs(world, tally, product, 9)
    tally.note(`order ${first.body?.id}`)
  },
}

export const keysOfCallers: ShopPromise = {
  name: 'keys-of-callers',
  promise: 'a key is its caller’s own: the same one of somebody else neither finds nor disturbs it',
  needs: { buyers: 2 },
  look: async (world, tally) => {
    const { shop, buyers } = world
    const product = await world.list(buyers.length)
    const key = newKey()
    const answers = await shop.together<Order>(buyers.map((buyer) => placing(buyer, [[product.id, 1]], key)))
    for (const [i, answer] of answers.entries()) {
      tally.equal([told(answer), isNew(answer)], ['201', true], `the key of ${buyers[i]!.username}`)
      tally.equal(answer.body?.buyerId, buyers[i]!.id, 'the buyer of the order')
      const again = await shop.place(buyers[i]!, [[product.id, 1]], key)
      tally.equal(sent(again), sent(answer), `the key of ${buyers[i]!.username} again`)
    }
    tally.count('orders', new Set(answers.map(({ body }) => body?.id)).size)
    await stockIs(world, tally, product, 0)
    tally.note(`key ${key} of ${buyers.length} buyers`)
  },
}

export const cutConnections: ShopPromise = {
  name: 'cut-connections',
  promise: 'a call whose connection broke is repeated with its key and is there once',
  look: async (world, tally) => {
    const { shop, random, callers } = world
    const product = await world.list(10_000)
    const attempts = [...callers, ...callers].map((buyer) => ({
      request: placing(buyer, [[product.id, random.int(1, 3)]]),
      buyer,
      // Before, while and after the shop works on it.
      afterMs: random.pick([undefined, 0, 1, 2, 4, 8, 16, 32]),
    }))
    const made = await Promise.all(
      attempts.map(async ({ request, buyer, afterMs }) => {
        const { method, path, ...call } = request
        await shop.abandon(method, path, { ...call, ...(afterMs !== undefined && { afterMs }) })
        const answer = await decided<Order>(world, request)
        tally.count('cut')
        tally.count(replayed(answer) ? 'had been done' : 'done by the repeat')
        tally.equal(told(answer), '201', 'the repeat of a call that was cut')
        return { buyer, answer }
      }),
    )
    for (const buyer of new Set(callers)) {
      const known = made.flatMap((each) => (each.buyer === buyer && each.answer.body ? [each.answer.body.id] : []))
      const kept = (await ordersOf(world, buyer, product)).map(({ id }) => id)
      tally.equal(kept.sort(), known.sort(), `orders of ${buyer.username} for product ${product.id}`)
    }
    const units = made.reduce((total, { answer }) => total + (answer.body?.items[0]?.quantity ?? 0), 0)
    await stockIs(world, tally, product, product.stock - units)
    const ledger: Movement[] = await shop.movements(product.seller, product.id)
    const ordered = ledger.filter(({ reason }) => reason === 'ORDERED').map(({ orderId }) => orderId)
    tally.equal(ordered.sort(), made.map(({ answer }) => answer.body?.id ?? null).sort(), 'orders in the ledger')
    tally.note(`product ${product.id}`)
  },
}
