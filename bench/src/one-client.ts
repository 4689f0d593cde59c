import { Agent, request as send } from 'node:http'
import { text } from 'node:stream/consumers'
import { median, type Sample } from './figures'
import type { Request } from './load'
import type { Mode } from './seed'
import { within, type Bench, type Placement, type Shop } from './shop'

/** They take a quarter of a second or less: whatever slows the disk down for longer meets both stores. */
const ORDERS_OF_A_TURN = 50
/** Not kept: an order that is alone goes another way than those of the warm-up, and that has to be warm, too. */
const TURNS_BEFORE = 20

/**
 * What somebody waits for who orders alone. Two shops are up at once on one database, and one client orders through the Nginx of
 * the one and of the other in turns. Every round starts them anew, now the one first and now the other.
 */
export async function oneClient(bench: Bench): Promise<void> {
  for (let round = 0; round < bench.options.rounds; round++) {
    const both: Pair<Placement> = round % 2 === 0 ? ['batching', 'plain'] : ['plain', 'batching']
    await within(bench, { placement: both[0] }, (shop) =>
      within(bench, { placement: both[1], beside: shop }, async (beside) => {
        for (const mode of ['hot', 'spread'] as const) await orderAlone(bench, mode, both, [shop, beside])
      }),
    )
  }
}

async function orderAlone(bench: Bench, mode: Mode, subjects: Pair<string>, shops: Pair<Shop>): Promise<void> {
  const [shop] = shops
  const clients = [oneByOne(shops[0].stack.url), oneByOne(shops[1].stack.url)] as const
  const requests = shop.ordersOf(mode)
  const turn = (which: 0 | 1, number: number) => {
    const at = (number * ORDERS_OF_A_TURN) % requests.length
    return clients[which].times(requests.slice(at, at + ORDERS_OF_A_TURN))
  }
  const before = await shop.orders()
  try {
    await inTurns(TURNS_BEFORE, turn)
    const [first, second] = await inTurns(bench.options.turns, turn)
    const wanted = 2 * (TURNS_BEFORE + bench.options.turns) * ORDERS_OF_A_TURN
    const made = (await shop.orders()) - before
    if (made !== wanted) throw new Error(`${wanted} orders were confirmed, and the database has ${made}`)
    bench.record({ section: 'one-client', subject: subjects[0], mode, connections: 1 }, sampleOf(first))
    bench.record({ section: 'one-client', subject: subjects[1], mode, connections: 1 }, sampleOf(second))
  } finally {
    for (const client of clients) client.close()
  }
  await shop.checkBooks(`one client, ${mode}`)
}

type Pair<T> = readonly [T, T]

/** So many turns of each of two, of whom neither is always first. */
export async function inTurns<T>(
  turns: number,
  turn: (which: 0 | 1, number: number) => Promise<T>,
): Promise<[T[], T[]]> {
  const results: [T[], T[]] = [[], []]
  for (let number = 0; number < turns; number++)
    for (const which of number % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const))
      results[which].push(await turn(which, number))
  return results
}

/** Of the milliseconds that each order of each turn took. */
export function sampleOf(turns: readonly (readonly number[])[]): Sample {
  const all = turns.flat().sort((a, b) => a - b)
  const inMicroseconds = (ms: number) => Math.round(ms * 1000) / 1000
  return {
    perSecond: (all.length * 1000) / all.reduce((sum, each) => sum + each, 0),
    p50Ms: inMicroseconds(median(all)),
    p99Ms: inMicroseconds(all[Math.ceil(all.length * 0.99) - 1] ?? NaN),
    turnsMs: turns.map((times) => inMicroseconds(median(times))),
  }
}

/** A client with one connection, kept alive, who orders when the order before is placed. */
export function oneByOne(url: string) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })

  async function place({ method, path, token = '', body }: Request): Promise<void> {
    const content = JSON.stringify(body)
    const headers = {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(content),
    }
    const [status, answer] = await new Promise<[number | undefined, string]>((resolve, reject) => {
      const request = send(url + path, { method, headers, agent }, (response) => {
        text(response).then((answered) => resolve([response.statusCode, answered]), reject)
      })
      request.on('error', reject)
      request.end(content)
    })
    if (status !== 201) throw new Error(`an order was answered ${status}: ${answer}`)
  }

  return {
    /** Milliseconds that each took. */
    async times(requests: readonly Request[]): Promise<number[]> {
      const times: number[] = []
      for (const request of requests) {
        const begun = performance.now()
        await place(request)
        times.push(performance.now() - begun)
      }
      return times
    },
    close: () => agent.destroy(),
  }
}
