import { uuidv7 } from 'uuidv7'
import { raceThroughGate, untilQueued } from '../../tests/support/gate'
import { aBuyer, aSeller, openShop, UNKNOWN_ID, type Body, type Shop, type Someone } from './shop'

const LIMIT = 1_000_000_000

let shop: Shop
beforeAll(async () => {
  shop = await openShop()
})
afterAll(() => shop.close())

type Keeping = { seller: Someone; id: string; warehouseId: string; supplierId: string }

const add = async (seller: Someone, kind: 'warehouse' | 'supplier', name = 'North') =>
  (await shop.as(seller).post(`/products/${kind}s`, { name }).expect(201)).body.id as string

/** A seller with a product, a warehouse and a supplier. */
async function aKeeper(stock = 10): Promise<Keeping> {
  const seller = aSeller()
  const { id } = await shop.create(seller, { stock })
  return { seller, id, warehouseId: await add(seller, 'warehouse'), supplierId: await add(seller, 'supplier') }
}

const receive = ({ seller, id, warehouseId }: Keeping, fields: Body = {}, key?: string) =>
  shop.as(seller).post(`/products/${id}/receipts`, { warehouseId, quantity: 5, ...fields }, key)
const receipts = async (seller: Someone, of: string) =>
  (await shop.as(seller).get(`/products/${of}/receipts`).expect(200)).body.items as Body[]
const stockOf = (id: string) => ({
  text: 'select from products.inventory where product_id = $1 for update',
  values: [id],
})
const disable = ({ seller, warehouseId }: Keeping) =>
  shop.as(seller).patch(`/products/warehouses/${warehouseId}`, { status: 'DISABLED' }, '*')
/** What a refused receipt leaves: the stock, the ledger and the receipts as they were. */
async function expectUntouched({ seller, id }: Keeping, available: number) {
  expect(await shop.read(id, seller)).toMatchObject({ available })
  expect(await shop.movements(seller, id)).toHaveLength(1)
  expect(await receipts(seller, id)).toEqual([])
}

test('units that are received are stock, a line in the ledger, and a receipt', async () => {
  const keeper = await aKeeper(10)
  const { seller, id, warehouseId, supplierId } = keeper
  const neighbour = await shop.create(seller, { stock: 10 })
  const details = {
    supplierId,
    batchNumber: 'B-“17” 🎧',
    manufacturedOn: '2024-02-29',
    expiresOn: '2026-12-31',
    unitCostCents: 1150,
  }
  const received = await receive(keeper, { quantity: 24, ...details })
  expect([received.status, received.headers['cache-control']]).toEqual([201, 'no-store'])
  const [movement] = await shop.movements(seller, id)
  expect(movement).toMatchObject({ delta: 24, reason: 'RECEIVED', note: null, orderId: null, actorId: seller.id })
  expect(received.body).toEqual({
    receipt: {
      id: expect.any(String),
      productId: id,
      warehouseId,
      quantity: 24,
      ...details,
      movementId: movement?.['id'],
      createdAt: expect.any(String),
    },
    available: 34,
  })
  const plain = await receive(keeper, { quantity: 1 }).expect(201)
  const none = { supplierId: null, batchNumber: null, manufacturedOn: null, expiresOn: null, unitCostCents: null }
  expect(plain.body).toMatchObject({ receipt: { quantity: 1, warehouseId, ...none }, available: 35 })

  expect(await shop.read(id)).toMatchObject({ available: 35 })
  const [first, second] = [received.body.receipt as Body, plain.body.receipt as Body]
  expect(await receipts(seller, id)).toEqual([second, first])
  expect(await receipts(seller, `warehouses/${warehouseId}`)).toEqual([second, first])
  expect(await receipts(seller, `suppliers/${supplierId}`)).toEqual([first])
  expect(await shop.read(neighbour.id)).toEqual(neighbour.body)
  expect(await receipts(seller, neighbour.id)).toEqual([])
})

