import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Express } from 'express'
import type { Logger } from 'pino'

export type RunningServer = {
  port: number
  /** Lets requests under way finish, refuses new connections, and resolves when all are done. */
  drain: () => Promise<void>
}

/** Serves until drained. Above Nginx's 30 s upstream keep-alive, or a POST meets a connection that is just being closed. */
export async function listen(
  handler: RequestListener,
  { port, host }: { port: number; host: string },
): Promise<RunningServer> {
  const server = createServer(handler)
  let draining = false
  server.keepAliveTimeout = 65_000
  server.headersTimeout = 10_000
  server.requestTimeout = 10_000
  server.prependListener('request', (_request, response) => {
    if (draining) response.setHeader('Connection', 'close')
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    drain: () => {
      draining = true
      return closed(server)
    },
  }
}

/** `close()` alone waits out the keep-alive of a connection whose request was under way. */
async function closed(server: Server): Promise<void> {
  const idle = setInterval(() => server.closeIdleConnections(), 50)
  await new Promise<void>((resolve, reject) => server.close((error) => (error ? reject(error) : resolve()))).finally(
    () => clearInterval(idle),
  )
}

const EXIT_WITHIN_MS = 9_500

/**
 * Runs `stop` once at SIGTERM or SIGINT and exits: 0 when everything was drained, 1 when that took too long. A bug that nobody
 * caught is logged and ends the process; whoever supervises starts it anew.
 */
export function exitOnSignal(log: Logger, stop: () => Promise<void>): void {
  let stopping = false
  const end = (signal: string) => {
    if (stopping) return
    stopping = true
    log.info({ signal }, 'draining')
    setTimeout(() => {
      log.error('still busy, exiting all the same')
      process.exit(1)
    }, EXIT_WITHIN_MS).unref()
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

/** Serves `app` until SIGTERM: drains first, then runs `stop` (pools, timers). */
export async function runService(options: {
  app: Express
  config: { PORT: number; HOST: string }
  log: Logger
  stop?: () => Promise<void>
}): Promise<void> {
  const { app, config, log, stop } = options
  const server = await listen(app, { port: config.PORT, host: config.HOST })
  log.info({ port: server.port }, 'listening')
  exitOnSignal(log, async () => {
    await server.drain()
    await stop?.()
  })
}
