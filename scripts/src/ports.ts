import { randomInt } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { createServer, connect, type Server } from 'node:net'
import { once } from 'node:events'
import { UserError } from './terminal'

/** A port that something is going to listen on, and the variable that changes it. */
export interface WantedPort {
  variable: string
  port: number
  host: string
  /** What it is for, in a reader's words. */
  use: string
}

/** Reads a port from the environment. */
export function portFrom(env: NodeJS.ProcessEnv, variable: string, preset: number): number {
  const text = env[variable]
  if (text === undefined || text === '') return preset
  const port = Number(text)
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new UserError(`${variable} is no port number: ${text}`)
  return port
}

/** Throws one error that names every port which can't be had, and how to choose another. */
export async function checkPorts(wanted: WantedPort[]): Promise<void> {
  const complaints: string[] = []
  for (const [index, { variable, port, host, use }] of wanted.entries()) {
    const twin = wanted.slice(0, index).find((earlier) => earlier.port === port)
    const problem = twin ? `is also given to ${twin.variable}` : await whyTaken(host, port)
    if (problem)
      complaints.push(
        `Port ${port} (${use}) ${problem}. Choose another with ${variable}, for example ${variable}=${port + 1000}.`,
      )
  }
  if (complaints.length > 0) throw new UserError(complaints.join('\n'))
}

async function whyTaken(host: string, port: number): Promise<string | undefined> {
  // On macOS an address may be bound beside another program's 0.0.0.0, so a bind alone would not notice it.
  if (await answers(host === '0.0.0.0' || host === '::' ? 'localhost' : host, port)) return 'is used by another program'
  try {
    const server = await listen(host, port)
    server.close()
    return undefined
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EADDRINUSE') return 'is used by another program'
    if (code === 'EACCES') return 'is open to the superuser only'
    return `can't be opened on ${host} (${code})`
  }
}

function answers(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 1_000 })
    const settle = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', () => settle(true))
    socket.once('error', () => settle(false))
    socket.once('timeout', () => settle(false))
  })
}

async function listen(host: string, port: number): Promise<Server> {
  const server = createServer()
  server.listen({ host, port, exclusive: true })
  await once(server, 'listening')
  return server
}

/**
 * From here ports of servers are drawn. Those that the system itself gives to connections lie above (Linux from 32768, macOS from
 * 49152): one of them could be gone again before its server has started.
 */
const DRAWN_FROM = { first: 15_000, last: 32_000 }
const DRAWS = 100

/** Free ports, all different, and given to nobody else who draws while this process runs: it may be long until a server has them. */
export const freePorts = (count: number): Promise<number[]> => Promise.all(Array.from({ length: count }, drawPort))

async function drawPort(): Promise<number> {
  for (let draw = 1; ; draw++) {
    const port = randomInt(DRAWN_FROM.first, DRAWN_FROM.last)
    const mark = createSocket('udp4').unref()
    try {
      await drawn(mark, port)
      const server = await listen('127.0.0.1', port)
      await new Promise((resolve) => server.close(resolve))
      return port
    } catch (error) {
      mark.close()
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || draw === DRAWS) throw error
    }
  }
}

/**
 * Marks a port as drawn, for all processes of the machine: by a UDP socket of the same number, with which a server that listens for TCP
 * has nothing to do, and which ends with this process, however that ends.
 */
async function drawn(mark: Socket, port: number): Promise<void> {
  const bound = once(mark, 'listening')
  mark.bind({ address: '127.0.0.1', port, exclusive: true })
  await bound
}
