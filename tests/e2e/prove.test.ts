import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import type { Json } from '../support/checked'
import { held } from '../../proof/src/report'
import { PROMISES } from '../../proof/src/prove/promises'
import { prove } from '../../proof/src/prove/run'
import { openLiar, type Asked, type Liar, type Lie, type Reply } from '../support/liar'
import { PASSWORD, startShop, type Shop } from '../support/system'

let shop: Shop
let liar: Liar
beforeAll(async () => {
  shop = await startShop()
  liar = await openLiar(shop.stack.url)
}, 120_000)
afterAll(async () => {
  liar.close()
  await shop.stop()
})

const EVERYTHING = PROMISES.map(({ name }) => name)
const proving = (url: string, only: readonly string[], size = 4) =>
  prove({ url, seed: 'test', size, only, durationSeconds: 0, buyers: [], sellers: [] })

test('every promise of the shop holds', async () => {
  const report = await proving(shop.stack.url, EVERYTHING, 8)
  expect(report.promises.map(({ name, failures, unfinished }) => ({ name, failures, unfinished }))).toEqual(
    EVERYTHING.map((name) => ({ name, failures: [], unfinished: undefined })),
  )
  expect(report.promises.filter(({ checks }) => checks < 10)).toEqual([])
  expect(report).toMatchObject({ ok: true, seed: 'test', rounds: 1, skipped: [], calls: { lost: 0 } })
}, 120_000)

const changed = (reply: Reply, change: (body: Json) => unknown): Reply => ({
  ...reply,
  body: JSON.stringify(change(JSON.parse(reply.body))),
})
const isOrder = ({ method, path }: Asked) => method === 'POST' && path === '/orders'
const isCheckout = ({ method, path }: Asked) => method === 'POST' && path === '/orders/cart/checkout'
const without = (request: Asked, header: string): Asked => {
  const { [header]: _left, ...headers } = request.headers
  return { ...request, headers }
}
const linesOf = ({ body }: Asked) =>
  (JSON.parse(body) as { items?: { productId: string; quantity: number }[] }).items ?? []
const SHORT = ['last-unit', 'k-units', 'many-products', 'all-or-nothing', 'all-or-nothing-in-a-race']

/** Remembers what it is asked with, to be used for somebody else. */
function withAnyToken(): Lie {
  const tokens = new Set<string>()
  return async (request, ask) => {
    let reply = await ask(request)
    if (reply.status < 400) tokens.add(request.headers.authorization ?? '')
    for (const authorization of [...tokens].filter(Boolean))
      if ([401, 403, 404].includes(reply.status))
        reply = await ask({ ...request, headers: { ...request.headers, authorization } })
    return reply
  }
}

function firstAnswerOfKey(): Lie {
  const known = new Map<string, Promise<Reply>>()
  return (request, ask) => {
    const key = request.headers['idempotency-key'] as string | undefined
    if (!isOrder(request) || key === undefined) return ask(request)
    const first = known.get(key) ?? ask(request)
    known.set(key, first)
    return first
  }
}

