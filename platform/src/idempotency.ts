import { createHmac } from 'node:crypto'
import type pg from 'pg'
import type { Logger } from 'pino'
import { z } from 'zod'
import { periodically, type Repeated } from './periodic'
import { inTransaction } from './postgres'
import { problem, type ProblemReply } from './problems'
import { err, ok } from './result'

/** The right of one caller to have one request of one route done at most once. */
export type Once = {
  callerId: string
  /** Method and path template, `POST /orders`. */
  route: string
  key: string
  /** Keyed digest of the validated request: the same key with another one is refused. */
  fingerprint: string
}

/** An answer as it went out, kept to be repeated byte for byte. */
export type Answer = { status: number; location: string | null; etag: string | null; body: string }

export type ClaimRefusal = 'idempotency-key-reused' | 'request-in-progress'
export type Claim = { kind: 'claimed' } | { kind: 'replay'; answer: Answer } | { kind: ClaimRefusal }

// IETF httpapi idempotency-key draft: a Structured Field string (RFC 8941 §3.3.3); the bare form is accepted as well.
const QUOTED = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"$/
const BARE = /^[\x21\x23-\x7e][\x21-\x7e]*$/

/** The Idempotency-Key header: quoted or bare, 1–255 visible ASCII characters; parsed to the bare key. */
export const IdempotencyKey = z
  .string()
  .transform((header, context) => {
    const quoted = QUOTED.exec(header)?.[1]
    const key = quoted === undefined ? (BARE.test(header) ? header : '') : quoted.replace(/\\(["\\])/g, '$1')
    if (key.length < 1 || key.length > 255) {
      context.addIssue('must be 1 to 255 visible ASCII characters, bare or as a quoted string')
      return z.NEVER
    }
    return key
  })
  .meta({ type: 'string', minLength: 1, maxLength: 514 })

/** `request` is what the schemas returned, so that spelling and unknown order of fields don't matter. */
export const fingerprintOf = (secret: string, request: unknown): string =>
  createHmac('sha256', secret).update(JSON.stringify(request)).digest('base64url')

/**
 * Claims keys inside the transaction of their effects; no key may be named twice. Whoever holds one at this moment makes it
 * `request-in-progress` at once: nobody waits on a pool connection for somebody else's transaction.
 */
export async function claimKeys(tx: pg.ClientBase, schema: string, wanted: readonly Once[]): Promise<Claim[]> {
  const locks = await tx.query<{ free: boolean }>({
    name: 'lock-idempotency-keys',
    text: `select pg_try_advisory_xact_lock(hashtextextended(name, 0)) as free
             from unnest($1::text[]) with ordinality as wanted (name, no) order by no`,
    values: [wanted.map((once) => JSON.stringify([schema, once.callerId, once.route, once.key]))],
  })
  // A statement of its own: its snapshot has to be younger than the locks.
  const kept = await tx.query<(Answer | { status: null }) & { fingerprint: string; no: string }>({
    name: 'find-idempotency-keys',
    text: `select wanted.no, fingerprint, status, location, etag, body
             from unnest($1::uuid[], $2::text[], $3::text[]) with ordinality as wanted (caller_id, route, key, no),
                  -- the limit keeps it one look-up a key: a join's plan, made while there were few keys, would read all of them
                  lateral (select * from ${schema}.idempotency_keys k
                            where k.caller_id = wanted.caller_id and k.route = wanted.route and k.key = wanted.key limit 1) kept
            where kept.created_at > now() - interval '24 hours' or kept.status is null`,
    values: [wanted.map((once) => once.callerId), wanted.map((once) => once.route), wanted.map((once) => once.key)],
  })
  const answers = new Map(kept.rows.map(({ no, ...row }) => [Number(no) - 1, row]))
  return wanted.map((once, i): Claim => {
    const row = answers.get(i) // committed: who holds the lock is another repeat
    if (!row) return { kind: locks.rows[i]?.free ? 'claimed' : 'request-in-progress' }
    const { fingerprint, ...answer } = row
    if (fingerprint !== once.fingerprint) return { kind: 'idempotency-key-reused' }
    return answer.status === null ? { kind: 'request-in-progress' } : { kind: 'replay', answer }
  })
}

export async function claimKey(tx: pg.ClientBase, schema: string, once: Once): Promise<Claim> {
  const [claim] = await claimKeys(tx, schema, [once])
  if (!claim) throw new Error('a key was neither claimed nor refused')
  return claim
}

/**
 * Keeps the answers of claimed keys; they commit with their effects or not at all. Only expired rows can be in the way. An effect
 * that takes more than one transaction keeps its key without an answer in the first, and `settleKey`s it in the last: until then the
 * key does not expire, or it would be another request's when the answer comes.
 */
export async function keepAnswers(
  tx: pg.ClientBase,
  schema: string,
  kept: readonly { once: Once; answer: Answer | undefined }[],
): Promise<void> {
  await tx.query({
    name: 'keep-idempotency-keys',
    text: `insert into ${schema}.idempotency_keys (caller_id, route, key, fingerprint, status, location, etag, body, created_at)
           select *, now() from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::smallint[], $6::text[], $7::text[], $8::text[])
           on conflict (caller_id, route, key) do update
             set fingerprint = excluded.fingerprint, status = excluded.status, location = excluded.location,
                 etag = excluded.etag, body = excluded.body, created_at = excluded.created_at`,
    values: [
      kept.map(({ once }) => once.callerId),
      kept.map(({ once }) => once.route),
      kept.map(({ once }) => once.key),
      kept.map(({ once }) => once.fingerprint),
      kept.map(({ answer }) => answer?.status),
      kept.map(({ answer }) => answer?.location),
      kept.map(({ answer }) => answer?.etag),
      kept.map(({ answer }) => answer?.body),
    ],
  })
}

/** Gives a key without an answer the one that its repeats get, or frees it when there is none: a refusal is not remembered. */
export async function settleKey(
  tx: pg.ClientBase,
  schema: string,
  { callerId, route, key }: Omit<Once, 'fingerprint'>,
  answer: Answer | undefined,
): Promise<void> {
  const unanswered = 'where caller_id = $1 and route = $2 and key = $3 and status is null'
  const id = [callerId, route, key]
  await tx.query(
    answer
      ? {
          name: 'answer-idempotency-key',
          text: `update ${schema}.idempotency_keys set status = $4, location = $5, etag = $6, body = $7 ${unanswered}`,
          values: [...id, answer.status, answer.location, answer.etag, answer.body],
        }
      : { name: 'free-idempotency-key', text: `delete from ${schema}.idempotency_keys ${unanswered}`, values: id },
  )
}

/** A bounded bite of expired keys; any replica may run it. Answers how many went. */
export async function dropExpiredKeys(pool: pg.Pool, schema: string, limit = 1000): Promise<number> {
  const dropped = await pool.query(
    `delete from ${schema}.idempotency_keys where ctid = any (array(
       select ctid from ${schema}.idempotency_keys
        where created_at <= now() - interval '24 hours' and status is not null order by created_at limit $1 for update skip locked))`,
    [limit],
  )
  return dropped.rowCount ?? 0
}

/** Drops expired keys every few minutes, bite by bite, until stopped. */
export function sweepExpiredKeys(options: {
  pool: pg.Pool
  schema: string
  log: Logger
  everyMs?: number
  bite?: number
}): Repeated {
  const { pool, schema, log, everyMs = 300_000, bite = 1000 } = options
  return periodically({ everyMs, log, name: `drop expired idempotency keys of ${schema}` }, async (stopping) => {
    while (!stopping.aborted && (await dropExpiredKeys(pool, schema, bite)) === bite);
  })
}

/** What a handler sends when the answer is already rendered. */
export type RenderedReply = { answer: Answer; replayed: boolean }

/**
 * Runs `work` in one transaction and, when the request carries a key, at most once: its rendered answer commits with its
 * effect, a repeat gets that answer, a refusal rolls everything back and may be tried again.
 */
export async function onceInTransaction<Outcome extends { status: number } | ProblemReply>(
  pool: pg.Pool,
  schema: string,
  request: { once: Once | undefined; render: (reply: Exclude<Outcome, ProblemReply>) => Answer },
  work: (tx: pg.PoolClient) => Promise<Outcome>,
): Promise<RenderedReply | Extract<Outcome, ProblemReply> | ProblemReply<ClaimRefusal>> {
  type Refusal = Extract<Outcome, ProblemReply>
  const { once, render } = request
  const outcome = await inTransaction<RenderedReply, Refusal | ProblemReply<ClaimRefusal>>(pool, async (tx) => {
    if (once) {
      const claim = await claimKey(tx, schema, once)
      if (claim.kind === 'replay') return ok({ answer: claim.answer, replayed: true })
      if (claim.kind !== 'claimed') return err(problem(claim.kind))
    }
    const reply = await work(tx)
    if ('problem' in reply) return err(reply as Refusal)
    const answer = render(reply as Exclude<Outcome, ProblemReply>)
    if (once) await keepAnswers(tx, schema, [{ once, answer }])
    return ok({ answer, replayed: false })
  })
  return outcome.ok ? outcome.value : outcome.error
}
