import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

/** What came over a bare socket. Text is Latin-1: a character is a byte. */
export type Exchange = {
  text: string
  /** Whether the other side ended it; a reset counts. */
  closed: boolean
  ms: number
}
export type SocketAnswer = { status: number; headers: [name: string, value: string][]; body: string }

export type ExchangeOptions = {
  deadlineMs?: number
  /** Written again and again after the first bytes, until the other side has had enough. */
  drip?: { bytes: string; everyMs: number }
}

/** Writes bytes to a socket and reads until the other side closes it, or until the deadline. */
export function exchange(
  url: string,
  bytes: string | Buffer,
  { deadlineMs = 15_000, drip }: ExchangeOptions = {},
): Promise<Exchange> {
  return new Promise((resolve) => {
    const begun = performance.now()
    let dripping: NodeJS.Timeout | undefined
    const socket = open(url, () => {
      socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
      dripping = drip && setInterval(() => socket.writable && socket.write(drip.bytes, 'latin1'), drip.everyMs)
    })
    let text = ''
    let closed = true
    const deadline = setTimeout(() => {
      closed = false
      socket.destroy()
    }, deadlineMs)
    socket.setEncoding('latin1')
    socket.on('data', (chunk: string) => (text += chunk))
    socket.on('error', () => undefined) // a reset: 'close' follows
    socket.on('close', () => {
      clearInterval(dripping)
      clearTimeout(deadline)
      resolve({ text, closed, ms: performance.now() - begun })
    })
  })
}

function open(url: string, opened: () => void): Socket {
  const { protocol, hostname, port } = new URL(url)
  const host = hostname.replace(/^\[|\]$/g, '')
  if (protocol === 'https:') return connectTls({ host, port: Number(port || 443), servername: host }, opened)
  return connect({ host, port: Number(port || 80) }, opened)
}

/** The answers in what came back on a socket, interim ones left out. Throws where there is something else. */
export function answersIn(text: string): SocketAnswer[] {
  const answers: SocketAnswer[] = []
  for (let rest = text; rest !== '';) {
    const end = rest.indexOf('\r\n\r\n')
    const [statusLine = '', ...lines] = rest.slice(0, end).split('\r\n')
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine)?.[1])
    if (end < 0 || Number.isNaN(status)) throw new Error(`no HTTP answer: ${rest}`)
    const headers = lines.map((line): [string, string] => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon), line.slice(colon + 1).trim()]
    })
    const { body, length } = bodyAt(rest.slice(end + 4), status, headers)
    if (status >= 200) answers.push({ status, headers, body })
    rest = rest.slice(end + 4 + length)
  }
  return answers
}

/** RFC 9112 §6.3 */
function bodyAt(rest: string, status: number, headers: SocketAnswer['headers']): { body: string; length: number } {
  const one = (name: string) => headers.find(([each]) => each.toLowerCase() === name)?.[1]
  if (status < 200 || status === 204 || status === 304) return { body: '', length: 0 }
  if (one('transfer-encoding') !== 'chunked') {
    const body = rest.slice(0, Number(one('content-length') ?? rest.length))
    return { body, length: body.length }
  }
  let body = ''
  for (let at = 0; ;) {
    const [line = '', digits] = /^([0-9a-f]+)\r\n/i.exec(rest.slice(at)) ?? []
    if (digits === undefined) throw new Error(`no chunk: ${rest.slice(at)}`)
    const size = parseInt(digits, 16)
    body += rest.slice(at + line.length, at + line.length + size)
    at += line.length + size + 2
    if (size === 0) return { body, length: at }
  }
}
