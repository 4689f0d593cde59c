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
  /** Placements that may be under way alone: one that came alone, or the first of those who need what somebody holds. */
  maxAlone?: number
}

type Waiting = {
  placement: Placement
  sinceMs: number
  resolve: (outcome: Result<Placed, PlacementRefusal>) => void
  reject: (error: unknown) => void
}
/** The first call with a key, and those that came with the same key while it waited. */
type Group = { leader: Waiting; followers: Waiting[] }
/** Those who need something that somebody holds, in the order of arrival. */
type Line = { queue: Waiting[]; underWay: boolean }

/** Lets the requests that are here already be read; an idle process goes on at once. */
const arrivals = () => new Promise<void>((resolve) => setImmediate(resolve))

/** A batch waits this long for a row, and then goes without the orders that need it; as long it waits for one that goes alone. */
const LOCK_TIMEOUT_MS = 250
/** Whoever has been here for longer does not begin to wait for a row: an order of the plain store waits as long. */
const PATIENCE_MS = 2_000

/**
 * Places orders in batches: while one transaction is under way the placements that arrive wait, and go together in the next.
 * There is no timer, so that an idle shop adds no delay. Everything but `place` is the plain store's.
 */
export function batchingOrderStore(pool: pg.Pool, options: BatchingOptions = {}): OrderStore {
  const { maxBatch = 200, maxWaiting = 2000, maxAlone = 4 } = options
  const plain = postgresOrderStore(pool)
  const waiting: Waiting[] = []
  /** By the id of what is held. */
  const lines = new Map<string, Line>()
  let underWay = false
  let alone = 0

  /** By the plain store, on a connection of its own; answers the outage that it met, if any. */
  async function placeAlone({ placement, resolve, reject }: Waiting): Promise<DatabaseOutage | undefined> {
    alone++
    try {
      resolve(await plain.place(placement))
      return undefined
    } catch (error) {
      reject(error)
      return asOutage(error)
    } finally {
      alone--
      sendFirsts()
    }
  }

  function lineUp(each: Waiting, held: string): void {
    const line = lines.get(held)
    if (isLate(each)) refuse(each)
    else if (line) line.queue.push(each)
    else lines.set(held, { queue: [each], underWay: false })
  }

  /** As many as may be alone go, the first of each line; whoever is late by then is told to come back. */
  function sendFirsts(): void {
    for (const [held, line] of lines) {
      if (line.underWay) continue
      const queue = line.queue.filter((each) => {
        const late = isLate(each)
        if (late) refuse(each)
        return !late
      })
      lines.set(held, { queue, underWay: false })
      if (queue.length === 0) lines.delete(held)
      else if (alone < maxAlone) void sendFirst(held, queue)
    }
  }

  /**
   * What the first one got the others may have together; what it waited for in vain they don't wait for a second time, unless that
   * may have been something else that it needed.
   */
  async function sendFirst(held: string, [first, ...queue]: readonly Waiting[]): Promise<void> {
    if (!first) return
    lines.set(held, { queue, underWay: true })
    const outage = await placeAlone(first)
    lines.delete(held)
    const forAnother = isLockTimeout(outage?.cause) && needsOf(first.placement).some((id) => id !== held)
    if (outage && !forAnother) return queue.forEach(({ reject }) => reject(outage))
    waiting.unshift(...queue)
    if (!underWay) void run()
  }

  /** Answers everybody in the batch but those whose turn is still to come, which it returns. */
  async function settle(groups: readonly Group[]): Promise<Waiting[]> {
    try {
      const outcomes = await placeTogether(
        pool,
        groups.map(({ leader }) => leader.placement),
      )
      const toCome = outcomes.flatMap((outcome, i) => {
        const group = groups[i]
        if (!group) return []
        if ('held' in outcome) {
          for (const each of [group.leader, ...group.followers]) lineUp(each, outcome.held)
          return []
        }
        group.leader.resolve(outcome)
        return answerFollowers(group, outcome)
      })
      sendFirsts()
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
      const batch: Waiting[] = []
      for (const each of waiting.splice(0, maxBatch)) {
        const held = lines.size > 0 ? needsOf(each.placement).find((id) => lines.has(id)) : undefined
        if (held === undefined) batch.push(each)
        else lineUp(each, held)
      }
      const [first] = batch
      if (!first) continue
      if (batch.length === 1 && alone < maxAlone) await atMost(LOCK_TIMEOUT_MS, placeAlone(first))
      else waiting.unshift(...(await settle(groupByKey(batch))))
    }
    underWay = false
  }

  return {
    ...plain,
    place: (placement) =>
      new Promise((resolve, reject) => {
        if (waiting.length + linedUp(lines) >= maxWaiting) {
          return reject(new DatabaseOutage('database-unavailable', 'too many orders are waiting'))
        }
        waiting.push({ placement, sinceMs: performance.now(), resolve, reject })
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
    if (!isLockTimeout(error)) throw error
    return attempt(true)
  }
}

const isLockTimeout = (error: unknown): boolean =>
  error instanceof pg.DatabaseError && error.code === SQLSTATE.lockNotAvailable

const isLate = ({ sinceMs }: Waiting): boolean => performance.now() - sinceMs > PATIENCE_MS

const refuse = ({ reject }: Waiting): void =>
  reject(new DatabaseOutage('database-unavailable', 'a row of the order is locked'))

const linedUp = (lines: ReadonlyMap<string, Line>): number =>
  [...lines.values()].reduce((sum, { queue }) => sum + queue.length, 0)

/** What a placement may find held, by id, as far as it is known before the cart is read. */
const needsOf = ({ lines, buyerId }: Placement): string[] =>
  lines === 'cart' ? [buyerId] : lines.map(({ productId }) => productId)

/** Until the work is done, but no longer. */
async function atMost(ms: number, work: Promise<unknown>): Promise<void> {
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
