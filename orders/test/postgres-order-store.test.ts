import { openPool } from '@shop/platform/postgres'
import { unbalancedProducts } from '../../tests/support/books'
import { createDatabase, type TestDatabase } from '../../tests/support/database'
import { batchingOrderStore } from '../src/adapters/postgres/batching-order-store'
import { postgresCartStore } from '../src/adapters/postgres/cart-store'
import { SESSION_SETTINGS, postgresOrderStore } from '../src/adapters/postgres/order-store'
import { cartStoreContract } from './cart-store.contract'
import { checkoutContract } from './checkout.contract'
import { orderStoreContract } from './order-store.contract'
import { catalogue } from './shop'

let database: TestDatabase
let pool: ReturnType<typeof openPool>

beforeAll(async () => {
  database = await createDatabase()
  pool = openPool({
    connectionString: database.urls.orders,
    max: 5,
    applicationName: 'orders',
    onError: () => undefined,
    settings: SESSION_SETTINGS,
  })
})

afterAll(async () => {
  const unbalanced = await unbalancedProducts(database.owner)
  await pool.end()
  await database.drop()
  expect(unbalanced).toEqual([])
})

const opened = (store: typeof postgresOrderStore) => () =>
  Promise.resolve({ ...catalogue(database.owner), carts: postgresCartStore(pool), store: store(pool) })

for (const [name, store] of Object.entries({ postgres: postgresOrderStore, batching: batchingOrderStore })) {
  orderStoreContract(name, opened(store))
  checkoutContract(name, opened(store))
}
cartStoreContract('postgres', opened(postgresOrderStore))
