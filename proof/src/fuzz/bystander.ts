import { setTimeout as sleep } from 'node:timers/promises'
import { retryAfterMs, type Client } from '../client'
import { contractOf, type Contract } from '../contract'

export type Bystander = { calls: number; p50: number; p99: number; slowest: number; faults: string[] }

const EVERY_MS = 20
/** Nobody who waits for a page puts up with more. */
const TOO_SLOW_MS = 5_000

/** Calls like any other, one after the other, while something else is going on; each has to be answered as if nothing were. */
export function standBy(client: Client, document: Contract, path: string) {
  const contract = contractOf(document)
  const times: number[] = []
  const faults = new Set<string>()
  let isOver = false

  async function call(n: number): Promise<void> {
    const id = `bystander-${n}`
    const answer = await client.call('GET', path, { headers: { 'x-request-id': id } })
    if (answer.status === 429) return void (await sleep(retryAfterMs(answer) ?? 1_000)) // the probes come from its address
    times.push(answer.ms)
    if (answer.status !== 200) faults.add(`GET ${path} was answered ${answer.status || answer.fault}`)
    else if (answer.headers['x-request-id'] !== id) faults.add(`GET ${path} got the answer of another request`)
    for (const violation of contract.violations('get', path, {
      ...answer,
      headers: answer.headers as Record<string, string>,
    }))
      faults.add(violation)
    if (answer.ms > TOO_SLOW_MS) faults.add(`GET ${path} took more than ${TOO_SLOW_MS} ms`)
  }
  const standing = (async () => {
    for (let n = 0; !isOver; n++) {
      await call(n)
      await sleep(EVERY_MS)
    }
  })()

  return {
    end: async (): Promise<Bystander> => {
      isOver = true
      await standing
      const sorted = times.sort((a, b) => a - b)
      const quantile = (q: number) =>
        Math.round(sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0)
      return { calls: times.length, p50: quantile(0.5), p99: quantile(0.99), slowest: quantile(1), faults: [...faults] }
    },
  }
}
