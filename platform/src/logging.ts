import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import pino, { type DestinationStream, type Logger } from 'pino'

export type { Logger }

/** What a request's log line says beyond the request itself; handlers' pipeline fills it in as it learns it. */
export type RequestFacts = { route?: string; callerId?: string }

declare module 'node:http' {
  interface IncomingMessage {
    id: string
    facts?: RequestFacts
  }
  interface ServerResponse {
    /** Why the answer is a 5xx, for its log line. */
    err?: Error
  }
}

export const makeLog = (service: string, level: string, destination?: DestinationStream): Logger =>
  pino(
    {
      level,
      base: { service },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      // Headers and bodies are never logged; this is for what an error object drags along.
      redact: {
        paths: [
          'password',
          '*.password',
          'token',
          '*.token',
          'authorization',
          '*.authorization',
          'err.config',
          'err.parameters',
          'err.body', // of body-parser: what could not be parsed
          'err.detail', // of Postgres: the values of the row that was refused
        ],
        censor: '[redacted]',
      },
    },
    destination ?? standardOutput(),
  )

/** Lines of one turn of the event loop are written together, at its end or when the process ends: in order, and the last ones as well. */
function standardOutput(): DestinationStream {
  const out = pino.destination({ dest: 1, sync: true })
  let lines = ''
  const flush = () => {
    if (lines !== '') out.write(lines)
    lines = ''
  }
  process.on('exit', flush)
  return {
    write: (line) => {
      if (lines === '') setImmediate(flush)
      lines += line
    },
  }
}

const SANE_REQUEST_ID = /^[A-Za-z0-9._-]{8,64}$/

/** The id that a client or Nginx gave, if it is sane; else one of ours. */
export const requestIdFrom = (given: unknown): string =>
  typeof given === 'string' && SANE_REQUEST_ID.test(given) ? given : randomUUID()

const UNLOGGED = new Set(['/livez', '/readyz', '/metrics'])

export const pathOf = (request: IncomingMessage): string => (request.url ?? '/').split(/[?#]/, 1)[0] ?? '/'

/** Nginx's word for a client that has gone before the answer was out; it got no status. */
const CLIENT_CLOSED_REQUEST = 499

/** What is told of a request when it is over: to the log, and to the metrics. */
export type Observe = (request: IncomingMessage, status: number, seconds: number) => void

/**
 * One JSON line a request, by pino; also settles the request id and puts it into the response. Written here because it runs on
 * every request: docs/decisions/0011 has what pino-http costs.
 */
export function requestLog(
  log: Logger,
  observe?: Observe,
): (request: IncomingMessage, response: ServerResponse) => void {
  const uncensored = log.child({}, { redact: [] }) // there is nothing in its lines but what is named below
  return (request, response) => {
    const begun = performance.now()
    const { method } = request
    const path = pathOf(request)
    request.id = requestIdFrom(request.headers['x-request-id'])
    response.setHeader('X-Request-Id', request.id)
    response.once('close', () => {
      const ms = performance.now() - begun
      const { statusCode, err, writableFinished } = response
      observe?.(request, writableFinished ? statusCode : CLIENT_CLOSED_REQUEST, ms / 1000)
      if (UNLOGGED.has(path)) return
      const line = {
        requestId: request.id,
        method,
        path,
        ...request.facts,
        ...(writableFinished ? { status: statusCode } : { aborted: true }),
        ms: Math.round(ms),
        ...(err && { err }),
      }
      if (err || statusCode >= 500) log.error(line, 'request')
      else uncensored.info(line, 'request')
    })
  }
}
