import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { makeLog, type Logger } from '@shop/platform/logging'
import { gatewayApp } from '../src/app'
import { Entry, openBooks } from '../src/books'
import { openJournal } from '../src/journal'

export const NOW = new Date('2026-11-21T08:30:00.000Z')

export const aCharge = ({ number = '4242424242424242', ...charge }: Record<string, unknown> = {}) => ({
  paymentId: randomUUID(),
  reference: randomUUID(),
  amountCents: 4900,
  currency: 'USD',
  card: { number, expMonth: 12, expYear: 2034, cvc: '123' },
  ...charge,
})

/** The gateway over a journal: a new one in a folder of its own unless `file` names one. */
export async function openGateway({
  file,
  withFaults = true,
  now = NOW,
  log = makeLog('gateway', 'silent'),
}: { file?: string; withFaults?: boolean; now?: Date; log?: Logger } = {}) {
  const folder = await mkdtemp(path.join(tmpdir(), 'shop-gateway-'))
  const journalFile = file ?? path.join(folder, 'journal')
  const { journal, entries } = await openJournal({
    file: journalFile,
    parse: (line) => Entry.parse(line),
    onFailure: (error) => {
      throw error
    },
  })
  const books = openBooks(journal, entries, () => now)
  return {
    app: gatewayApp({ books, now: () => now, log, withFaults }),
    file: journalFile,
    close: async () => {
      await journal.close()
      await rm(folder, { recursive: true })
    },
  }
}

type PaymentInBooks = { paymentId: string; amountCents: number; status: string; refunded: boolean }
export type ServedGateway = Awaited<ReturnType<typeof serveGateway>>

/** The same on a port, for whoever calls it over the network. */
export async function serveGateway() {
  const gateway = await openGateway()
  const server = createServer(gateway.app)
  server.keepAliveTimeout = 65_000 // like a service's: a test that takes 5 s must not meet a connection that is being closed
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  async function json<T>(target: string, init?: RequestInit): Promise<T> {
    const response = await fetch(url + target, init)
    const body = (await response.json()) as T
    if (!response.ok) throw new Error(`${target}: ${JSON.stringify(body)}`)
    return body
  }

  return {
    url,
    /** What the books have of one order. */
    payments: async (reference: string) =>
      (await json<{ items: PaymentInBooks[] }>(`/charges?reference=${reference}`)).items.map(
        ({ paymentId, amountCents, status, refunded }) => ({ paymentId, amountCents, status, refunded }),
      ),
    /** Sets the switches of src/faults.ts; `{}` ends all trouble. */
    faults: (switches: object) =>
      json('/faults', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(switches),
      }),
    /** How many calls are held, and how many have not come to their end. */
    busy: () => json<{ held: number; underWay: number }>('/faults'),
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await gateway.close()
    },
  }
}
