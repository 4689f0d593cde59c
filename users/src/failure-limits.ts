import { createHash } from 'node:crypto'
import type pg from 'pg'
import { RateLimiterPostgres, type RateLimiterRes } from 'rate-limiter-flexible'
import { err, ok, type Result } from '@shop/platform/result'
import type { Hashing } from './hashing'

const WINDOW_SECONDS = 15 * 60
/** Low, for one who guesses from one place; a stranger elsewhere doesn't come near it. */
const FAILURES_PER_ADDRESS = 10
/** High, for guesses from many places at one name. */
const FAILURES_PER_USERNAME = 100
/** Whoever changes a password has an access token, wherever from. */
const FAILURES_PER_ACCOUNT = 10

export type RateLimited = { code: 'rate-limited'; retryAfterSeconds: number }

/** One counter of failures in Postgres, which all replicas share. */
type Limit = {
  /** Failures of the present window, attempts under way included. */
  look: () => Promise<RateLimited | undefined>
  /** Counts an attempt; refused when it is one too many. */
  take: () => Promise<RateLimited | undefined>
  giveBack: () => Promise<unknown>
}

export type FailureLimits = {
  ofLogin: (username: string, address: string) => Limit[]
  ofPasswordChange: (userId: string) => Limit[]
}

export function failureLimits(pool: pg.Pool): FailureLimits {
  const counter = (keyPrefix: string, points: number) =>
    new RateLimiterPostgres({
      storeClient: pool,
      storeType: 'pool',
      schemaName: 'users',
      tableName: 'login_failures',
      tableCreated: true,
      clearExpiredByTimeout: false, // expired-rows.ts does
      keyPrefix,
      points,
      duration: WINDOW_SECONDS,
    })
  const perAddress = counter('address', FAILURES_PER_ADDRESS)
  const perUsername = counter('username', FAILURES_PER_USERNAME)
  const perAccount = counter('account', FAILURES_PER_ACCOUNT)
  return {
    // The address first: attempts that it refuses are not counted against the name, or a stranger could lock its owner out.
    ofLogin: (username, address) => [limit(perAddress, [username, address]), limit(perUsername, [username])],
    ofPasswordChange: (userId) => [limit(perAccount, [userId])],
  }
}

function limit(counter: RateLimiterPostgres, subject: string[]): Limit {
  // A digest is of one length, whatever somebody types as a name, and keeps a password typed there out of the table.
  const key = createHash('sha256').update(JSON.stringify(subject)).digest('base64url')
  const over = (state: RateLimiterRes): RateLimited => ({
    code: 'rate-limited',
    retryAfterSeconds: Math.max(1, Math.ceil(state.msBeforeNext / 1000)),
  })
  return {
    look: async () => {
      const state = await counter.get(key)
      return state && state.consumedPoints >= counter.points ? over(state) : undefined
    },
    take: async () => {
      const state = await counter.penalty(key)
      return state.consumedPoints > counter.points ? over(state) : undefined
    },
    giveBack: () => counter.reward(key),
  }
}

/**
 * Whether `password` is the one of `hash` (none: of nobody, which takes as long), unless one of `limits` is reached. Only
 * failures count. An attempt is counted before it is made and given back when it succeeds, so that a hundred guesses at once
 * don't all find the counter below its limit; and that happens in one's turn to hash, so that at most two are under way here.
 */
export async function checkPassword(
  hashing: Hashing,
  limits: readonly Limit[],
  password: string,
  hash: string | undefined,
): Promise<Result<boolean, RateLimited>> {
  for (const each of limits) {
    const refused = await each.look() // who is over takes no place in the queue
    if (refused) return err(refused)
  }
  return hashing.inTurn(({ matches }) => counted(limits, () => matches(password, hash)))
}

async function counted(
  limits: readonly Limit[],
  attempt: () => Promise<boolean>,
): Promise<Result<boolean, RateLimited>> {
  const taken: Limit[] = []
  const giveBack = () => Promise.all(taken.map((each) => each.giveBack()))
  for (const each of limits) {
    const refused = await each.take()
    taken.push(each)
    if (!refused) continue
    await giveBack()
    return err(refused)
  }
  const right = await attempt()
  if (right) await giveBack()
  return ok(right)
}
