import { raceThroughGate, untilQueued } from '../../tests/support/gate'
import { plansOf } from '../../tests/support/plans'
import { listAllProducts } from '../src/administration'
import type { AllProductsQuery } from '../src/schemas'
import { aBuyer, anAdmin, aSeller, openShop, UNKNOWN_ID, type Body, type Shop, type Someone } from './shop'

let shop: Shop
beforeAll(async () => {
  shop = await openShop()
})
afterAll(() => shop.close())

const admin = anAdmin()
const set = (who: Someone, id: string, status: string, match = '*') => shop.patch(who, id, match, { status })
const list = async (query = '') =>
  (await shop.as(admin).get(`/products/all?limit=100${query}`).expect(200)).body.items as Body[]
const stateOf = async (id: string) => {
  const { status, disabledBy } = await shop.read(id, admin)
  return [status, disabledBy] as unknown
}

describe('a product that an admin disables', () => {
  test('is not for sale, is there for its seller and for admins, and is not its seller’s to enable', async () => {
    const seller = aSeller()
    const { id, etag, body } = await shop.create(seller)
    const neighbour = await shop.create(seller)
    const disabled = await set(admin, id, 'DISABLED', etag)
    expect([disabled.status, disabled.headers['etag']]).toEqual([200, '"2-10"'])
    const now = { ...body, status: 'DISABLED', disabledBy: 'ADMIN', updatedAt: expect.any(String) as string }
    expect(disabled.body).toEqual(now)
    expect(await shop.read(id, seller)).toEqual(now)
    expect(await shop.read(id, admin)).toEqual(now)
    for (const stranger of [aBuyer(), aSeller()])
      expect((await shop.as(stranger).get(`/products/${id}`)).body.code).toBe('product-not-found')
    const { body: public_ } = await shop.api.get(`/products?sellerId=${seller.id}`).expect(200)
    expect((public_.items as Body[]).map((item) => item['id'] as string)).toEqual([neighbour.id])

    for (const match of ['"2"', '*']) {
      const refused = await shop.patch(seller, id, match, { status: 'ACTIVE', name: 'Back' })
      expect([refused.status, refused.body.code]).toEqual([409, 'disabled-by-admin'])
    }
    expect(await shop.read(id, seller)).toEqual(now)
    // The rest stays its seller's.
    const renamed = await shop.patch(seller, id, '"2"', { name: 'Mended' }).expect(200)
    expect(renamed.body).toMatchObject({ name: 'Mended', status: 'DISABLED', disabledBy: 'ADMIN' })
    await shop.changeStock(seller, id, { delta: 1, reason: 'RECEIVED' }).expect(200)

    const enabled = await set(admin, id, 'ACTIVE', '"3"').expect(200)
    expect([enabled.body.status, enabled.body.disabledBy]).toEqual(['ACTIVE', null])
    await shop.api.get(`/products/${id}`).expect(200)
    expect(await shop.read(neighbour.id)).toEqual(neighbour.body)
  })

  test('returns to what its seller made of it, before or meanwhile', async () => {
    const seller = aSeller()
    const before = (await shop.create(seller)).id
    await set(seller, before, 'DISABLED').expect(200)
    expect(await stateOf(before)).toEqual(['DISABLED', 'SELLER'])
    await set(admin, before, 'DISABLED').expect(200)
    expect(await stateOf(before)).toEqual(['DISABLED', 'ADMIN'])

    const meanwhile = (await shop.create(seller)).id
    await set(admin, meanwhile, 'DISABLED').expect(200)
    const withdrawn = await set(seller, meanwhile, 'DISABLED').expect(200)
    expect([withdrawn.body.disabledBy, withdrawn.headers['etag']]).toEqual(['ADMIN', '"3-10"'])

    for (const id of [before, meanwhile]) {
      await set(admin, id, 'ACTIVE').expect(200)
      expect(await stateOf(id)).toEqual(['DISABLED', 'SELLER'])
      // What its seller has disabled is not for an admin to sell.
      const unchanged = await set(admin, id, 'ACTIVE').expect(200)
      expect([unchanged.body.status, unchanged.body.disabledBy]).toEqual(['DISABLED', 'SELLER'])
      await set(seller, id, 'ACTIVE').expect(200)
      expect(await stateOf(id)).toEqual(['ACTIVE', null])
    }
  })

  test('is disabled in the version that was read, and what changes nothing makes no new one', async () => {
    const { id } = await shop.create(aSeller())
    const refused = async (match: string | undefined, product = id) => {
      const { status, body } = await shop.patch(admin, product, match, { status: 'DISABLED' })
      return [status, body.code] as unknown
    }
    expect(await refused(undefined)).toEqual([428, 'precondition-required'])
    expect(await refused('"2"')).toEqual([412, 'precondition-failed'])
    expect(await refused(undefined, UNKNOWN_ID)).toEqual([404, 'product-not-found'])
    await set(admin, id, 'DISABLED', 'W/"1-10"').expect(200)
    for (const match of ['"2-10"', '*'])
      expect((await set(admin, id, 'DISABLED', match).expect(200)).headers['etag']).toBe('"2-10"')
    expect(await refused('"1-10"')).toEqual([412, 'precondition-failed'])
  })

  test('changes in nothing else: the rest is its seller’s', async () => {
    const { id, body } = await shop.create(aSeller())
    const refused = await shop.patch(admin, id, '*', { status: 'DISABLED', name: 'Banned', priceCents: 0 })
    expect([refused.status, refused.body.code]).toEqual([422, 'validation-failed'])
    expect((refused.body.errors as { path: string }[]).map(({ path }) => path)).toEqual(['name', 'priceCents'])
    expect((await shop.patch(admin, id, '*', {})).body.code).toBe('validation-failed')
    // Before whether there is such a product, and which version.
    expect((await shop.patch(admin, UNKNOWN_ID, undefined, { name: 'Banned' })).status).toBe(422)
    expect(await shop.read(id)).toEqual(body)
    for (const call of [
      shop.changeStock(admin, id, { delta: 1, reason: 'RECEIVED' }),
      shop.as(admin).get(`/products/${id}/stock/movements`),
      shop.as(admin).post('/products', { name: 'Mine', priceCents: 1, stock: 1 }),
    ])
      expect([(await call).status, (await call).body.code]).toEqual([403, 'forbidden-role'])
  })

  test('while its seller enables it stays disabled, whoever comes first', async () => {
    const seller = aSeller()
    const { id } = await shop.create(seller)
    await set(seller, id, 'DISABLED').expect(200)
    const row = { text: 'select from products.products where id = $1 for update', values: [id] }
    const byAdmin = async () => (await set(admin, id, 'DISABLED')).status
    const bySeller = async () => (await set(seller, id, 'ACTIVE')).status
    const second = (call: () => Promise<number>) => async () => {
      await untilQueued(shop.owner, 1)
      return call()
    }
    const race = async (...calls: (() => Promise<number>)[]) =>
      (await raceThroughGate(shop.owner, row, calls)).map((end) => (end.status === 'fulfilled' ? end.value : 0))
    expect(await race(byAdmin, second(bySeller))).toEqual([200, 409])
    expect(await stateOf(id)).toEqual(['DISABLED', 'ADMIN'])
    await set(admin, id, 'ACTIVE').expect(200)
    expect(await race(bySeller, second(byAdmin))).toEqual([200, 200])
    expect(await stateOf(id)).toEqual(['DISABLED', 'ADMIN'])
    await set(admin, id, 'ACTIVE').expect(200)
    expect(await stateOf(id)).toEqual(['ACTIVE', null])
  })

  test('while its seller edits the same version is changed by one of them', async () => {
    const seller = aSeller()
    const { id, etag } = await shop.create(seller)
    const row = { text: 'select from products.products where id = $1 for update', values: [id] }
    const ends = await raceThroughGate(shop.owner, row, [
      async () => (await set(admin, id, 'DISABLED', etag)).status,
      async () => (await shop.patch(seller, id, etag, { name: 'Edited' })).status,
    ])
    expect(ends.map((end) => (end.status === 'fulfilled' ? end.value : 0)).sort()).toEqual([200, 412])
  })
})

