import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePorts } from '../../scripts/src/ports'
import { aCharge } from './gateway'

let folder: string
let file: string
const started: ChildProcess[] = []
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'shop-gateway-'))
  file = path.join(folder, 'journal')
})
afterEach(async () => {
  for (const child of started.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  rmSync(folder, { recursive: true })
})

/** The gateway as a process of its own, ready; `limit` bounds the size of any file that it writes, in blocks of 512 bytes. */
async function start(env: Record<string, string> = {}, limit?: number) {
  const [port = 0] = await freePorts(1)
  const entry = [path.join(__dirname, '../../scripts/test/typescript.cjs'), path.join(__dirname, '../src/main.ts')]
  const node = [process.execPath, '-r', ...entry]
  const [command = '', ...args] =
    limit === undefined ? node : ['/bin/sh', '-c', `ulimit -f ${limit}; exec "$@"`, 'sh', ...node]
  const child = spawn(command, args, {
    env: { PATH: process.env['PATH'], PORT: String(port), GATEWAY_JOURNAL: file, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  started.push(child)
  let log = ''
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => (log += chunk))
  const url = `http://127.0.0.1:${port}`
  for (const deadline = Date.now() + 30_000; ; await sleep(20)) {
    if (
      await fetch(`${url}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      )
    )
      break
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`not ready: ${log}`)
  }
  return { child, url, log: () => log, exit: once(child, 'exit') as Promise<[number | null, string | null]> }
}

/** Without a status when the connection was lost. */
async function post(url: string, body: object = {}): Promise<{ status?: number; body: Record<string, unknown> }> {
  const request = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
  const response = await fetch(url, request).catch(() => undefined)
  const text = await response?.text().catch(() => undefined)
  return response && text !== undefined
    ? { status: response.status, body: JSON.parse(text) as Record<string, unknown> }
    : { body: {} }
}

test('kill -9 in the middle of charges and refunds loses nothing that was acknowledged, and a repeat charges nothing twice', async () => {
  const charges = Array.from({ length: 400 }, (_, n) =>
    aCharge({ number: n % 4 ? '4242424242424242' : '4000000000000002', amountCents: n }),
  )
  const charged = new Map<string, unknown>()
  const refunded = new Set<string>()
  for (let round = 0; round < 2; round++) {
    const { child, url, exit } = await start()
    const before = charged.size
    const clients = Array.from({ length: 8 }, async (_, client) => {
      for (let n = client; n < charges.length; n += 8) {
        const charge = charges[n] as (typeof charges)[number]
        const { status, body } = await post(`${url}/charges`, charge)
        if (status === undefined) return
        // What was acknowledged before the crash is what is told after it.
        expect(charged.get(charge.paymentId) ?? body['status']).toBe(body['status'])
        charged.set(charge.paymentId, body['status'])
        if (body['status'] !== 'SUCCEEDED' || n % 3) continue
        const refund = await post(`${url}/charges/${charge.paymentId}/refund`)
        if (refund.status === undefined) return
        expect(refund.body['status']).toBe('REFUNDED')
        refunded.add(charge.paymentId)
      }
    })
    const goal = before + 100
    for (const deadline = Date.now() + 20_000; charged.size < goal; await sleep(1))
      if (Date.now() > deadline) throw new Error(`only ${charged.size} charges`)
    child.kill('SIGKILL')
    await exit
    await Promise.all(clients)
  }
  expect(charged.size).toBeGreaterThan(150)
  expect(refunded.size).toBeGreaterThan(20)

  const { url } = await start()
  const books = new Map<string, { status: unknown; refunded: boolean }>()
  let cursor: string | null = ''
  do {
    const page = (await (await fetch(`${url}/charges?limit=100${cursor && `&cursor=${cursor}`}`)).json()) as {
      items: { paymentId: string; status: string; refunded: boolean }[]
      nextCursor: string | null
    }
    for (const payment of page.items) {
      expect(books.has(payment.paymentId)).toBe(false)
      books.set(payment.paymentId, payment)
    }
    cursor = page.nextCursor
  } while (cursor !== null)
  for (const [id, status] of charged) expect([id, books.get(id)?.status]).toEqual([id, status])
  for (const id of refunded) expect([id, books.get(id)?.refunded]).toEqual([id, true])
})

test('killed at its first failing charge, it still knows that the next one succeeds', async () => {
  const number = '4000000000000119'
  const first = aCharge({ number })
  const closed = aCharge()
  const one = await start()
  expect((await post(`${one.url}/charges`, first)).status).toBe(503)
  expect((await post(`${one.url}/charges/${closed.paymentId}/settle`)).body['status']).toBe('NOT_CHARGED')
  one.child.kill('SIGKILL')
  await one.exit
  const two = await start()
  expect((await post(`${two.url}/charges`, first)).status).toBe(503)
  expect((await post(`${two.url}/charges`, aCharge({ number, reference: first.reference }))).body['status']).toBe(
    'SUCCEEDED',
  )
  expect((await post(`${two.url}/charges`, closed)).body['code']).toBe('payment-closed')
})

test('with a full disk it ends rather than answer, and comes back with all that it answered', async () => {
  const full = await start({}, 4)
  const acknowledged: string[] = []
  const charges = Array.from({ length: 50 }, () => aCharge())
  for (const charge of charges) {
    const answer = await post(`${full.url}/charges`, charge)
    if (answer.status === undefined) break
    expect(answer).toMatchObject({ status: 200, body: { status: 'SUCCEEDED' } })
    acknowledged.push(charge.paymentId)
  }
  expect(acknowledged.length).toBeGreaterThan(2)
  expect(acknowledged.length).toBeLessThan(50)
  expect(await full.exit).toEqual([1, null])
  expect(full.log()).toMatch(/"level":"fatal".*the journal can not be written/)
  expect(readFileSync(file, 'utf8')).not.toMatch(/\n$/) // torn

  const { url } = await start()
  for (const paymentId of acknowledged)
    expect([paymentId, (await fetch(`${url}/charges/${paymentId}`)).status]).toEqual([paymentId, 200])
  const cut = charges[acknowledged.length] as (typeof charges)[number]
  expect((await fetch(`${url}/charges/${cut.paymentId}`)).status).toBe(404)
  expect((await post(`${url}/charges`, cut)).body['status']).toBe('SUCCEEDED')
})

test('in production there are no fault switches; SIGTERM lets a charge under way finish', async () => {
  const production = await start({ NODE_ENV: 'production' })
  expect((await post(`${production.url}/faults`, {})).status).toBe(404)
  production.child.kill('SIGTERM')
  expect(await production.exit).toEqual([0, null])

  const { child, url, exit } = await start()
  await post(`${url}/faults`, { holdAfter: true, delayAfterMs: 0 })
  const wanted = aCharge()
  const waiting = post(`${url}/charges`, wanted)
  const held = async () => ((await (await fetch(`${url}/faults`)).json()) as { held: number }).held
  for (const deadline = Date.now() + 10_000; (await held()) === 0; await sleep(5))
    if (Date.now() > deadline) throw new Error('the charge is not held')
  await post(`${url}/faults`, {})
  child.kill('SIGTERM')
  expect((await waiting).body['status']).toBe('SUCCEEDED')
  expect(await exit).toEqual([0, null])
})
