import { unbalancedProducts } from '../../tests/support/books'
import { createDatabase, type TestDatabase } from '../../tests/support/database'
import { batchingOrderStore } from '../src/adapters/postgres/batching-order-store'
import { postgresCartStore } from '../src/adapters/postgres/cart-store'
import { postgresOrderStore } from '../src/adapters/postgres/order-store'
import { cartStoreContract } from './cart-store.contract'
import { checkoutContract } from './checkout.contract'
import { orderStoreContract } from './order-store.contract'
import { catalogue, poolOf } from './shop'

let database: TestDatabase
let pool: ReturnType<typeof poolOf>

beforeAll(async () => {
  database = await createDatabase()
  pool = poolOf(database.urls.orders, 5)
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
