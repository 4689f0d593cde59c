import { setTimeout as sleep } from 'node:timers/promises'
import { types } from 'node:util'
import pg from 'pg'
import { type Result } from './result'

/** https://www.postgresql.org/docs/current/errcodes-appendix.html */
export const SQLSTATE = {
  uniqueViolation: '23505',
  checkViolation: '23514',
  foreignKeyViolation: '23503',
  numericValueOutOfRange: '22003',
  characterNotInRepertoire: '22021',
  invalidTextRepresentation: '22P02',
  insufficientPrivilege: '42501',
  serializationFailure: '40001',
  deadlockDetected: '40P01',
  lockNotAvailable: '55P03',
  objectInUse: '55006',
  queryCanceled: '57014',
  adminShutdown: '57P01',
} as const

/** Every request ends within 10 s, so whatever the database does must have ended a little earlier. */
const TRANSACTION_DEADLINE_MS = 8_000
const CONNECT_TIMEOUT_MS = 2_000
const RETRIES = 3

/**
 * A pool whose waits are all bounded, and which outlives its server: connections lost while idle (`pool.on('error')`) and
 * while in use (`client.on('error')`) are reported to `onError` once; unheard, either event would end the process.
 */
export function openPool(options: {
  connectionString: string
  max: number
  applicationName: string
  onError: (error: Error) => void
  /** Settings of each of its sessions, by name. */
  settings?: Readonly<Record<string, string>>
}): pg.Pool {
  const pool = new pg.Pool({
    connectionString: options.connectionString,
    max: options.max,
    application_name: options.applicationName,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: 5_000,
    lock_timeout: 2_000,
    idle_in_transaction_session_timeout: 5_000,
    // The server's own limits don't reach us through a dead network: above statement_timeout, silence means that it is gone.
    query_timeout: 6_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    // eslint-disable-next-line @typescript-eslint/no-misused-promises -- pg-pool waits for it, though its types say void
    onConnect: (client) => prepareConnection(client, { timezone: 'UTC', ...options.settings }), // Prisma's adapter reads and writes as if in UTC
  })
  const reported = new WeakSet<Error>()
  const report = (error: Error): void => {
    if (reported.has(error)) return
    reported.add(error)
    options.onError(error)
  }
  pool.on('error', report)
  pool.on('connect', (client) => client.on('error', report))
  return pool
}

async function prepareConnection(client: pg.ClientBase, settings: Readonly<Record<string, string>>): Promise<void> {
  const run = (text: string, values: unknown[] = []) =>
    client.query({ text, values, query_timeout: CONNECT_TIMEOUT_MS } as pg.QueryConfig)
  await run('select set_config(name, value, false) from unnest($1::text[], $2::text[]) as setting (name, value)', [
    Object.keys(settings),
    Object.values(settings),
  ])
  // Lets the server stop a statement (and free its locks) when we have vanished. Some platforms refuse it: never mind.
  await run(`set client_connection_check_interval = '1s'`).catch((error: unknown) => {
    if (!(error instanceof pg.DatabaseError)) throw error
  })
}

/** The database is away, locked or full; or ('outcome-unknown') it may or may not have committed. */
export class DatabaseOutage extends Error {
  readonly code: 'database-unavailable' | 'outcome-unknown'

  constructor(code: DatabaseOutage['code'], cause: unknown) {
    super(code === 'outcome-unknown' ? 'the answer to a change was lost' : 'the database is not available', { cause })
    this.name = 'DatabaseOutage'
    this.code = code
  }
}

/**
 * Runs `work` in one transaction: commits when it returns ok, rolls back when it returns a refusal or throws (what it threw
 * is thrown on, whatever the rollback says; a lost connection as the outage that it is, since the server rolls back). After a serialization failure or a deadlock the whole work runs again, up to
 * three times, so it must have no effect outside of `tx`. All of it ends within 8 s; a lock is waited for no longer than
 * `lockTimeoutMs`, where the session's own limit is too long.
 */
export async function inTransaction<T, E>(
  pool: pg.Pool,
  work: (tx: pg.PoolClient) => Promise<Result<T, E>>,
  { lockTimeoutMs }: { lockTimeoutMs?: number } = {},
): Promise<Result<T, E>> {
  const begin = lockTimeoutMs === undefined ? 'begin' : `begin; set local lock_timeout = ${lockTimeoutMs}`
  const deadline = Date.now() + TRANSACTION_DEADLINE_MS
  for (let attempt = 0; ; attempt++) {
    try {
      return await attemptTransaction(pool, begin, work, deadline)
    } catch (error) {
      if (attempt === RETRIES || !isRetryable(error)) throw error
      const pause = Math.random() * 20 * 2 ** attempt
      if (Date.now() + pause + CONNECT_TIMEOUT_MS >= deadline) throw error
      await sleep(pause)
    }
  }
}