test.each<[string, Body, string[]]>([
  ['nothing at all', { warehouseId: undefined, quantity: undefined }, ['quantity', 'warehouseId']],
  ['no units', { quantity: 0 }, ['quantity']],
  ['fewer than no units', { quantity: -1 }, ['quantity']],
  ['half a unit', { quantity: 1.5 }, ['quantity']],
  ['more than a product may have', { quantity: LIMIT + 1 }, ['quantity']],
  ['a warehouse that is no id', { warehouseId: 'north' }, ['warehouseId']],
  ['a supplier that is no id', { supplierId: 'north' }, ['supplierId']],
  ['an empty batch number', { batchNumber: '' }, ['batchNumber']],
  ['a batch number that is too long', { batchNumber: 'x'.repeat(101) }, ['batchNumber']],
  ['a batch number with U+0000', { batchNumber: '\u0000' }, ['batchNumber']],
  ['a day that there is not', { manufacturedOn: '2026-02-29' }, ['manufacturedOn']],
  ['a day that Postgres has not', { manufacturedOn: '0000-01-01' }, ['manufacturedOn']],
  ['a day in another format', { expiresOn: '31.12.2026' }, ['expiresOn']],
  ['a moment for a day', { expiresOn: '2026-12-31T00:00:00Z' }, ['expiresOn']],
  ['the same day twice', { manufacturedOn: '2026-01-01', expiresOn: '2026-01-01' }, ['expiresOn']],
  ['what expired before it was made', { manufacturedOn: '2026-01-02', expiresOn: '2026-01-01' }, ['expiresOn']],
  ['a cost below nothing', { unitCostCents: -1 }, ['unitCostCents']],
  ['a cost above the limit', { unitCostCents: 100_000_001 }, ['unitCostCents']],
  ['fields of the server', { movementId: UNKNOWN_ID, sellerId: UNKNOWN_ID }, ['movementId', 'sellerId']],
  [
    'several faults',
    { quantity: 0, manufacturedOn: '2026-01-02', expiresOn: '2026-01-01', note: 'x' },
    ['expiresOn', 'note', 'quantity'],
  ],
])('a receipt with %s is refused, and nothing is written', async (_name, fields, paths) => {
  const keeper = await aKeeper()
  const refused = await receive(keeper, fields)
  expect([refused.status, refused.body.code]).toEqual([422, 'validation-failed'])
  expect([...new Set((refused.body.errors as { path: string }[]).map(({ path }) => path))].sort()).toEqual(paths)
  await expectUntouched(keeper, 10)
})

test('days come back as they were sent, the first and the last ones too', async () => {
  const keeper = await aKeeper()
  const days = { manufacturedOn: '0001-01-01', expiresOn: '9999-12-31' }
  expect((await receive(keeper, days).expect(201)).body.receipt).toMatchObject(days)
  expect((await receipts(keeper.seller, keeper.id))[0]).toMatchObject(days)
})

test('a warehouse or supplier that is unknown, another seller’s or disabled is refused, and nothing is written', async () => {
  const [keeper, other] = [await aKeeper(), await aKeeper()]
  const { seller, warehouseId, supplierId } = keeper
  const closed = { warehouse: await add(seller, 'warehouse', 'Old'), supplier: await add(seller, 'supplier', 'Old') }
  for (const [kind, id] of Object.entries(closed))
    await shop.as(seller).patch(`/products/${kind}s/${id}`, { status: 'DISABLED' }, '*').expect(200)
  for (const id of [UNKNOWN_ID, other.warehouseId, supplierId, closed.warehouse]) {
    const { status, body } = await receive(keeper, { warehouseId: id, supplierId: UNKNOWN_ID })
    expect([status, body.code]).toEqual([422, 'warehouse-unavailable'])
  }
  for (const id of [UNKNOWN_ID, other.supplierId, warehouseId, closed.supplier]) {
    const { status, body } = await receive(keeper, { supplierId: id })
    expect([status, body.code]).toEqual([422, 'supplier-unavailable'])
  }
  await expectUntouched(keeper, 10)

  // Enabled again they are as good as any; what was received before stays theirs when they are disabled.
  await shop.as(seller).patch(`/products/warehouses/${closed.warehouse}`, { status: 'ACTIVE' }, '*').expect(200)
  const { body } = await receive(keeper, { warehouseId: closed.warehouse }).expect(201)
  await shop.as(seller).patch(`/products/warehouses/${closed.warehouse}`, { status: 'DISABLED' }, '*').expect(200)
  expect(await receipts(seller, `warehouses/${closed.warehouse}`)).toEqual([body.receipt])
})

