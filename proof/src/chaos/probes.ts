import { setTimeout as sleep } from 'node:timers/promises'
import type { Call, Recorder } from './history'
import type { Market, Party, Product } from './market'

const EVERY_MS = 200
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
  let rounds = 0
  let unpaid: string | undefined

  const probe = (work: Promise<Call>) => {
    const done = work.then((call) => {
      call.probe = true
      made.push(call)
      pending.delete(done)
    })
    pending.set(done, recorder.now())
  }
  async function order(): Promise<Call> {
    const wish = { do: 'order', lines: [{ productId: id, quantity: 1 }] } as const
    const mark = `probe-order.${rounds}`
    const { call, body } = await market.perform(recorder.begin({ mark, by: buyer.id, wish, key: `key-${mark}` }), buyer)
    if (call.outcome === 'ok' && body?.id !== undefined) unpaid = body.id
    return call
  }
  /** Of the last order that was placed. */
  async function pay(orderId: string): Promise<Call> {
    const wish = { do: 'pay', orderId, card: 'succeeds' } as const
    const mark = `probe-pay.${rounds}`
    return (await market.perform(recorder.begin({ mark, by: buyer.id, wish, key: `key-${mark}` }), buyer)).call
  }
  async function changeStock(): Promise<Call> {
    const wish = { do: 'change stock', productId: id, delta: 1, reason: 'RECEIVED' } as const
    const mark = `probe-stock.${rounds}`
    return (await market.perform(recorder.begin({ mark, by: seller.id, wish, key: `key-${mark}` }), seller)).call
  }

  const timer = setInterval(() => {
    rounds++
    if (unpaid !== undefined) probe(pay(unpaid))
    unpaid = undefined
    probe(order())
    probe(changeStock())
    // With a token, so that Nginx's cache is not asked.
    probe(market.read('read a product', `/products/${id}`, buyer).then(({ call }) => call))
    probe((rounds % 2 === 0 ? buyer : seller).logIn())
  }, EVERY_MS)

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
      clearInterval(timer)
      await Promise.all(pending.keys())
    },
  }
}