async function attemptTransaction<T, E>(
  pool: pg.Pool,
  begin: string,
  work: (tx: pg.PoolClient) => Promise<Result<T, E>>,
  deadline: number,
): Promise<Result<T, E>> {
  const tx = await pool.connect().catch((error: unknown) => {
    throw isConnectionLoss(error) ? new DatabaseOutage('database-unavailable', error) : error // nothing was said yet
  })
  let released = false
  const release = (broken?: Error): void => {
    if (!released) tx.release(broken)
    released = true
  }
  // Releasing with an error closes the socket: a statement in flight fails, and the server rolls back.
  const timer = setTimeout(() => release(new Error('transaction deadline')), deadline - Date.now())
  let broken: Error | undefined
  try {
    await tx.query(begin)
    const result = await work(tx)
    if (result.ok) await commit(tx)
    else await tx.query('rollback').catch((error: Error) => (broken = error))
    return result
  } catch (error) {
    const outage = isConnectionLoss(error) ? new DatabaseOutage('database-unavailable', error) : error
    if (outage instanceof DatabaseOutage) broken = outage
    else await tx.query('rollback').catch((rollbackError: Error) => (broken = rollbackError))
    throw outage
  } finally {
    clearTimeout(timer)
    release(broken)
  }
}

async function commit(tx: pg.PoolClient): Promise<void> {
  const { command } = await tx.query('commit').catch((error: unknown) => {
    throw isConnectionLoss(error) && !isNeverSent(error) ? new DatabaseOutage('outcome-unknown', error) : error
  })
  // Postgres answers COMMIT of a transaction in which a statement had failed with ROLLBACK, and calls it a success.
  if (command !== 'COMMIT') throw new Error(`the transaction ended in ${command}: an earlier failure was swallowed`)
}

/**
 * Maps a driver or Prisma error to an outage; undefined when the error is a bug, or a constraint that the caller must handle.
 * A statement outside of `inTransaction` commits by itself: when its connection is lost it may have been done.
 */
export function asOutage(error: unknown): DatabaseOutage | undefined {
  if (error instanceof DatabaseOutage) return error
  const unavailable = isConnectionLoss(error) || isRetryable(error) || OUTAGE_STATES.test(sqlState(error) ?? '')
  if (!unavailable && !isPrismaOutage(error)) return undefined
  return new DatabaseOutage(wasUnderWay(error) ? 'outcome-unknown' : 'database-unavailable', error)
}

// 53: out of disk, memory or connections; 55P03: lock_timeout; 57014: statement_timeout; 25P03/4: idle or long in a transaction
const OUTAGE_STATES = /^(53...|55P03|57014|25P0[34])$/
// 08: connection exceptions; 57P: the server is shutting down, starting up, or ended this session
const CONNECTION_STATES = /^(08...|57P0[1235])$/
const SOCKET_CODES =
  /^(ECONNREFUSED|ECONNRESET|ECONNABORTED|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)$/
// pg has no codes of its own, so its texts are all there is to go by.
const DRIVER_MESSAGES =
  /^(Connection terminated|timeout exceeded when trying to connect|timeout expired|Query read timeout|Cannot use a pool after calling end)|not queryable$/
const PRISMA_KINDS = /^(DatabaseNotReachable|ConnectionClosed|SocketTimeout|TooManyConnections)$/
const PRISMA_LOSSES = /^(ConnectionClosed|SocketTimeout)$/

/** The connection is of no further use; the server rolls back by itself. */
function isConnectionLoss(error: unknown): error is Error {
  if (!types.isNativeError(error)) return false
  if (CONNECTION_STATES.test(sqlState(error) ?? '')) return true
  const code = 'code' in error ? String(error.code) : ''
  return SOCKET_CODES.test(code) || (code === '' && DRIVER_MESSAGES.test(error.message))
}

// 57P03: the server is starting up or shutting down; 08001, 08004: no connection could be made
const UNCONNECTED_STATES = /^(57P03|0800[14])$/
const UNCONNECTED =
  /^(Connection terminated due to connection timeout|timeout exceeded when trying to connect|timeout expired|Cannot use a pool after calling end)/

/** A connection was lost that was there, so that the statement may have reached the server. */
function wasUnderWay(error: unknown): boolean {
  if (PRISMA_LOSSES.test(String(adapterFailure(error)?.['kind']))) return true
  if (!isConnectionLoss(error) || isNeverSent(error)) return false
  const connecting = 'syscall' in error && error.syscall === 'connect'
  return !connecting && !UNCONNECTED_STATES.test(sqlState(error) ?? '') && !UNCONNECTED.test(error.message)
}

/** pg refuses a statement on a connection that it knows to be dead: nothing was sent. */
const isNeverSent = (error: Error): boolean => error.message.endsWith('not queryable')

function isRetryable(error: unknown): boolean {
  const state = sqlState(error)
  return state === SQLSTATE.serializationFailure || state === SQLSTATE.deadlockDetected
}

/** P2028: a transaction of Prisma's own got no connection in time, or was cut off after its five seconds. */
function isPrismaOutage(error: unknown): boolean {
  return PRISMA_KINDS.test(String(adapterFailure(error)?.['kind'])) || asRecord(error)?.['code'] === 'P2028'
}

function sqlState(error: unknown): string | undefined {
  if (error instanceof pg.DatabaseError) return error.code
  const state = adapterFailure(error)?.['originalCode']
  return typeof state === 'string' ? state : undefined
}

/** What Prisma's adapter made of a pg error: bare, or inside of the client's own error. */
function adapterFailure(error: unknown): Record<string, unknown> | undefined {
  const adapterError = asRecord(asRecord(asRecord(error)?.['meta'])?.['driverAdapterError']) ?? asRecord(error)
  return adapterError?.['name'] === 'DriverAdapterError' ? asRecord(adapterError['cause']) : undefined
}

const asRecord = (value: unknown): Record<string, unknown> | undefined =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
