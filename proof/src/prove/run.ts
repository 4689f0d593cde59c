import { randomBytes } from 'node:crypto'
import { NoStart, openAccounts, type Accounts, type Party } from '../accounts'
import { openClient, type Client, type Counts } from '../client'
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

/** For whoever watches; `calls` goes on counting. */
export type Progress = {
  opened: (accounts: number) => void
  begin: (promise: ShopPromise, round: number, calls: Readonly<Counts>) => void
  end: (finding: Finding) => void
}
const unwatched: Progress = { opened: () => undefined, begin: () => undefined, end: () => undefined }

/** How long one call puts up with 429 and 503 before its promise is undecided. */
const PATIENCE_MS = 120_000
const OWN_SELLERS = 2

/** Looks at the promises of the shop at `url`. Raises NoStart when there is no shop that can be used. */
export async function prove(options: Omit<Options, 'json'>, progress = unwatched): Promise<Report> {
  const { url, seed, size } = options
  const begun = performance.now()
  const startedAt = new Date().toISOString()
  const client = openClient({ url, patienceMs: PATIENCE_MS })
  try {
    await reach(client)
    const tag = `prove-${randomBytes(5).toString('hex')}`
    const accounts = openAccounts(client, tag)
    const { buyers, sellers, opened } = await partiesOf(accounts, options)
    progress.opened(opened)

    const shop = shopAt(client)
    const callers = Array.from({ length: size }, (_, i) => buyers[i % buyers.length]!)
    const worldOf = (listed: Listed[], part: string): World => ({
      ...{ shop, buyers, sellers, callers, listed },
      random: randomFrom(seed).fork(part),
      list: async (stock, { seller = sellers[0]!, priceCents = 1000, name = `${tag} ${part}` } = {}) => {
        const id = await accounts.listProduct(seller, { stock, priceCents, name })
        const product = { id, seller, stock, priceCents }
        listed.push(product)
        return product
      },
    })

    const wanted = PROMISES.filter(({ name }) => options.only.includes(name))
    const lacking = ({ needs = {} }: ShopPromise) => [
      ...((needs.buyers ?? 1) > buyers.length ? [`it takes ${needs.buyers} buyers`] : []),
      ...((needs.sellers ?? 1) > sellers.length ? [`it takes ${needs.sellers} sellers`] : []),
    ]
    const findings = new Map<string, Finding>()
    let rounds = 0
    do {
      const listed: Listed[] = []
      for (const promise of wanted.filter((each) => lacking(each).length === 0)) {
        progress.begin(promise, rounds, client.counts)
        const world = worldOf(listed, `${promise.name}/${rounds}`)
        const finding = await judge(promise, (tally) => promise.look(world, tally))
        const earlier = findings.get(promise.name)
        findings.set(promise.name, earlier ? together(earlier, finding) : finding)
        progress.end(finding)
      }
      // Off sale again, so that a shop does not fill up with them; what was found out does not hang on it.
      await Promise.allSettled(listed.map(({ seller, id }) => shop.edit(seller, id, { status: 'DISABLED' })))
      rounds++
    } while (performance.now() - begun < options.durationSeconds * 1000)

    const promises = [...findings.values()].map((finding) => ({ ...finding, held: held(finding) }))
    return {
      ...{ tool: 'prove', url, seed, size, rounds, startedAt },
      seconds: Math.round((performance.now() - begun) / 100) / 10,
      calls: { ...client.counts },
      ok: promises.length > 0 && promises.every((each) => each.held),
      promises,
      skipped: wanted.flatMap((each) =>
        lacking(each).map((reason) => ({ name: each.name, promise: each.promise, reason })),
      ),
    }
  } finally {
    client.close()
  }
}

async function reach(client: Client): Promise<void> {
  const answer = await client.call('GET', '/users/.well-known/jwks.json')
  if (answer.status !== 200)
    throw new NoStart(`${client.url} is no shop: ${answer.fault ?? `its key set is answered ${answer.status}`}`)
}

/** Those that were given, or as many as are wanted of its own. */
async function partiesOf(accounts: Accounts, { buyers, sellers, size }: Pick<Options, 'buyers' | 'sellers' | 'size'>) {
  if (buyers.length === 0)
    return {
      buyers: await accounts.registerMany('BUYER', size),
      sellers: await accounts.registerMany('SELLER', OWN_SELLERS),
      opened: size + OWN_SELLERS,
    }
  const enter = (given: Options['buyers'], role: Party['role']) =>
    Promise.all(
      given.map(async (credentials) => {
        const party = await accounts.login(credentials)
        if (party.role !== role) throw new NoStart(`${party.username} is no ${role} but a ${party.role}`)
        return party
      }),
    )
  return { buyers: await enter(buyers, 'BUYER'), sellers: await enter(sellers, 'SELLER'), opened: 0 }
}
