import { raceThroughGate } from '../../tests/support/gate'
import { aBuyer, aSeller, openShop, UNKNOWN_ID, type Body, type Shop, type Someone } from './shop'

let shop: Shop
beforeAll(async () => {
  shop = await openShop()
})
afterAll(() => shop.close())

describe.each(['warehouse', 'supplier'] as const)('a %s', (kind) => {
  const path = `/products/${kind}s`
  const other = kind === 'warehouse' ? 'supplier' : 'warehouse'
  const add = async (seller: Someone, name = 'North') => {
    const { body, headers } = await shop.as(seller).post(path, { name }).expect(201)
    return { body: body as Body, at: headers['location'] as string, etag: headers['etag'] as string }
  }
  const own = async (seller: Someone) => (await shop.as(seller).get(path).expect(200)).body.items as Body[]

  test('is added, read and listed by its seller', async () => {
    const seller = aSeller()
    const created = await shop.as(seller).post(path, { name: 'North “1”' })
    expect([created.status, created.headers['cache-control']]).toEqual([201, 'no-store'])
    expect(created.headers).toMatchObject({ location: `${path}/${created.body.id}`, etag: '"1"' })
    expect(created.body).toEqual({
      id: expect.any(String),
      name: 'North “1”',
      status: 'ACTIVE',
      createdAt: expect.any(String),
      updatedAt: created.body.createdAt,
    })
    const read = await shop.as(seller).get(created.headers['location'] as string)
    expect([read.status, read.body, read.headers['etag']]).toEqual([200, created.body, '"1"'])
    expect(read.headers['cache-control']).toBe('private, no-cache')
    await shop
      .as(seller)
      .get(created.headers['location'] as string)
      .set('if-none-match', '"1"')
      .expect(304)
    expect(await own(seller)).toEqual([created.body])
    expect((await shop.as(seller).get(`/products/${other}s`).expect(200)).body.items).toEqual([])
  })

  test('is nobody else’s to see or to change', async () => {
    const [seller, stranger] = [aSeller(), aSeller()]
    const { at, etag, body } = await add(seller)
    const refused = [
      await shop.as(stranger).get(at),
      await shop.as(stranger).get(`${at}/receipts`),
      await shop.as(stranger).patch(at, { name: 'Mine' }, etag),
      await shop.as(stranger).patch(at, { name: 'Mine' }),
      await shop.as(seller).get(`${path}/${UNKNOWN_ID}`),
      await shop.as(seller).patch(`${path}/${UNKNOWN_ID}`, { name: 'Mine' }, '*'),
      await shop.as(seller).get(at.replace(kind, other)),
    ]
    expect(refused.map(({ status, body: { code } }) => [status, code])).toEqual([
      ...Array(6).fill([404, `${kind}-not-found`]),
      [404, `${other}-not-found`],
    ])
    expect(await own(stranger)).toEqual([])
    for (const each of [shop.api.get(path), shop.api.get(at), shop.api.get(`${at}/receipts`)])
      expect([(await each).status, (await each).body.code]).toEqual([401, 'unauthenticated'])
    for (const each of [shop.as(aBuyer()).get(path), shop.as(aBuyer()).get(at), shop.as(aBuyer()).post(path, {})])
      expect([(await each).status, (await each).body.code]).toEqual([403, 'forbidden-role'])
    expect((await shop.as(seller).get(at)).body).toEqual(body)
  })

  test('has a name that differs from the others of its seller by more than case', async () => {
    const seller = aSeller()
    const north = await add(seller)
    const south = await add(seller, 'South')
    await add(aSeller()) // another seller's names are no matter
    await shop.as(seller).patch(north.at, { status: 'DISABLED' }, '*').expect(200)
    for (const taken of [
      await shop.as(seller).post(path, { name: 'nORTH' }, 'north'),
      await shop.as(seller).patch(south.at, { name: 'north', status: 'DISABLED' }, south.etag),
    ])
      expect([taken.status, taken.body.code]).toEqual([409, `${kind}-name-taken`])
    expect((await shop.as(seller).get(south.at)).body).toEqual(south.body)
    await shop.as(seller).patch(north.at, { name: 'NORTH' }, '*').expect(200)
    await shop.as(seller).patch(north.at, { name: 'West' }, '*').expect(200)
    // The refusal was not remembered.
    const added = await shop.as(seller).post(path, { name: 'nORTH' }, 'north')
    expect([added.status, added.headers['idempotency-replayed']]).toEqual([201, undefined])
    expect((await own(seller)).map(({ name }) => name as string)).toEqual(['nORTH', 'South', 'West'])
  })

  test('has a name without the blanks that were sent around it', async () => {
    const seller = aSeller()
    const north = await add(seller, ' North  1\t\u00a0')
    expect(north.body['name']).toBe('North  1')
    const taken = await shop.as(seller).post(path, { name: 'North  1 ' })
    expect([taken.status, taken.body.code]).toEqual([409, `${kind}-name-taken`])
    const unchanged = await shop.as(seller).patch(north.at, { name: '\nNorth  1' }, north.etag).expect(200)
    expect([unchanged.body, unchanged.headers['etag']]).toEqual([north.body, north.etag])
    const renamed = await shop.as(seller).patch(north.at, { name: ' South ' }, north.etag).expect(200)
    expect([renamed.body.name, (await own(seller)).map(({ name }) => name as string)]).toEqual(['South', ['South']])
  })

  test('is renamed, disabled and enabled by edits of the version that was read', async () => {
    const seller = aSeller()
    const { at, etag, body } = await add(seller)
    const neighbour = await add(seller, 'South')
    const edit = (changes: object, match?: string) => shop.as(seller).patch(at, changes, match)

    expect((await edit({ name: 'West' })).body).toMatchObject({ status: 428, code: 'precondition-required' })
    const renamed = await edit({ name: 'West' }, etag).expect(200)
    expect(renamed.headers['etag']).toBe('"2"')
    expect(renamed.body).toEqual({ ...body, name: 'West', updatedAt: expect.any(String) })
    expect((await edit({ name: 'East' }, etag)).body).toMatchObject({ status: 412, code: 'precondition-failed' })

    const disabled = await edit({ status: 'DISABLED' }, 'W/"2"').expect(200)
    expect([disabled.body.status, disabled.body.name, disabled.headers['etag']]).toEqual(['DISABLED', 'West', '"3"'])
    const unchanged = await edit({ status: 'DISABLED', name: 'West' }, '"3"').expect(200)
    expect([unchanged.body, unchanged.headers['etag']]).toEqual([disabled.body, '"3"'])
    const enabled = await edit({ status: 'ACTIVE' }, '*').expect(200)
    expect((await shop.as(seller).get(at)).body).toEqual(enabled.body)
    expect((await shop.as(seller).get(neighbour.at)).body).toEqual(neighbour.body)
  })

  test.each<[string, 'post' | 'patch', unknown, string[]]>([
    ['no name', 'post', {}, ['name']],
    ['a blank name', 'post', { name: ' \u00a0' }, ['name']],
    ['a name that is too long', 'post', { name: 'x'.repeat(201) }, ['name']],
    ['a name with U+0000', 'post', { name: 'a\u0000' }, ['name']],
    ['fields of the server', 'post', { name: 'a', id: UNKNOWN_ID, sellerId: UNKNOWN_ID }, ['id', 'sellerId']],
    ['no change', 'patch', {}, ['']],
    ['a status that there is not', 'patch', { status: 'CLOSED' }, ['status']],
    ['no name to change to', 'patch', { name: null }, ['name']],
  ])('with %s is refused', async (_name, method, body, paths) => {
    const seller = aSeller()
    const { at } = await add(seller)
    const refused = await (method === 'post'
      ? shop.as(seller).post(path, body as object)
      : shop.as(seller).patch(at, body as object, '*'))
    expect([refused.status, refused.body.code]).toEqual([422, 'validation-failed'])
    expect((refused.body.errors as { path: string }[]).map((violation) => violation.path).sort()).toEqual(paths)
    expect(await own(seller)).toHaveLength(1)
  })

  test('is added once by a call that is repeated with its key', async () => {
    const seller = aSeller()
    const first = await shop.as(seller).post(path, { name: 'North' }, 'k').expect(201)
    const again = await shop.as(seller).post(path, { name: 'North' }, 'k')
    expect([again.status, again.text, again.headers['idempotency-replayed']]).toEqual([201, first.text, 'true'])
    expect(again.headers).toMatchObject({ location: first.headers['location'], etag: '"1"' })
    expect(await own(seller)).toHaveLength(1)
  })

  test('comes in pages, newest first, none skipped or repeated while more are added', async () => {
    const seller = aSeller()
    for (const name of ['a', 'b', 'c', 'd', 'e']) await add(seller, name)
    const seen: unknown[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const { body } = await shop
        .as(seller)
        .get(`${path}?limit=2${cursor && `&cursor=${cursor}`}`)
        .expect(200)
      seen.push(...(body.items as Body[]).map(({ name }) => name as string))
      cursor = body.nextCursor as string | null
      await add(seller, `later ${seen.length}`)
    }
    expect(seen).toEqual(['e', 'd', 'c', 'b', 'a'])
    const { body } = await shop.as(seller).get(`${path}?limit=1`)
    for (const [who, list] of [
      [aSeller(), path],
      [seller, `/products/${other}s`],
    ] as const) {
      const foreign = await shop.as(who).get(`${list}?cursor=${body.nextCursor}`)
      expect([foreign.status, foreign.body.errors[0].path]).toEqual([422, 'cursor'])
    }
  })

  test('is changed by one of two edits of one version', async () => {
    const seller = aSeller()
    const { at, etag, body } = await add(seller)
    const edits = ['West', 'East'].map((name) => async () => shop.as(seller).patch(at, { name }, etag))
    const gate = { text: `select from products.${kind}s where id = $1 for update`, values: [body['id']] }
    const ends = await raceThroughGate(shop.owner, gate, edits)
    const answers = ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []))
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412])
    expect((await shop.as(seller).get(at)).body).toEqual(answers.find(({ status }) => status === 200)?.body)
  })

  test('of ten that are given one name at once one gets it', async () => {
    const seller = aSeller()
    const entries = await Promise.all(Array.from({ length: 10 }, (_, n) => add(seller, `n ${n}`)))
    const renames = entries.map(({ at }) => async () => {
      const { status, body } = await shop.as(seller).patch(at, { name: 'The one' }, '*')
      return [status, body.code as string].join(' ')
    })
    const added = async () => {
      const { status, body } = await shop.as(seller).post(path, { name: 'the ONE' })
      return [status, body.code as string].join(' ')
    }
    const gate = { text: `select from products.${kind}s where seller_id = $1 for update`, values: [seller.id] }
    const ends = await raceThroughGate(shop.owner, gate, [...renames, added], renames.length) // who adds waits for no row
    const outcomes = ends.map((end) => (end.status === 'fulfilled' ? end.value : 'lost'))
    expect(outcomes.filter((outcome) => outcome.startsWith('20'))).toHaveLength(1)
    expect(outcomes.filter((outcome) => outcome === `409 ${kind}-name-taken`)).toHaveLength(10)
    expect((await own(seller)).filter(({ name }) => /^the one$/i.test(name as string))).toHaveLength(1)
  })
})