/** A shop that breaks promises, and those that are found broken: each at least once. */
const LIES: [what: string, broken: string[], lie: () => Lie][] = [
  [
    'sells what it has not',
    [...SHORT, 'summed-lines', 'cancel-against-orders', 'stock-deltas', 'repeats', 'checkout-once', 'carts-in-a-race'],
    () => async (request, ask) => {
      const reply = await ask(request)
      if (!(isOrder(request) || isCheckout(request)) || reply.status !== 409) return reply
      return { ...reply, status: 201, body: JSON.stringify({ id: randomUUID(), items: linesOf(request) }) }
    },
  ],
  [
    'sells the first line of several',
    ['crossed-orders', 'all-or-nothing-in-a-race', 'summed-lines', 'price-changes'],
    () => (request, ask) =>
      ask(isOrder(request) ? { ...request, body: JSON.stringify({ items: linesOf(request).slice(0, 1) }) } : request),
  ],
  [
    'hides a row of the ledger',
    ['books', 'last-unit', 'cut-connections'],
    () => async (request, ask) => {
      const reply = await ask(request)
      const rows = /movements/.test(request.path) && reply.status === 200
      return rows ? changed(reply, ({ items, nextCursor }) => ({ items: items.slice(1), nextCursor })) : reply
    },
  ],
  [
    'gives units back twice',
    ['double-cancel', 'cancel-against-orders', 'books'],
    () => async (request, ask) => {
      const reply = await ask(request)
      if (/movements/.test(request.path) && reply.status === 200)
        return changed(reply, ({ items, nextCursor }) => ({
          items: items.flatMap((row: { reason: string }) => (row.reason === 'CANCELLED' ? [row, row] : [row])),
          nextCursor,
        }))
      return reply
    },
  ],
  [
    'says that a price has changed, and goes on selling at the old one',
    ['price-changes'],
    () => async (request, ask) => {
      if (request.method !== 'PATCH' || !/priceCents/.test(request.body)) return ask(request)
      const reply = await ask({ ...request, method: 'GET', body: '' })
      return changed(reply, (product) => ({ ...product, ...JSON.parse(request.body) }))
    },
  ],
  [
    'is paid for what it refuses to sell',
    ['pay-once', 'refund-once'],
    () => async (request, ask) => {
      const reply = await ask(request)
      return /payment$/.test(request.path) && reply.status === 409 ? { ...reply, status: 200 } : reply
    },
  ],
  [
    'charges whatever card it is shown',
    ['declined-cards'],
    () => (request, ask) =>
      ask({ ...request, body: request.body.replace(/4000000000000(002|119)/, '4242424242424242') }),
  ],
  [
    'moves shipments as it likes',
    ['shipment-steps'],
    () => async (request, ask) => {
      const reply = await ask(request)
      return /shipment$/.test(request.path) && reply.status === 409 ? { ...reply, status: 200 } : reply
    },
  ],
  [
    'counts a unit more than it has sold',
    ['sales-summary', 'pay-once', 'refund-once'],
    () => async (request, ask) => {
      const reply = await ask(request)
      if (!/sales\/summary/.test(request.path)) return reply
      return changed(reply, ({ items, nextCursor }) => ({
        items: items.map((day: { units: number }) => ({ ...day, units: day.units + 1 })),
        nextCursor,
      }))
    },
  ],
  [
    'does not look at keys',
    ['one-key-at-once', 'repeats', 'cut-connections'],
    () => (request, ask) => ask(without(request, 'idempotency-key')),
  ],
  ['gives one caller the answer of another', ['keys-of-callers'], firstAnswerOfKey],
  ['takes everybody for whoever is needed', ['buyers-apart', 'sellers-apart', 'forged-tokens'], withAnyToken],
  [
    'leaves out an item between two pages',
    ['lists-under-writes'],
    () => async (request, ask) => {
      const reply = await ask(request)
      if (!/cursor=/.test(request.path) || reply.status !== 200) return reply
      return changed(reply, ({ items, nextCursor }) => ({ items: items.slice(1), nextCursor }))
    },
  ],
  [
    'does not look at conditions',
    ['conditional-reads', 'conditional-edits'],
    () => (request, ask) => {
      const { headers } = without(request, 'if-none-match')
      return ask({ ...request, headers: { ...headers, ...(headers['if-match'] && { 'if-match': '*' }) } })
    },
  ],
]

test.each(LIES)('a shop that %s is found out', async (_what, broken, lie) => {
  liar.tell(lie())
  const report = await proving(liar.url, broken)
  const red = report.promises.filter((finding) => finding.failed > 0).map(({ name }) => name)
  expect(red.sort()).toEqual([...broken].sort())
  expect(report.ok).toBe(false)
})

test('every promise is found broken by one of these lies', () => {
  const found = new Set(LIES.flatMap(([, broken]) => broken))
  expect(EVERYTHING.filter((name) => !found.has(name))).toEqual([])
})

test('a shop that is busy is waited for, and what it did before it said so is not held against it', async () => {
  let n = 0
  liar.tell(async (request, ask) => {
    n++
    const later = { headers: { 'retry-after': '0', 'content-type': 'application/problem+json' }, body: '{}' }
    if (n % 3 === 0) return { status: 429, ...later }
    const reply = await ask(request)
    const isLost = n % 5 === 0 && request.headers['idempotency-key'] !== undefined
    return isLost ? { status: n % 2 === 0 ? 502 : 503, ...later } : reply
  })
  const only = ['k-units', 'one-key-at-once', 'repeats', 'cut-connections', 'conditional-edits', 'books']
  const report = await proving(liar.url, only)
  expect(report.promises.filter((finding) => !held(finding))).toEqual([])
  expect(report.calls.limited).toBeGreaterThan(50)
  expect(report.calls.unavailable).toBeGreaterThan(5)
})

test('a shop that stays busy leaves a promise undecided: neither held nor broken', async () => {
  liar.tell(async (request, ask) => (isOrder(request) ? { status: 503, headers: {}, body: '' } : ask(request)))
  const { ok, promises } = await proving(liar.url, ['last-unit'])
  expect(ok).toBe(false)
  expect(promises).toMatchObject([{ failed: 0, held: false, unfinished: 'the shop went on answering 503' }])
})

/** The command itself, from its sources. */
function start(...args: string[]) {
  const program = ['-r', './scripts/test/typescript.cjs', 'proof/src/prove/main.ts', ...args]
  return spawn(process.execPath, program, { cwd: path.join(__dirname, '../..') })
}
async function command(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = start(...args)
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { code: code as number | null, stdout, stderr }
}