describe('the list of all products', () => {
  test('is for admins', async () => {
    expect((await shop.api.get('/products/all')).body.code).toBe('unauthenticated')
    for (const who of [aBuyer(), aSeller()])
      expect((await shop.as(who).get('/products/all')).body.code).toBe('forbidden-role')
  })

  test('has every seller’s, disabled ones too, newest first; filtered by seller and status', async () => {
    const [seller, other] = [aSeller(), aSeller()]
    const a = (await shop.create(seller)).id
    const b = (await shop.create(other)).id
    const c = (await shop.create(seller)).id
    const d = (await shop.create(seller)).id
    await set(seller, a, 'DISABLED').expect(200)
    await set(admin, d, 'DISABLED').expect(200)
    const ids = async (query?: string) => (await list(query)).map((item) => item['id'] as string)
    expect((await ids()).slice(0, 4)).toEqual([d, c, b, a])
    expect((await list())[0]).toEqual(await shop.read(d, admin))
    expect(await ids(`&sellerId=${seller.id}`)).toEqual([d, c, a])
    expect(await ids(`&sellerId=${seller.id}&status=DISABLED`)).toEqual([d, a])
    expect(await ids(`&sellerId=${seller.id}&status=ACTIVE`)).toEqual([c])
    expect((await ids('&status=DISABLED')).slice(0, 2)).toEqual([d, a])
    expect((await ids('&status=ACTIVE')).slice(0, 2)).toEqual([c, b])
    expect(await ids(`&sellerId=${UNKNOWN_ID}`)).toEqual([])
  })

  test('comes in pages, none of whose products is skipped or repeated while more come', async () => {
    const seller = aSeller()
    for (let n = 0; n < 5; n++) await shop.create(seller)
    const before = await list()
    const seen: Body[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const { body } = await shop
        .as(admin)
        .get(`/products/all?limit=3${cursor && `&cursor=${cursor}`}`)
        .expect(200)
      seen.push(...(body.items as Body[]))
      cursor = body.nextCursor as string | null
      await shop.create(seller)
    }
    expect(seen).toEqual(before)
    const { body } = await shop.as(admin).get('/products/all?limit=1').expect(200)
    for (const [query, path] of [
      [`status=ACTIVE&cursor=${body.nextCursor}`, 'cursor'],
      ['status=GONE', 'status'],
      ['sellerId=me', 'sellerId'],
      ['q=lamp', 'q'],
    ]) {
      const refused = await shop.as(admin).get(`/products/all?${query}`)
      expect([query, refused.status, refused.body.errors[0].path]).toEqual([query, 422, path])
    }
  })

  test.each<[string, Partial<AllProductsQuery>]>([
    ['nothing', {}],
    ['what is active', { status: 'ACTIVE' }],
    ['what is disabled', { status: 'DISABLED' }],
    ['a seller', { sellerId: UNKNOWN_ID }],
    ['what a seller has disabled', { sellerId: UNKNOWN_ID, status: 'DISABLED' }],
  ])('asked for %s goes by an index and sorts nothing', async (_name, query) => {
    await shop.owner.query(
      `with new as (insert into products.products (id, seller_id, name, price_cents, status)
                    select ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid,
                           case when n % 10 = 0 then $1 else gen_random_uuid() end, 'Many', 1,
                           case when n % 500 = 0 then 'DISABLED' else 'ACTIVE' end
                      from generate_series(1, 20000) n on conflict do nothing returning id)
       insert into products.inventory (product_id, available) select id, 0 from new`,
      [UNKNOWN_ID],
    )
    await shop.owner.query('analyze products.products, products.inventory')
    const [plan, ...others] = await plansOf(shop.pool, (pool) => listAllProducts(pool, { limit: 20, ...query }))
    expect(others).toEqual([])
    expect(plan).toMatch(/Index Scan.* on products p/)
    expect(plan).not.toMatch(/Seq Scan|Sort/)
  })
})
