import { randomBytes } from 'node:crypto'
import { NoStart, openAccounts, type Accounts, type Party } from '../accounts'
import { openClient, type Client, type Counts } from '../client'
import { randomFrom } from '../random'
import { held, judge, together, type Finding } from '../report'
import { shopAt, type Shop } from '../shop'
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

/** How long one call puts up with a shop that is busy or restarting before its promise is undecided. */
const PATIENCE_MS = 120_000
const OWN_SELLERS = 2

/**
 * Looks at the promises of the shop at `url`. Raises NoStart when there is no shop that can be used, and the reason of `signal`
 * when that is aborted. Whatever is raised, its products are off sale then.
 */
export async function prove(
  options: Omit<Options, 'json'>,
  progress = unwatched,
  signal = new AbortController().signal,
): Promise<Report> {
  const { url, seed, size } = options
  const begun = performance.now()
  const startedAt = new Date().toISOString()
  const client = openClient({ url, patienceMs: PATIENCE_MS })
  try {
    const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
    const unlessAborted = async <T>(work: Promise<T>): Promise<T> => {
      await Promise.race([work, aborted])
      signal.throwIfAborted() // work that ended because of it has found nothing out
      return work
    }
    await unlessAborted(reach(client))
    const tag = `prove-${randomBytes(5).toString('hex')}`
    const accounts = openAccounts(client, tag)
    const { buyers, sellers, opened } = await unlessAborted(partiesOf(accounts, options))
    progress.opened(opened)

    const shop = shopAt(client)
    const callers = Array.from({ length: size }, (_, i) => buyers[i % buyers.length]!)
    const worldOf = (shelf: Shelf, part: string): World => ({
      ...{ shop, buyers, sellers, callers, listed: shelf.listed },
      random: randomFrom(seed).fork(part),
      list: (stock, { seller = sellers[0]!, priceCents = 1000, name = `${tag} ${part}` } = {}) => {
        signal.throwIfAborted()
        return shelf.put(seller, { stock, priceCents, name })
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
      const shelf = openShelf(shop, accounts)
      try {
        for (const promise of wanted.filter((each) => lacking(each).length === 0)) {
          progress.begin(promise, rounds, client.counts)
          const world = worldOf(shelf, `${promise.name}/${rounds}`)
          const finding = await unlessAborted(judge(promise, (tally) => promise.look(world, tally)))
          const earlier = findings.get(promise.name)
          findings.set(promise.name, earlier ? together(earlier, finding) : finding)
          progress.end(finding)
        }
      } finally {
        await shelf.clear()
      }
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

/** Products of a round. They go off sale again, so that a shop does not fill up with them; what was found out does not hang on it. */
function openShelf(shop: Shop, accounts: Accounts) {
  const listed: Listed[] = []
  const asked: Promise<Listed>[] = []
  return {
    listed,
    put: (seller: Party, { stock, priceCents, name }: { stock: number; priceCents: number; name: string }) => {
      const listing = accounts.listProduct(seller, { stock, priceCents, name }).then((id) => {
        const product = { id, seller, stock, priceCents }
        listed.push(product)
        return product
      })
      asked.push(listing)
      return listing
    },
    clear: () =>
      Promise.allSettled(
        asked.map(async (listing) => {
          const { seller, id } = await listing
          await shop.edit(seller, id, { status: 'DISABLED' })
        }),
      ),
  }
}
type Shelf = ReturnType<typeof openShelf>

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