test('only the owner receives stock or reads its receipts', async () => {
  const [keeper, other] = [await aKeeper(), await aKeeper()]
  const { seller, id, warehouseId } = keeper
  const call = (who: Someone, product = id, kept = warehouseId) => [
    shop.as(who).post(`/products/${product}/receipts`, { warehouseId: kept, quantity: 1 }),
    shop.as(who).get(`/products/${product}/receipts`),
  ]
  const outcomes = async (calls: PromiseLike<{ status: number; body: Body }>[]) =>
    (await Promise.all(calls)).map(({ status, body }) => [status, body['code']])
  const anonymous = [
    shop.api.post(`/products/${id}/receipts`).send({ warehouseId, quantity: 1 }),
    shop.api.get(`/products/${id}/receipts`),
  ]
  expect(await outcomes(anonymous)).toEqual(Array(2).fill([401, 'unauthenticated']))
  expect(await outcomes(call(aBuyer()))).toEqual(Array(2).fill([403, 'forbidden-role']))
  expect(await outcomes(call(other.seller))).toEqual(Array(2).fill([403, 'not-owner']))
  // Whose product it is comes before what is in the body.
  expect(await outcomes(call(other.seller, id, other.warehouseId))).toEqual(Array(2).fill([403, 'not-owner']))
  expect(await outcomes(call(seller, UNKNOWN_ID))).toEqual(Array(2).fill([404, 'product-not-found']))
  await shop.patch(seller, id, '*', { status: 'DISABLED' }).expect(200)
  expect(await outcomes(call(other.seller))).toEqual(Array(2).fill([404, 'product-not-found']))
  await expectUntouched(keeper, 10)
  expect((await receive(keeper).expect(201)).body.available).toBe(15) // it may be filled up before it is for sale again
})

test('what would lift the stock above the limit is refused, and the refusal tells what there is', async () => {
  const keeper = await aKeeper(LIMIT - 1)
  const refused = await receive(keeper, { quantity: 2 })
  expect([refused.status, refused.body]).toMatchObject([
    409,
    { code: 'stock-limit-exceeded', available: LIMIT - 1, limit: LIMIT },
  ])
  await expectUntouched(keeper, LIMIT - 1)
  expect((await receive(keeper, { quantity: 1 }).expect(201)).body.available).toBe(LIMIT)
})

test('a receipt that can’t be kept leaves no stock and no line in the ledger', async () => {
  const keeper = await aKeeper()
  await shop.owner.query(`alter table products.receipts add constraint full_up check (batch_number <> 'one too many')`)
  const failed = await receive(keeper, { batchNumber: 'one too many' }, 'k')
  expect([failed.status, failed.body.code]).toEqual([500, 'internal-error'])
  await expectUntouched(keeper, 10)
  await shop.owner.query('alter table products.receipts drop constraint full_up')
  const again = await receive(keeper, { batchNumber: 'one too many' }, 'k').expect(201)
  expect(again.body.available).toBe(15)
})

test('a receipt that is sent again with its key is received once, and a refusal is not remembered', async () => {
  const keeper = await aKeeper()
  await disable(keeper).expect(200)
  expect((await receive(keeper, {}, 'k')).body.code).toBe('warehouse-unavailable')
  await shop.as(keeper.seller).patch(`/products/warehouses/${keeper.warehouseId}`, { status: 'ACTIVE' }, '*')
  const first = await receive(keeper, {}, 'k').expect(201)
  await disable(keeper).expect(200)
  const again = await receive(keeper, {}, 'k')
  expect([again.status, again.text, again.headers['idempotency-replayed']]).toEqual([201, first.text, 'true'])
  const other = await receive(keeper, { quantity: 6 }, 'k')
  expect([other.status, other.body.code]).toEqual([422, 'idempotency-key-reused'])
  expect(await receipts(keeper.seller, keeper.id)).toEqual([first.body.receipt])
  expect(await shop.read(keeper.id)).toMatchObject({ available: 15 })
})

