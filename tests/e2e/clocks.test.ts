import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { startShop, until, type Party, type Shop } from '../support/system'

const ROOT = path.join(__dirname, '../..')
const SKEWED_CLOCK = path.join(ROOT, 'proof/src/chaos/skewed-clock.cjs')
const HOUR_MS = 3_600_000
const HOLD_MS = 30 * 60_000

let shop: Shop
let clocks: string
let buyer: Party
let product: string
beforeAll(async () => {
  clocks = await mkdtemp(path.join(tmpdir(), 'shop-clocks-'))
  shop = await startShop({
    env: { SKEWED_CLOCKS: clocks },
    entry: (service) => ['-r', SKEWED_CLOCK, path.join(ROOT, service, 'dist', 'main.js')],
  })
  product = await shop.list(await shop.join('SELLER'), 10)
  buyer = await shop.join('BUYER')
}, 120_000)
afterAll(async () => {
  await shop.stop()
  await rm(clocks, { recursive: true })
})

const ask = (id = '') => shop.call('GET', `/orders${id && `/${id}`}`, { token: buyer.token })
const setClock = async (offMs: number, ...services: string[]): Promise<void> => {
  for (const service of services)
    await writeFile(path.join(clocks, new URL(shop.stack.urls[service] ?? '').port), String(offMs))
}

test('orders whose machine is an hour ahead or behind holds no order shorter or longer for that, and lists them in their order', async () => {
  const [held, due] = [await shop.order(buyer, [[product, 1]]), await shop.order(buyer, [[product, 2]])]
  await setClock(HOUR_MS, 'orders')
  await until(ask, ({ status }) => status === 401) // by then the token is over
  await shop.owner.query(`update orders.orders set created_at = created_at - interval '31 minutes' where id = $1`, [
    due.body.id,
  ])
  const log = path.join(shop.stack.dataDir, 'logs', 'orders.log')
  const swept = await until(
    async () => /.*orders were not paid in time.*/.exec(await readFile(log, 'utf8'))?.[0],
    (line) => line !== undefined,
  )
  expect(JSON.parse(swept ?? '')).toMatchObject({ expired: 1 })

  await setClock(-HOUR_MS, 'users', 'orders')
  await until(
    async () => (buyer = await shop.login(buyer.username)) && ask(),
    ({ status }) => status === 200,
  )
  expect((await ask(due.body.id)).body).toMatchObject({ status: 'CANCELLED' })
  expect((await ask(held.body.id)).body).toMatchObject({ status: 'PLACED' })
  const latest = (await shop.order(buyer, [[product, 1]])).body
  const { createdAt, holdUntil } = latest
  expect(Math.abs(Date.parse(createdAt) - Date.now())).toBeLessThan(60_000)
  expect(Date.parse(holdUntil) - Date.parse(createdAt)).toBe(HOLD_MS)

  const ids = (await ask()).body.items.map(({ id }: { id: string }) => id)
  expect(ids).toEqual([latest.id, due.body.id, held.body.id])
}, 120_000)
