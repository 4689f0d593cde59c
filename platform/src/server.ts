import { STATUS_CODES, createServer, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Logger } from 'pino'
import type { App } from './http'
import { requestIdFrom } from './logging'
import type { Repeated } from './periodic'
import { PLATFORM_PROBLEMS, problem, problemBody } from './problems'

export type RunningServer = {
  port: number
  /** Lets requests under way finish, refuses new connections, and resolves when all are done. */
  drain: () => Promise<void>
}

/** Serves until drained. Above Nginx's 30 s upstream keep-alive, or a POST meets a connection that is just being closed. */
export async function listen(
  handler: RequestListener,
  { port, host, arriveWithinMs = 10_000 }: { port: number; host: string; arriveWithinMs?: number },
): Promise<RunningServer> {
  // Node looks for what is over time every 30 s unless told.
  const server = createServer({ connectionsCheckingInterval: arriveWithinMs / 10 }, handler)
  let draining = false
  server.keepAliveTimeout = 65_000
  server.headersTimeout = arriveWithinMs
  server.requestTimeout = arriveWithinMs
  const answers = new Map<Socket, Set<ServerResponse>>()
  server.on('connection', (socket) => {
    answers.set(socket, new Set())
    socket.once('close', () => answers.delete(socket))
  })
  server.prependListener('request', ({ socket }, response) => {
    if (draining) response.setHeader('Connection', 'close')
    answers.get(socket)?.add(response)
    response.once('close', () => answers.get(socket)?.delete(response))
  })
  server.on('clientError', refuseUnreadable)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    drain: () => {
      draining = true
      // Or the client would send its next request on a connection that is just being closed.
      for (const each of answers.values())
        for (const response of each) if (!response.headersSent) response.setHeader('Connection', 'close')
      return closed(server, () => {
        for (const [socket, { size }] of answers) if (size === 0) socket.destroy()
      })
    },
  }
}

type ClientError = Error & { code?: string; rawPacket?: Buffer }

/** What Node's parser refuses never becomes a request: the problem is written by hand, under the id that Nginx gave it. */
function refuseUnreadable(error: ClientError, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy()
  const code = error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 'request-timeout' : 'bad-request'
  const sent = error.rawPacket?.toString('latin1') ?? ''
  const requestId = requestIdFrom(/^x-request-id: *(\S+)\r?$/im.exec(sent)?.[1])
  const body = JSON.stringify(problemBody(PLATFORM_PROBLEMS, problem(code), { instance: '/', requestId }))
  const { status } = PLATFORM_PROBLEMS[code]
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: application/problem+json\r\nX-Request-Id: ${requestId}\r\n` +
      `Cache-Control: no-store\r\nConnection: close\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}

/** How long a connection may take, after the drain has begun, to bring the request that it was opened for. */
const SILENCE_MS = 1_000

/**
 * `close()` alone waits out the keep-alive of a connection whose request was under way, and waits for ever for one that was
 * opened and never brings a request: it also ends the watch over timeouts.
 */
async function closed(server: Server, dropSilent: () => void): Promise<void> {
  const began = performance.now()
  const watch = setInterval(() => {
    server.closeIdleConnections()
    if (performance.now() - began > SILENCE_MS) dropSilent()
  }, 50)
  await new Promise<void>((resolve, reject) => server.close((error) => (error ? reject(error) : resolve()))).finally(
    () => clearInterval(watch),
  )
}

const EXIT_WITHIN_MS = 9_500

/**
 * Runs `stop` once at SIGTERM or SIGINT and exits: 0 when everything was drained, 1 when that took too long. A bug that nobody
 * caught is logged and ends the process; whoever supervises starts it anew.
 */
function exitOnSignal(log: Logger, stop: () => Promise<void>, exitWithinMs = EXIT_WITHIN_MS): void {
  let stopping = false
  const end = (signal: string) => {
    if (stopping) return
    stopping = true
    log.info({ signal }, 'draining')
    setTimeout(() => {
      log.error('still busy, exiting all the same')
      process.exit(1)
    }, exitWithinMs).unref()
    stop().then(
      () => {
        log.info('drained')
        process.exit(0)
      },
      (error: unknown) => {
        log.error({ err: error }, 'not drained')
        process.exit(1)
      },
    )
  }
  process.on('SIGTERM', end)
  process.on('SIGINT', end)
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'uncaught')
    process.exit(1)
  })
}

/** Serves `app` until SIGTERM: then ends `tasks` while it drains, so that they begin nothing new, and at last runs `stop` (pools). */
export async function runService(options: {
  app: App
  config: { PORT: number; HOST: string }
  log: Logger
  tasks?: readonly (Repeated | undefined)[]
  stop?: () => Promise<void>
  exitWithinMs?: number
}): Promise<void> {
  const { app, config, log, tasks = [], stop, exitWithinMs } = options
  const starting = listen(app, { port: config.PORT, host: config.HOST })
  exitOnSignal(
    log,
    async () => {
      await Promise.all([starting.then(({ drain }) => drain()), ...tasks.map((task) => task?.stop())])
      await stop?.()
    },
    exitWithinMs,
  )
  log.info({ port: (await starting).port }, 'listening')
}
