import { once } from 'node:events'
import http, { type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Asked = { method: string; path: string; headers: IncomingHttpHeaders; body: string }
export type Reply = { status: number; headers: IncomingHttpHeaders; body: string }

/** How a request is answered; `ask` is the shop, and may be asked anything, or nothing. */
export type Lie = (request: Asked, ask: (request: Asked) => Promise<Reply>) => Promise<Reply>

/** A shop that looks like the one at `url` and is not: what it answers is told by the present lie. */
export async function openLiar(url: string) {
  let lie: Lie = (request, ask) => ask(request)
  const agent = new http.Agent({ keepAlive: true })

  async function ask({ method, path, headers, body }: Asked): Promise<Reply> {
    const { 'transfer-encoding': _framing, ...others } = headers
    const sent = http.request(url + path, {
      ...{ method, agent },
      headers: { ...others, 'content-length': Buffer.byteLength(body) },
    })
    sent.end(body)
    const [response] = (await once(sent, 'response')) as [http.IncomingMessage]
    return { status: response.statusCode ?? 0, headers: response.headers, body: await textOf(response) }
  }

  const server = http.createServer((request, response) => {
    const answer = async () => {
      const { method = '', url: path = '', headers } = request
      const reply = await lie({ method, path, headers, body: await textOf(request) }, ask)
      const { 'content-length': _length, 'transfer-encoding': _framing, connection: _hop, ...others } = reply.headers
      response.writeHead(reply.status, { ...others, 'content-length': Buffer.byteLength(reply.body) }).end(reply.body)
    }
    answer().catch(() => response.destroy()) // whoever asked has left
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    tell: (next: Lie) => void (lie = next),
    close: () => {
      agent.destroy()
      server.closeAllConnections()
      server.close()
    },
  }
}
export type Liar = Awaited<ReturnType<typeof openLiar>>

async function textOf(message: http.IncomingMessage): Promise<string> {
  let text = ''
  message.setEncoding('utf8')
  for await (const chunk of message) text += chunk as string
  return text
}
