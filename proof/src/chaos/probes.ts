import { setTimeout as sleep } from 'node:timers/promises'
import type { Call, Recorder } from './history'
import type { Market, Party, Product } from './market'

/** From one probe of a kind to the next, when the first one is answered by then. */
const EVERY_MS = 200
/** The longest that an answer is waited for: of a shop that is slow more is not asked than it can do, or that would be what it is slow from. */
const UNANSWERED_MS = 1_000
export const PROBED = ['order', 'pay', 'change stock', 'read a product', 'log in'] as const

/**
 * Light calls, one of each kind at its pace, whatever became of those before: they tell when the shop serves again, which clients
 * that wait for their answers would tell too late.
 */
export function startProbes(
  market: Market,
  recorder: Recorder,
  { buyer, product }: { buyer: Party; product: Product },
) {
  const { seller, id } = product
  const made: Call[] = []
  /** With when each began. */
  const pending = new Map<Promise<unknown>, number>()
  let marks = 0
  let unpaid: string | undefined
  let running = true

  const probe = (work: Promise<Call>): Promise<void> => {
    const done = work.then((call) => {
      call.probe = true
      made.push(call)
      pending.delete(done)
    })
    pending.set(done, recorder.now())
    return done
  }
  async function goOn(make: () => Promise<Call> | undefined): Promise<void> {
    while (running) {
      const next = sleep(EVERY_MS)
      const work = make()
      if (work) await Promise.race([probe(work), sleep(UNANSWERED_MS)])
      await next
    }
  }
  async function order(): Promise<Call> {
    const wish = { do: 'order', lines: [{ productId: id, quantity: 1 }] } as const
    const mark = `probe-order.${++marks}`
    const { call, body } = await market.perform(recorder.begin({ mark, by: buyer.id, wish, key: `key-${mark}` }), buyer)
    if (call.outcome === 'ok' && body?.id !== undefined) unpaid = body.id
    return call
  }
  async function pay(orderId: string): Promise<Call> {
    const wish = { do: 'pay', orderId, card: 'succeeds' } as const
    const mark = `probe-pay.${++marks}`
    return (await market.perform(recorder.begin({ mark, by: buyer.id, wish, key: `key-${mark}` }), buyer)).call
  }
  async function changeStock(): Promise<Call> {
    const wish = { do: 'change stock', productId: id, delta: 1, reason: 'RECEIVED' } as const
    const mark = `probe-stock.${++marks}`
    return (await market.perform(recorder.begin({ mark, by: seller.id, wish, key: `key-${mark}` }), seller)).call
  }

  /** The last order that was placed, when it was not paid before. */
  function payLast(): Promise<Call> | undefined {
    const orderId = unpaid
    unpaid = undefined
    return orderId === undefined ? undefined : pay(orderId)
  }
  // With a token, so that Nginx's cache is not asked.
  const read = () => market.read('read a product', `/products/${id}`, buyer).then(({ call }) => call)

  let logins = 0
  const logIn = () => (++logins % 2 === 0 ? buyer : seller).logIn()
  const probing = [order, payLast, changeStock, read, logIn].map(goOn)
  for (const each of probing) each.catch(() => undefined) // heard of in the end

  return {
    /** Waits until all that began after `since` has gone well for `steadyMs`; gives up after `patienceMs`. */
    async recovered(since: number, steadyMs: number, patienceMs: number): Promise<void> {
      for (const deadline = recorder.now() + patienceMs; recorder.now() < deadline; await sleep(20)) {
        const fresh = made.filter(({ begunAt }) => begunAt >= since)
        const bad = fresh.findLast(({ outcome }) => outcome !== 'ok')
        const from = bad ? bad.begunAt : since
        const good = fresh.filter(({ begunAt }) => begunAt >= from && bad?.begunAt !== begunAt)
        const until = Math.max(...good.map(({ begunAt }) => begunAt))
        const isWaiting = [...pending.values()].some((begun) => begun >= since && begun < until)
        const all = PROBED.every((name) => good.some(({ action }) => action === name))
        if (all && !isWaiting && until - from >= steadyMs) return
      }
    },
    stop: async (): Promise<void> => {
      running = false
      await Promise.all(probing)
      await Promise.all(pending.keys())
    },
  }
}
