import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import pino, { type DestinationStream, type Logger } from 'pino'
import { pinoHttp, type HttpLogger } from 'pino-http'

export type { Logger }

/** What a request's log line says beyond the request itself; handlers' pipeline fills it in as it learns it. */
export type RequestFacts = { route?: string; callerId?: string }

declare module 'node:http' {
  interface IncomingMessage {
    facts?: RequestFacts
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
    // Line by line: written behind our back, the last ones, which say why a process ends, come in disorder or not at all.
    destination ?? pino.destination({ dest: 1, sync: true }),
  )

const SANE_REQUEST_ID = /^[A-Za-z0-9._-]{8,64}$/

/** The id that a client or Nginx gave, if it is sane; else one of ours. */
export const requestIdFrom = (given: unknown): string =>
  typeof given === 'string' && SANE_REQUEST_ID.test(given) ? given : randomUUID()

const UNLOGGED = new Set(['/livez', '/readyz', '/metrics'])

export const pathOf = (request: IncomingMessage): string => (request.url ?? '/').split(/[?#]/, 1)[0] ?? '/'

/** The logger of the request adds its id. A client that has gone before the answer was out got no status. */
const line = (request: IncomingMessage, response: ServerResponse, ms: number) => ({
  method: request.method,
  path: pathOf(request),
  ...request.facts,
  ...(response.writableFinished ? { status: response.statusCode } : { aborted: true }),
  ms: Math.round(ms),
})

/** One JSON line a request; also settles the request id and puts it into the response. */
export const requestLog = (log: Logger): HttpLogger<IncomingMessage, ServerResponse> =>
  pinoHttp<IncomingMessage, ServerResponse>({
    logger: log,
    genReqId: (request, response) => {
      const id = requestIdFrom(request.headers['x-request-id'])
      response.setHeader('X-Request-Id', id)
      return id
    },
    autoLogging: { ignore: (request) => UNLOGGED.has(pathOf(request)) },
    // Else every line has the request with all its headers, Authorization among them, and its query string.
    quietReqLogger: true,
    quietResLogger: true,
    customAttributeKeys: { reqId: 'requestId' },
    customLogLevel: (_request, response, error) => (error || response.statusCode >= 500 ? 'error' : 'info'),
    customSuccessMessage: () => 'request',
    customErrorMessage: () => 'request',
    customSuccessObject: (request, response, { responseTime }: { responseTime: number }) =>
      line(request, response, responseTime),
    customErrorObject: (request, response, error, { responseTime }: { responseTime: number }) => ({
      ...line(request, response, responseTime),
      err: error,
    }),
  })