test('submitted twice at once with one key, a receipt is received once', async () => {
  const keeper = await aKeeper()
  const submit = async () => receive(keeper, {}, 'twice')
  const ends = await raceThroughGate(shop.owner, stockOf(keeper.id), [submit, submit], 1, 1) // the other one waits for nothing
  const answers = ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []))
  expect(answers.map(({ status, body }) => [status, body.code as unknown]).sort()).toEqual([
    [201, undefined],
    [409, 'request-in-progress'],
  ])
  expect((await submit()).headers['idempotency-replayed']).toBe('true')
  expect(await receipts(keeper.seller, keeper.id)).toHaveLength(1)
  expect(await shop.read(keeper.id)).toMatchObject({ available: 15 })
})

test('receipts, corrections and sales at once are all counted', async () => {
  const keeper = await aKeeper(10)
  const { seller, id } = keeper
  const received = [1, 2, 3, 4].map((quantity) => async () => {
    const { status } = await receive(keeper, { quantity })
    return status === 201 ? quantity : 0
  })
  const corrected = [5, -6, -7].map((delta) => async () => {
    const { status } = await shop.changeStock(seller, id, { delta, reason: 'CORRECTION' })
    return status === 200 ? delta : 0
  })
  const sold = [-1, -2, -8].map((delta) => async () => ((await shop.order(id, delta)) ? delta : 0))
  const ends = await raceThroughGate(shop.owner, stockOf(id), [...received, ...corrected, ...sold])
  const moved = ends.map((end) => (end.status === 'fulfilled' ? end.value : NaN))
  expect(moved.slice(0, 4)).toEqual([1, 2, 3, 4])
  expect(await shop.read(id)).toMatchObject({ available: moved.reduce((a, b) => a + b, 10) })
  expect(await shop.movements(seller, id)).toHaveLength(1 + moved.filter((delta) => delta !== 0).length)
  const kept = await receipts(seller, id)
  expect(kept.map(({ quantity }) => quantity as number).sort()).toEqual([1, 2, 3, 4])
})

test('a sale waits for the last receipt, not for the warehouse', async () => {
  const keeper = await aKeeper(0)
  const warehouse = { text: 'select from products.warehouses where id = $1 for update', values: [keeper.warehouseId] }
  const ends = await raceThroughGate<number | boolean>(
    shop.owner,
    warehouse,
    [
      async () => (await receive(keeper, { quantity: 1 })).status,
      async () => {
        await untilQueued(shop.owner, 1) // the receipt waits for its warehouse
        return shop.order(keeper.id, -1)
      },
    ],
    1,
    1,
  )
  expect(ends).toMatchObject([{ value: 201 }, { value: false }])
  expect(await shop.order(keeper.id, -1)).toBe(true)
})

test('a warehouse that is receiving is disabled afterwards', async () => {
  const keeper = await aKeeper(10)
  const ends = await raceThroughGate(shop.owner, stockOf(keeper.id), [
    async () => (await receive(keeper)).status,
    async () => {
      await untilQueued(shop.owner, 1) // the receipt has its warehouse, and waits for the stock
      return (await disable(keeper)).status
    },
  ])
  expect(ends).toMatchObject([{ value: 201 }, { value: 200 }])
  expect(await receipts(keeper.seller, `warehouses/${keeper.warehouseId}`)).toHaveLength(1)
})

test('a warehouse that is being disabled receives nothing more', async () => {
  const keeper = await aKeeper(10)
  const warehouse = { text: 'select from products.warehouses where id = $1 for update', values: [keeper.warehouseId] }
  const ends = await raceThroughGate(shop.owner, warehouse, [
    async () => (await disable(keeper)).status,
    async () => {
      await untilQueued(shop.owner, 1) // the edit is the first in the queue
      return (await receive(keeper)).status
    },
  ])
  expect(ends).toMatchObject([{ value: 200 }, { value: 422 }])
  await expectUntouched(keeper, 10)
})

