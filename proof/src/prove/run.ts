import { randomBytes } from 'node:crypto'
import { NoStart, openAccounts, type Party } from '../accounts'
import { openClient, type Counts } from '../client'
import { randomFrom } from '../random'
import { held, judge, together, type Finding } from '../report'
import { shopAt } from '../shop'
import type { Options } from './options'
import type { Listed, ShopPromise, World } from './promise'
import { PROMISES } from './promises'

/** What `--json` prints. */
export type Report = {
  tool: 'prove'
  url: string
  seed: string
  size: number
  rounds: number
  startedAt: string
  seconds: number
  calls: Counts
  ok: boolean
  promises: (Finding & { held: boolean })[]
  /** Left out, and why: the accounts that were given are too few. */
  skipped: { name: string; promise: string; reason: string }[]
}

type Progress = {
  begin: (promise: ShopPromise, round: number) => void
  end: (finding: Finding) => void
  calls?: Counts
}

/** How long one call puts up with 429 and 503 before its promise is undecided. */
const PATIENCE_MS = 120_000
const OWN_SELLERS = 2

/** Looks at the promises of the shop at `url`. Raises NoStart when there is no shop that can be used. */
export async function prove(
  options: Omit<Options, 'json'>,
  progress: Progress = { begin: () => undefined, end: () => undefined },
): Promise<Report> {
  const begun = performance.now()
  const startedAt = new Date().toISOString()
  const client = openClient({ url: options.url, patienceMs: PATIENCE_MS })
  progress.calls = client.counts
  try {
    await reach()
    const tag = `prove-${randomBytes(5).toString('hex')}`
    const accounts = openAccounts(client, tag)
    const own = options.buyers.length === 0
    const parties = (role: Party['role'], given: Options['buyers'], count: number) =>
      own ? accounts.registerMany(role, count) : Promise.all(given.map((each) => accounts.login(each)))
    const buyers = await parties('BUYER', options.buyers, options.size)
    const sellers = await parties('SELLER', options.sellers, OWN_SELLERS)
    for (const [role, list] of [
      ['BUYER', buyers],
      ['SELLER', sellers],
    ] as const)
      for (const party of list)
        if (party.role !== role) throw new NoStart(`${party.username} is no ${role} but a ${party.role}`)

    const shop = shopAt(client)
    const callers = Array.from({ length: options.size }, (_, i) => buyers[i % buyers.length]!)
    const worldOf = (listed: Listed[], part: string): World => ({
      ...{ shop, buyers, sellers, callers, listed },
      random: randomFrom(options.seed).fork(part),
      list: async (stock, { seller = sellers[0]!, priceCents = 1000, name = `${tag} ${part}` } = {}) => {
        const id = await accounts.listProduct(seller, { stock, priceCents, name })
        const product = { id, seller, stock, priceCents }
        listed.push(product)
        return product
      },
    })

    const wanted = PROMISES.filter(({ name }) => options.only.includes(name))
    const lacks = ({ needs }: ShopPromise) =>
      (needs?.buyers ?? 1) > buyers.length
        ? 'needs more buyers'
        : (needs?.sellers ?? 1) > sellers.length
          ? 'needs more sellers'
          : undefined
    const findings = new Map<string, Finding>()
    const until = begun + options.durationSeconds * 1000
    let rounds = 0
    do {
      const listed: Listed[] = []
      for (const promise of wanted.filter((each) => lacks(each) === undefined)) {
        progress.begin(promise, rounds)
        const world = worldOf(listed, `${promise.name}/${rounds}`)
        const finding = await judge(promise, (tally) => promise.look(world, tally))
        const earlier = findings.get(promise.name)
        findings.set(promise.name, earlier ? together(earlier, finding) : finding)
        progress.end(findings.get(promise.name)!)
      }
      // Off sale again, so that a shop does not fill up with them; what was found out does not hang on it.
      await Promise.allSettled(listed.map(({ seller, id }) => shop.edit(seller, id, { status: 'DISABLED' })))
      rounds++
    } while (performance.now() < until)

    return {
      tool: 'prove',
      ...{ url: options.url, seed: options.seed, size: options.size, rounds, startedAt },
      seconds: Math.round((performance.now() - begun) / 100) / 10,
      calls: { ...client.counts },
      ok: [...findings.values()].every(held) && findings.size > 0,
      promises: [...findings.values()].map((finding) => ({ ...finding, held: held(finding) })),
      skipped: wanted.flatMap((each) => {
        const reason = lacks(each)
        return reason === undefined ? [] : [{ name: each.name, promise: each.promise, reason }]
      }),
    }
  } finally {
    client.close()
  }

  async function reach() {
    const answer = await client.call('GET', '/users/.well-known/jwks.json')
    if (answer.status !== 200)
      throw new NoStart(`${options.url} is no shop: ${answer.fault ?? `its key set is answered ${answer.status}`}`)
  }
}