test('the command ends with 0, 1 or 2, its result on stdout and everything else on stderr', async () => {
  const some = ['--only', 'summed-lines', '--size', '4', '--seed', 'same']
  const good = await command('--url', shop.stack.url, ...some, '--json')
  expect([good.code, JSON.parse(good.stdout)]).toMatchObject([
    0,
    { tool: 'prove', seed: 'same', ok: true, promises: [{ name: 'summed-lines', held: true, checks: 12, failed: 0 }] },
  ])

  liar.tell(LIES[0]![2]())
  const bad = await command('--url', liar.url, ...some)
  expect(bad.code).toBe(1)
  expect(bad.stdout).toMatch(/^lines of one product count together +\d+ +\d+ FAILED/m)
  expect(bad.stdout).toContain('0 of 1 promises held')
  expect(bad.stderr).toContain('✗ summed-lines')

  const nowhere = await command('--url', 'http://127.0.0.1:1')
  expect([nowhere.code, nowhere.stdout]).toEqual([2, ''])
  expect(nowhere.stderr).toContain('http://127.0.0.1:1 is no shop: ')
  const wrong = await command('--size', 'many')
  expect([wrong.code, wrong.stdout]).toEqual([2, ''])
  expect(wrong.stderr).toContain('--size: many is no whole number from 4 to 100')
})

test('a command that is interrupted in the middle of a promise takes its products off sale', async () => {
  const listed: string[] = []
  let isInterrupted = false
  const child = start('--url', liar.url, '--size', '4', '--duration', '1h')
  liar.tell(async (request, ask) => {
    const reply = await ask(request)
    if (request.method === 'POST' && request.path === '/products') listed.push(JSON.parse(reply.body).id)
    // Once: asked again more than a second later, it leaves everything as it is.
    if (isOrder(request) && !isInterrupted) isInterrupted = child.kill('SIGINT')
    return reply
  })
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  expect([code, stdout, stderr]).toEqual([130, '', expect.stringMatching(/^Interrupted\.$/m)])
  const { rows } = await shop.owner.query('select distinct status from products.products where id = any ($1)', [listed])
  expect(rows).toEqual([{ status: 'DISABLED' }])
})

test('accounts that are given are used, and what takes more of them is left out by name', async () => {
  const [buyer, seller] = [await shop.join('BUYER'), await shop.join('SELLER')]
  const [buyers, sellers] = [buyer, seller].map(({ username }) => [{ username, password: PASSWORD }])
  const given = { buyers: buyers!, sellers: sellers! }
  const asked = { url: shop.stack.url, seed: 'test', size: 4, only: ['k-units', 'buyers-apart', 'sellers-apart'] }
  const report = await prove({ ...asked, durationSeconds: 0, ...given })
  expect(report.promises.map(({ name, held }) => [name, held])).toEqual([['k-units', true]])
  expect(report.skipped.map(({ name, reason }) => [name, reason])).toEqual([
    ['buyers-apart', 'it takes 2 buyers'],
    ['sellers-apart', 'it takes 2 sellers'],
  ])
  const orders = await shop.call('GET', '/orders', { token: buyer.token })
  expect(orders.body.items.length).toBeGreaterThan(0)
  const swapped = prove({ ...asked, durationSeconds: 0, buyers: given.sellers, sellers: given.buyers })
  await expect(swapped).rejects.toThrow(`${seller.username} is no BUYER but a SELLER`)
})

test('rounds are begun until the time is over, each with other inputs', async () => {
  const inputs: string[][] = []
  liar.tell(async (request, ask) => {
    if (isOrder(request)) inputs.at(-1)?.push(...linesOf(request).map(({ quantity }) => `${quantity} ordered`))
    if (/stock$/.test(request.path)) inputs.at(-1)?.push(request.body)
    return ask(request)
  })
  const enough = new AbortController()
  const progress = {
    opened: () => undefined,
    begin: () => (inputs.length === 2 ? enough.abort() : void inputs.push([])),
    end: () => undefined,
  }
  const begun = { url: liar.url, seed: 'test', size: 4, only: ['books'], buyers: [], sellers: [] }
  await expect(prove({ ...begun, durationSeconds: 3600 }, progress, enough.signal)).rejects.toThrow(/aborted/)
  expect(inputs.map(({ length }) => length)).toEqual([3, 3])
  expect(inputs[0]).not.toEqual(inputs[1])
})

test('a seed repeats the inputs, and products do not stay on sale', async () => {
  const asked: string[] = []
  liar.tell(async (request, ask) => {
    if (isOrder(request))
      asked.push(
        linesOf(request)
          .map(({ quantity }) => quantity)
          .join(),
      )
    return ask(request)
  })
  const inputs = async (seed: string) => {
    asked.length = 0
    await prove({
      ...{ url: liar.url, seed, size: 4 },
      only: ['crossed-orders'],
      durationSeconds: 0,
      buyers: [],
      sellers: [],
    })
    return [...asked].sort()
  }
  const first = await inputs('one')
  expect(await inputs('one')).toEqual(first)
  expect(await inputs('two')).not.toEqual(first)
  const onSale = await shop.owner.query(
    `select 1 from products.products where status = 'ACTIVE' and name like 'prove-%crossed%'`,
  )
  expect(onSale.rowCount).toBe(0)
})
