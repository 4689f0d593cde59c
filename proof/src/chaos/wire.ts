import { once } from 'node:events'
import net from 'node:net'

/** A stretch of wire in front of Postgres, on which faults can be staged. */
export type Wire = {
  /** Like the URL given, with the wire in between. */
  url: string
  /** From now on nothing arrives, in either direction, and no connection is closed: a dead network. What was sent is not lost. */
  blackHole(): void
  /** Whatever is said from now on takes so much longer, in either direction. */
  delay(ms: number): void
  /** Breaks all connections at once. */
  reset(): void
  /** Breaks each new connection as soon as it is made. */
  refuse(): void
  /**
   * The next time that a client says `text` its connection is cut: before the server hears it, or before its answer comes back.
   * `cut`, when that has happened.
   */
  cutAt(text: string, when: 'before' | 'after', cut?: () => void): void
  /** How often clients have said `text` since: asked for before it is said. */
  listenFor(text: string): () => number
  /** Ends every fault; what a dead network kept arrives now. */
  restore(): void
  close(): Promise<void>
}

type Trap = { text: string; when: 'before' | 'after'; cut: () => void }

/** `port`: where the wire listens, a free one unless told. */
export async function openWire(url: string, port = 0): Promise<Wire> {
  const target = new URL(url)
  const sockets = new Set<net.Socket>()
  const counts: { text: string; times: number }[] = []
  let [holed, refusing, delayMs] = [false, false, 0]
  let trap: Trap | undefined

  const server = net.createServer((client) => {
    if (refusing) return void client.resetAndDestroy()
    const upstream = net.connect(Number(target.port), target.hostname)
    let sprung: Trap | undefined
    const cut = ({ cut: tell }: Trap) => {
      client.destroy()
      tell()
    }
    for (const [from, to] of [[client, upstream] as const, [upstream, client] as const]) {
      sockets.add(from)
      const { send, end } = inOrder(to, () => delayMs)
      // A paused socket reads neither data nor the end: both stay on their way, in order.
      if (holed) from.pause()
      from.on('error', () => {})
      from.on('close', () => {
        sockets.delete(from)
        end()
      })
      from.on('data', (data) => {
        if (from === upstream) return sprung ? cut(sprung) : send(data)
        for (const count of counts) count.times += data.toString('latin1').split(count.text).length - 1
        if (trap && data.includes(trap.text)) {
          sprung = trap
          trap = undefined
          if (sprung.when === 'before') return cut(sprung)
        }
        send(data)
      })
    }
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const wired = new URL(url)
  wired.hostname = '127.0.0.1'
  wired.port = String((server.address() as net.AddressInfo).port)

  return {
    url: wired.href,
    blackHole: () => {
      holed = true
      for (const socket of sockets) socket.pause()
    },
    delay: (ms) => void (delayMs = ms),
    reset: () => {
      for (const socket of sockets) socket.resetAndDestroy()
    },
    refuse: () => void (refusing = true),
    cutAt: (text, when, cut = () => {}) => void (trap = { text, when, cut }),
    listenFor: (text) => {
      const count = { text, times: 0 }
      counts.push(count)
      return () => count.times
    },
    restore: () => {
      holed = refusing = false
      delayMs = 0
      trap = undefined
      for (const socket of sockets) socket.resume()
    },
    close: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Passes on what it is given, each piece after its delay and none before an earlier one, and the end last. */
function inOrder(to: net.Socket, delayMs: () => number) {
  const waiting: (() => void)[] = []
  const pass = (piece: () => void) => {
    if (waiting.length === 0 && delayMs() === 0) return piece()
    waiting.push(piece)
    // Whichever timer fires, the oldest goes.
    setTimeout(() => waiting.shift()?.(), delayMs())
  }
  return {
    send: (data: Buffer) => pass(() => to.writable && to.write(data)),
    end: () => pass(() => to.destroySoon()),
  }
}