test('receipts come in pages, none of which is skipped or repeated while more are received', async () => {
  const keeper = await aKeeper()
  const { seller, id, supplierId, warehouseId } = keeper
  for (let quantity = 1; quantity <= 5; quantity++) await receive(keeper, { quantity, supplierId }).expect(201)
  for (const whose of [id, `warehouses/${warehouseId}`, `suppliers/${supplierId}`]) {
    const before = await receipts(seller, whose)
    const seen: Body[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const { body } = await shop.as(seller).get(`/products/${whose}/receipts?limit=2${cursor && `&cursor=${cursor}`}`)
      seen.push(...(body.items as Body[]))
      cursor = body.nextCursor as string | null
      await receive(keeper, { supplierId }).expect(201)
    }
    expect(seen).toEqual(before)
  }
  const { body } = await shop.as(seller).get(`/products/${id}/receipts?limit=2`)
  // A cursor that is none is told before whose the list is.
  for (const list of [`warehouses/${warehouseId}`, `suppliers/${UNKNOWN_ID}`, UNKNOWN_ID]) {
    const foreign = await shop.as(seller).get(`/products/${list}/receipts?cursor=${body.nextCursor}`)
    expect([foreign.status, foreign.body.errors[0].path]).toEqual([422, 'cursor'])
  }
})

test('the fixed paths are not taken for the id of a product', async () => {
  const seller = aSeller()
  const call = shop.as(seller)
  const outcomes = []
  for (const path of ['warehouses', 'suppliers']) {
    outcomes.push((await call.get(`/products/${path}`)).status)
    outcomes.push((await call.patch(`/products/${path}`, {}, '*')).headers['allow'])
    outcomes.push((await call.post(`/products/${path}/receipts`, {})).status) // nor are what follows them
  }
  expect(outcomes).toEqual(Array(2).fill([200, 'GET, HEAD, POST', 404]).flat())
})

test('the database itself refuses what no receipt may be', async () => {
  const [keeper, other] = [await aKeeper(), await aKeeper()]
  const { seller, id, warehouseId, supplierId } = keeper
  const { body } = await receive(keeper).expect(201)
  const movement = await shop.changeStock(seller, id, { delta: 1, reason: 'RECEIVED' }).expect(200)
  const good = {
    id: uuidv7(),
    product_id: id,
    seller_id: seller.id,
    warehouse_id: warehouseId,
    supplier_id: supplierId,
    quantity: 1,
    manufactured_on: '2026-01-01',
    expires_on: '2026-01-02',
    movement_id: movement.body.movement.id as string,
  }
  const insert = (fields: object) => {
    const row = { ...good, ...fields }
    const columns = Object.keys(row)
    return shop.owner.query(
      `insert into products.receipts (${columns.join(', ')}) values (${columns.map((_, n) => `$${n + 1}`).join(', ')})`,
      Object.values(row),
    )
  }
  for (const [fields, constraint] of [
    [{ warehouse_id: other.warehouseId }, 'receipts_warehouse_fkey'],
    [{ supplier_id: other.supplierId }, 'receipts_supplier_fkey'],
    [{ product_id: UNKNOWN_ID }, 'receipts_product_id_fkey'],
    [{ movement_id: UNKNOWN_ID }, 'receipts_movement_id_fkey'],
    [{ movement_id: body.receipt.movementId }, 'receipts_movement_key'],
    [{ quantity: 0 }, 'receipts_quantity_check'],
    [{ unit_cost_cents: -1 }, 'receipts_unit_cost_cents_check'],
    [{ expires_on: '2026-01-01' }, 'receipts_dates_check'],
  ] as const)
    await expect(insert(fields)).rejects.toMatchObject({ constraint })
  await insert({})
  for (const statement of ['update products.receipts set quantity = 2', 'delete from products.receipts'])
    await expect(shop.pool.query(statement)).rejects.toMatchObject({ code: '42501' })
})
