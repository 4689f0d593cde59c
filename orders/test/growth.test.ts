import { openPool } from '@shop/platform/postgres'
import { createDatabase, type TestDatabase } from '../../tests/support/database'
import { batchingOrderStore } from '../src/adapters/postgres/batching-order-store'
import { SESSION_SETTINGS, postgresOrderStore } from '../src/adapters/postgres/order-store'
import { cancel } from '../src/domain/order'
import { aPlacement, onceFor } from './order-store.contract'
import { catalogue } from './shop'

let database: TestDatabase
beforeAll(async () => {
  database = await createDatabase()
})
afterAll(() => database.drop())

const TABLES = ['orders', 'order_lines', 'idempotency_keys', 'inventory', 'stock_movements', 'products']

const scans = async (): Promise<unknown[]> => {
  const { rows } = await database.owner.query<Record<string, unknown>>(
    `select schemaname, relname, seq_scan from pg_stat_user_tables where relname = any ($1) and seq_scan > 0 order by 1, 2`,
    [TABLES],
  )
  return rows
}

test('placing, repeating, cancelling and reading scan no table, however small it was when its plans were made', async () => {
  const world = catalogue(database.owner)
  const product = await world.addProduct({ available: 1000 })
  await database.owner.query('vacuum (analyze)') // now Postgres knows that the tables are empty
  await database.owner.query('select pg_stat_reset()')
  const pool = openPool({
    connectionString: database.urls.orders,
    max: 2,
    applicationName: 'orders',
    onError: () => undefined,
    settings: SESSION_SETTINGS,
  })
  for (const store of [postgresOrderStore(pool), batchingOrderStore(pool)]) {
    for (let n = 0; n < 10; n++) {
      const placement = aPlacement({ lines: [{ productId: product.id, quantity: 1 }], once: onceFor() })
      await store.place(placement)
      await store.place(placement)
      await store.list({ buyerId: placement.buyerId, status: undefined, after: undefined, limit: 10 })
      await store.update(placement.id, placement.buyerId, (order) => cancel(order, new Date()))
    }
  }
  await pool.end() // a session tells its statistics at the latest when it ends
  expect(await scans()).toEqual([])
})
