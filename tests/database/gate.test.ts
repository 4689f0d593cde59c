import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { type TestDatabase, createDatabase } from '../support/database'
import { raceThroughGate } from '../support/gate'

let database: TestDatabase
let orders: pg.Pool
beforeAll(async () => {
  database = await createDatabase()
  orders = new pg.Pool({ connectionString: database.urls.orders, max: 10 })
})
afterAll(async () => {
  await orders.end()
  await database.drop()
})

async function aProduct(available: number): Promise<string> {
  const id = randomUUID()
  await database.owner.query(
    `insert into products.products (id, seller_id, name, price_cents) values ($1, $1, 'cup', 100)`,
    [id],
  )
  await database.owner.query('insert into products.inventory (product_id, available) values ($1, $2)', [id, available])
  return id
}
const lockOf = (product: string) => ({
  text: 'select from products.inventory where product_id = $1 for update',
  values: [product],
})
const take = (product: string) => async () => {
  const { rowCount } = await orders.query(
    'update products.inventory set available = available - 1 where product_id = $1 and available >= 1',
    [product],
  )
  return rowCount
}

test('ten buyers race for the last unit at the database, and one gets it', async () => {
  const product = await aProduct(1)
  const results = await raceThroughGate(
    database.owner,
    lockOf(product),
    Array<ReturnType<typeof take>>(10).fill(take(product)),
  )
  const taken = results.map((result) => (result.status === 'fulfilled' ? result.value : result.reason))
  expect(taken.sort()).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
})

test('without the condition the check stops them', async () => {
  const product = await aProduct(1)
  const takeBlindly = () =>
    orders.query('update products.inventory set available = available - 1 where product_id = $1', [product])
  const results = await raceThroughGate(database.owner, lockOf(product), [takeBlindly, takeBlindly, takeBlindly])
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  for (const result of results)
    if (result.status === 'rejected') expect(result.reason).toMatchObject({ constraint: 'inventory_available_check' })
})

test('callers who never come to the gate are no race', async () => {
  const product = await aProduct(1)
  // Two products: of one, one of them might be seen to wait for the other.
  const elsewhere = [take(await aProduct(1)), take(await aProduct(1))]
  await expect(raceThroughGate(database.owner, lockOf(product), elsewhere)).rejects.toThrow(
    'no race: only 0 of 2 statements wait for a lock',
  )
  await expect(raceThroughGate(database.owner, lockOf(randomUUID()), elsewhere)).rejects.toThrow(
    'no race: the gate locks no row',
  )
})
