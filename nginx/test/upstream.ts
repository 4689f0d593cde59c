import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, type Socket } from 'node:net'

/** What an upstream was sent. */
export type Seen = {
  method: string
  url: string
  headers: IncomingMessage['headers']
  rawHeaders: string[]
  body: string
}
type Handler = (request: IncomingMessage, response: ServerResponse, seen: Seen) => void

export type Upstream = {
  port: number
  /** Requests that arrived whole, oldest first. */
  seen: Seen[]
  /** Requests whose header arrived. */
  begun: () => number
  /** Connections that were ever opened. */
  connections: () => number
  /** Replaces the default answer, a 200 that names this upstream. */
  answer: (handler: Handler) => void
  reset: () => void
  stop: () => Promise<void>
}

/** What a test file has started ends with it. */
const running = new Set<Upstream>()
afterAll(() => Promise.all([...running].map((each) => each.stop())))

/** A service that records what it is sent. */
export async function startUpstream(name: string, port = 0): Promise<Upstream> {
  const json: Handler = (_request, response, { url }) => {
    response.setHeader('Content-Type', 'application/json')
    response.end(JSON.stringify({ service: name, url }))
  }
  const seen: Seen[] = []
  const sockets = new Set<Socket>()
  let handler = json
  let begun = 0
  let connections = 0
  const server = createServer((request, response) => {
    begun += 1
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method = '', url = '', headers, rawHeaders } = request
      const each = { method, url, headers, rawHeaders, body: Buffer.concat(chunks).toString() }
      seen.push(each)
      handler(request, response, each)
    })
  })
  server.keepAliveTimeout = 65_000
  server.on('connection', (socket) => {
    connections += 1
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.listen(port, '127.0.0.1')
  await new Promise<void>((listening, failed) => server.once('listening', listening).once('error', failed))
  const upstream: Upstream = {
    port: (server.address() as AddressInfo).port,
    seen,
    begun: () => begun,
    connections: () => connections,
    answer: (other) => (handler = other),
    reset: () => {
      seen.length = begun = connections = 0
      handler = json
    },
    stop: async () => {
      running.delete(upstream)
      const closed = new Promise((done) => server.close(done))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
  running.add(upstream)
  return upstream
}
