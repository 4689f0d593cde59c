import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePorts } from '../../scripts/src/ports'
import { postgresOrderStore } from '../../orders/src/adapters/postgres/order-store'
import { bring } from '../../orders/test/an-order'
import { aPlacement, placed } from '../../orders/test/order-store.contract'
import { catalogue, poolOf } from '../../orders/test/shop'
import { createDatabase, type TestDatabase } from '../support/database'
import { bearer, keySet } from '../support/tokens'

// Orders as a process, beside a gateway that takes every call and answers none.

let database: TestDatabase
let gateway: Server
let orders: ChildProcess | undefined
const called: string[] = []
beforeAll(async () => {
  database = await createDatabase()
  gateway = createServer(({ url = '' }, response) => {
    if (url === '/keys') response.end(JSON.stringify(keySet))
    else called.push(url)
  })
  await once(gateway.listen(0, '127.0.0.1'), 'listening')
})
afterAll(async () => {
  orders?.kill('SIGKILL')
  gateway.close().closeAllConnections()
  await database.drop()
})

async function startOrders() {
  const [port = 0] = await freePorts(1)
  const entry = ['../../scripts/test/typescript.cjs', '../../orders/src/main.ts'].map((file) =>
    path.join(__dirname, file),
  )
  const neighbour = `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`
  const env = { DATABASE_URL: database.urls.orders, GATEWAY_URL: neighbour, JWKS_URL: `${neighbour}/keys` }
  const child = spawn(process.execPath, ['-r', ...entry], {
    env: { PATH: process.env['PATH'], PORT: String(port), ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  orders = child
  return { child, url: `http://127.0.0.1:${port}` }
}

const settlings = () => called.filter((url) => url.endsWith('/settle')).length
async function until(holds: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 30_000; !holds(); await sleep(20))
    if (Date.now() > deadline || orders?.exitCode !== null) throw new Error(`only called for ${called.join(' ')}`)
}

test('a process that is to stop begins no more calls to a gateway that answers nobody, and ends in order', async () => {
  const pool = poolOf(database.urls.orders, 2)
  const store = postgresOrderStore(pool)
  const { id: productId } = await catalogue(database.owner).addProduct({ available: 30 })
  const anOrder = () => placed(store, aPlacement({ lines: [{ productId, quantity: 1 }], placedAt: new Date() }))
  const aMinuteAgo = new Date(Date.now() - 60_000)
  for (let n = 0; n < 25; n++) await bring(store, await anOrder(), { payment: 'PENDING', at: aMinuteAgo })
  const { id, buyerId } = await anOrder()
  await pool.end()

  const { child, url } = await startOrders()
  await until(() => settlings() === 5)
  const paying = fetch(`${url}/orders/${id}/payment`, {
    method: 'POST',
    headers: { authorization: bearer({ id: buyerId, role: 'BUYER' }), 'content-type': 'application/json' },
    body: JSON.stringify({ cardNumber: '4242424242424242', expMonth: 12, expYear: 2099, cvc: '123' }),
  })
  await until(() => called.includes('/charges'))
  const exit = once(child, 'exit')
  child.kill('SIGTERM')
  const answer = await paying
  expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([503, 'gateway-unavailable'])
  expect(await exit).toEqual([0, null])
  expect(settlings()).toBe(5)
  const { rows } = await database.owner.query('select status, count(*)::int from orders.payments group by status')
  expect(rows).toEqual([{ status: 'PENDING', count: 26 }])
})
