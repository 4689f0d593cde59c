import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { startShop, type Shop } from '../support/system'

const README = readFileSync(path.join(__dirname, '../../README.md'), 'utf8')

/** The shell session under a heading, as a reader would copy it. */
function sessionOf(heading: string): string {
  const session = new RegExp(`^## ${heading}$[^]*?^\`\`\`sh$([^]*?)^\`\`\`$`, 'm').exec(README)?.[1]
  if (session === undefined) throw new Error(`the README has no session under ${heading}`)
  return session
}

let shop: Shop
beforeAll(async () => {
  shop = await startShop({ env: { DEMO_DATA: '1' } })
}, 120_000)
afterAll(() => shop.stop())

/** What the pasted session prints, line by line. */
async function paste(heading: string): Promise<string[]> {
  const session = sessionOf(heading).replaceAll('http://localhost:8080', shop.stack.url)
  const { stdout, stderr } = await promisify(execFile)('bash', ['-c', session])
  expect(stderr).toBe('')
  return stdout.split('\n')
}
const statusLines = (lines: string[]) =>
  lines.filter((line) => line.startsWith('HTTP/')).map((line) => line.split(' ')[1])
const bodies = (lines: string[]) =>
  lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Record<string, unknown>)

test('the session with curl does what it says', async () => {
  const lines = await paste('A session with curl')
  expect(statusLines(lines)).toEqual(['201', '201', '409'])
  expect(lines.filter((line) => /^idempotency-replayed: true/i.test(line))).toHaveLength(1)
  const [cancelled, ledger] = bodies(lines).slice(-2)
  expect(cancelled).toMatchObject({ status: 'CANCELLED' })
  expect(ledger?.['items']).toMatchObject([{ delta: 1 }, { delta: -1 }, { delta: 1 }])
}, 60_000)

test('the session from an empty cart to the doorstep does what it says', async () => {
  const answers = bodies(await paste('From cart to doorstep'))
  expect(
    answers.map(
      ({ code, status, paymentStatus, shipmentStatus, items }) =>
        code ?? shipmentStatus ?? paymentStatus ?? status ?? `${(items as unknown[]).length} items`,
    ),
  ).toEqual([
    '0 items',
    '1 items',
    'payment-declined',
    'PAID',
    'PACKED',
    'OUT_FOR_DELIVERY',
    'DELIVERED',
    '9 items',
    'PAID',
    'REFUNDED',
    '1 items',
  ])
  expect(answers.at(-2)).toMatchObject({ status: 'CANCELLED' })
  const [day] = answers.at(-1)?.['items'] as Record<string, unknown>[]
  expect(day).toMatchObject({ units: 2, cancelledUnits: 1 })
}, 60_000)
