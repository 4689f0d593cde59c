import { once } from 'node:events'
import net from 'node:net'

/** A stretch of wire in front of Postgres, on which faults can be staged. */
export type Wire = {
  /** Like the URL given, with the wire in between. */
  url: string
  /** From now on nothing arrives, in either direction, and no connection is closed: a dead network. */
  blackHole(): void
  /** The next time that a client says `text` its connection is cut: before the server hears it, or before its answer comes back. */
  cutAt(text: string, when: 'before' | 'after'): void
  /** How often clients have said `text`. */
  heard(text: string): number
  restore(): void
  close(): Promise<void>
}

/** `port`: where the wire listens, a free one unless told. */
export async function openWire(url: string, port = 0): Promise<Wire> {
  const target = new URL(url)
  const sockets = new Set<net.Socket>()
  let holed = false
  let trap: { text: string; when: 'before' | 'after' } | undefined
  let said = ''

  const server = net.createServer((client) => {
    const upstream = net.connect(Number(target.port), target.hostname)
    let cutOnAnswer = false
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        if (!holed) for (const end of [client, upstream]) end.destroy()
      })
    }
    client.on('data', (data) => {
      if (holed) return
      said += data.toString('latin1')
      if (trap && data.includes(trap.text)) {
        cutOnAnswer = trap.when === 'after'
        trap = undefined
        if (!cutOnAnswer) client.destroy()
      }
      if (!client.destroyed) upstream.write(data)
    })
    upstream.on('data', (data) => {
      if (holed) return
      if (cutOnAnswer) client.destroy()
      else client.write(data)
    })
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const wired = new URL(url)
  wired.hostname = '127.0.0.1'
  wired.port = String((server.address() as net.AddressInfo).port)

  return {
    url: wired.href,
    blackHole: () => void (holed = true),
    cutAt: (text, when) => void (trap = { text, when }),
    heard: (text) => said.split(text).length - 1,
    restore: () => void (holed = false),
    close: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
