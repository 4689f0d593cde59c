import pg from 'pg'
import { DatabaseOutage, SQLSTATE, asOutage, inTransaction } from '@shop/platform/postgres'
import type { OrderStore, Placed, Placement, PlacementRefusal } from '../../application/ports'
import { err, ok, type Result } from '../../domain/result'
import { placeBatch, type Outcome } from './order-batch'
import { postgresOrderStore } from './order-store'

export type BatchingOptions = {
  /** Placements in one transaction at most. */
  maxBatch?: number
  /** Placements that may wait; one more is refused as an outage (503). */
  maxWaiting?: number
  /** Placements that may be under way alone, because somebody holds a product of theirs. */
  maxAlone?: number
}

type Waiting = {
  placement: Placement
  resolve: (outcome: Result<Placed, PlacementRefusal>) => void
  reject: (error: unknown) => void
}
/** The first call with a key, and those that came with the same key while it waited. */
type Group = { leader: Waiting; followers: Waiting[] }

/** Lets the requests that are here already be read; an idle process goes on at once. */
const arrivals = () => new Promise<void>((resolve) => setImmediate(resolve))

/** A batch waits this long for a row, and then goes without the orders that need it; as long it waits for one that goes alone. */
const LOCK_TIMEOUT_MS = 250

/**
 * Places orders in batches: while one transaction is under way the placements that arrive wait, and go together in the next.
 * There is no timer, so that an idle shop adds no delay. Everything but `place` is the plain store's.
 */
export function batchingOrderStore(pool: pg.Pool, options: BatchingOptions = {}): OrderStore {
  const { maxBatch = 200, maxWaiting = 2000, maxAlone = 4 } = options
  const plain = postgresOrderStore(pool)
  const waiting: Waiting[] = []
  let underWay = false
  let alone = 0

  /**
   * A few orders may wait for a row that somebody holds, on connections of their own; the others are told to come back. Those
   * of one cart wait in one line, in which nobody waits a second time for what did not come.
   */
  async function placeAlone(line: readonly Waiting[]): Promise<void> {
    let outage =
      alone < maxAlone ? undefined : new DatabaseOutage('database-unavailable', 'a row of the order is locked')
    alone++
    for (const { placement, resolve, reject } of line) {
      if (outage) reject(outage)
      else
        await plain.place(placement).then(resolve, (error: unknown) => {
          outage = asOutage(error)
          reject(error)
        })
    }
    alone--
  }

  /** Answers everybody in the batch but those whose turn is still to come, which it returns. */
  async function settle(groups: readonly Group[]): Promise<Waiting[]> {
    try {
      const outcomes = await placeTogether(
        pool,
        groups.map(({ leader }) => leader.placement),
      )
      const locked: Waiting[] = []
      const toCome = groups.flatMap((group, i) => {
        const outcome = outcomes[i]
        if (outcome === undefined || outcome === 'locked') {
          locked.push(group.leader)
          return group.followers
        }
        group.leader.resolve(outcome)
        return answerFollowers(group, outcome)
      })
      for (const line of linesByCart(locked)) void placeAlone(line)
      return toCome
    } catch (error) {
      const outage = asOutage(error)
      if (outage) {
        for (const { leader, followers } of groups) for (const each of [leader, ...followers]) each.reject(error)
        return []
      }
      // One of them is at fault: halved until it stands alone, the batch goes through without it.
      const half = groups.length >> 1
      if (half > 0) return [...(await settle(groups.slice(0, half))), ...(await settle(groups.slice(half)))]
      for (const { leader } of groups) leader.reject(error)
      return groups.flatMap(({ followers }) => followers)
    }
  }

  async function run(): Promise<void> {
    underWay = true
    while (waiting.length > 0) {
      await arrivals()
      const batch = waiting.splice(0, maxBatch)
      if (batch.length === 1 && alone < maxAlone) await atMost(LOCK_TIMEOUT_MS, placeAlone(batch))
      else waiting.unshift(...(await settle(groupByKey(batch))))
    }
    underWay = false
  }

  return {
    ...plain,
    place: (placement) =>
      new Promise((resolve, reject) => {
        if (waiting.length >= maxWaiting) {
          return reject(new DatabaseOutage('database-unavailable', 'too many orders are waiting'))
        }
        waiting.push({ placement, resolve, reject })
        if (!underWay) void run()
      }),
  }
}

/** One transaction for all of them; when a row is held for long, a second one without those who need it. */
async function placeTogether(pool: pg.Pool, placements: readonly Placement[]): Promise<Outcome[]> {
  const attempt = async (skipLocked: boolean): Promise<Outcome[]> => {
    const result = await inTransaction<Outcome[], never>(
      pool,
      async (tx) => ok(await placeBatch(tx, placements, { skipLocked })),
      { lockTimeoutMs: LOCK_TIMEOUT_MS },
    )
    return result.ok ? result.value : result.error
  }
  try {
    return await attempt(false)
  } catch (error) {
    if (!(error instanceof pg.DatabaseError) || error.code !== SQLSTATE.lockNotAvailable) throw error
    return attempt(true)
  }
}

/** Until the work is done, but no longer. */
async function atMost(ms: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  await Promise.race([work, new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)))])
  clearTimeout(timer)
}

function groupByKey(batch: readonly Waiting[]): Group[] {
  const groups: Group[] = []
  const byKey = new Map<string, Group>()
  for (const each of batch) {
    const { once } = each.placement
    const key = once && JSON.stringify([once.callerId, once.route, once.key])
    const group = key === undefined ? undefined : byKey.get(key)
    if (group) group.followers.push(each)
    else {
      const opened = { leader: each, followers: [] }
      groups.push(opened)
      if (key !== undefined) byKey.set(key, opened)
    }
  }
  return groups
}

/** Those that wait for one cart would only wait for each other; every other order is a line of its own. */
function linesByCart(locked: readonly Waiting[]): Waiting[][] {
  const lines = new Map<string, Waiting[]>()
  for (const each of locked) {
    const { lines: wanted, buyerId, id } = each.placement
    const name = wanted === 'cart' ? buyerId : id
    lines.set(name, [...(lines.get(name) ?? []), each])
  }
  return [...lines.values()]
}

/**
 * What is known of the leader's call decides most of its followers: a kept answer is theirs too, if they ask for the same.
 * After a refusal, which is not remembered, each has its own turn.
 */
function answerFollowers({ leader, followers }: Group, outcome: Result<Placed, PlacementRefusal>): Waiting[] {
  if (!outcome.ok && outcome.error.code === 'request-in-progress') {
    for (const { resolve } of followers) resolve(outcome)
    return []
  }
  if (!outcome.ok || outcome.value.receipt === undefined) return followers
  const { receipt } = outcome.value
  for (const { placement, resolve } of followers) {
    const same = placement.once?.fingerprint === leader.placement.once?.fingerprint
    resolve(same ? ok({ repeated: true, receipt }) : err({ code: 'idempotency-key-reused' }))
  }
  return []
}
