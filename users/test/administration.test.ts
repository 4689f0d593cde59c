import { uuidv7 } from 'uuidv7'
import { raceThroughGate, untilQueued } from '../../tests/support/gate'
import { plansOf } from '../../tests/support/plans'
import { listAccounts } from '../src/administration'
import type { AccountQuery } from '../src/schemas'
import { aPerson, lockOf, settled, signed, tally, usersService, type Admin, type UsersService } from './users-service'

let service: UsersService
let admin: Admin
beforeAll(async () => {
  service = await usersService()
  admin = await service.admin()
})
afterAll(() => service.stop())

const get = (path: string, authorization = admin.authorization) => service.api.get(path).set({ authorization })
const patch = (id: string, body: object, authorization = admin.authorization) =>
  service.api.patch(`/users/${id}`).set({ authorization }).send(body)
const disable = (id: string) => patch(id, { status: 'DISABLED' })
const list = async (query: string) =>
  (await get(`/users?${query}`).expect(200)).body as {
    items: { id: string; username: string }[]
    nextCursor: string | null
  }

describe('who may', () => {
  test('admins only: 401 without a token, 403 for buyers and sellers, whatever they send', async () => {
    const [buyer, seller] = [await service.member(), await service.member({ role: 'SELLER' })]
    const call = (authorization?: string) =>
      [service.api.get('/users'), service.api.get(`/users/${buyer.id}`), service.api.patch(`/users/${buyer.id}`)].map(
        (each) => (authorization ? each.set({ authorization }) : each),
      )
    expect(tally(await Promise.all(call()))).toEqual({ '401 unauthenticated': 3 })
    for (const { authorization } of [buyer, seller])
      expect(tally(await Promise.all(call(authorization)))).toEqual({ '403 forbidden-role': 3 })
    await service.login(buyer.username, buyer.password).expect(200)
  })

  test('an access token of an admin who is gone, or disabled, changes nothing', async () => {
    const other = await service.admin()
    const target = await service.member()
    await disable(other.id).expect(200)
    const unknown = `Bearer ${signed({ role: 'ADMIN' }, { subject: uuidv7() })}`
    const promoted = `Bearer ${signed({ role: 'ADMIN' }, { subject: target.id })}`
    for (const authorization of [other.authorization, unknown, promoted]) {
      const refused = await patch(target.id, { status: 'DISABLED' }, authorization)
      expect([refused.status, refused.body.code]).toEqual([401, 'invalid-token'])
    }
    expect((await get(`/users/${target.id}`)).body.status).toBe('ACTIVE')
  })
})

describe('an account', () => {
  test('is shown without what is private', async () => {
    const ada = await service.member({ displayName: 'Ada' })
    await service.api
      .patch('/users/me')
      .set('authorization', ada.authorization)
      .send({ shippingAddress: '1 Elm St' })
      .expect(200)
    const shown = await get(`/users/${ada.id}`)
    expect([shown.status, shown.headers['etag'], shown.headers['cache-control']]).toEqual([
      200,
      '"2"',
      'private, no-cache',
    ])
    expect(shown.body).toEqual({
      id: ada.id,
      username: ada.username,
      email: ada.email,
      role: 'BUYER',
      displayName: 'Ada',
      status: 'ACTIVE',
      createdAt: expect.any(String),
    })
    await get(`/users/${ada.id}`).set('if-none-match', '"2"').expect(304)
    const unknown = await get(`/users/${uuidv7()}`)
    expect([unknown.status, unknown.body.code]).toEqual([404, 'user-not-found'])
  })

  test('that is disabled has no logins and gets none; enabled again it logs in as before', async () => {
    const [ada, neighbour] = [await service.member(), await service.member()]
    const second = (await service.login(ada.username, ada.password).expect(200)).body.refresh_token as string
    const disabled = await disable(ada.id)
    expect([disabled.status, disabled.headers['etag'], disabled.body.status]).toEqual([200, '"2"', 'DISABLED'])
    expect((await get(`/users/${ada.id}`)).body).toEqual(disabled.body)

    const wrong = await service.login(neighbour.username, 'not the password')
    const right = await service.login(ada.username, ada.password)
    expect([right.status, right.body]).toEqual([wrong.status, wrong.body])
    for (const token of [ada.refresh, second]) expect((await service.refresh(token)).body.error).toBe('invalid_grant')
    // Its access token lives on, for at most 15 minutes.
    await service.api.get('/users/me').set('authorization', ada.authorization).expect(200)

    const enabled = await patch(ada.id, { status: 'ACTIVE' })
    expect([enabled.status, enabled.headers['etag']]).toEqual([200, '"3"'])
    await service.login(ada.username, ada.password).expect(200)
    expect((await service.refresh(ada.refresh)).body.error).toBe('invalid_grant')
    await service.refresh(neighbour.refresh).expect(200)
  })

  test('that is disabled meets the limit of failed logins as an unknown one, even with the right password', async () => {
    const ada = await service.member()
    await disable(ada.id).expect(200)
    const attempts = []
    for (let n = 0; n < 11; n++) attempts.push(await service.login(ada.username, ada.password, '198.51.100.7'))
    expect(tally(attempts)).toEqual({ '400 invalid_grant': 10, '429 slow_down': 1 })
  })

  test('is changed as it was read, when If-Match says so, and by what changes something', async () => {
    const ada = await service.member()
    await disable(ada.id).set('if-match', '"1"').expect(200)
    const stale = await patch(ada.id, { status: 'ACTIVE' }).set('if-match', '"1"')
    expect([stale.status, stale.body.code]).toEqual([412, 'precondition-failed'])
    const again = await disable(ada.id).set('if-match', 'W/"2"')
    expect([again.status, again.headers['etag'], again.body.status]).toEqual([200, '"2"', 'DISABLED'])
    const unknown = await disable(uuidv7())
    expect([unknown.status, unknown.body.code]).toEqual([404, 'user-not-found'])
  })

  test.each<[string, object, string]>([
    ['nothing', {}, 'status'],
    ['a status that there is not', { status: 'GONE' }, 'status'],
    ['another field', { status: 'ACTIVE', role: 'ADMIN' }, 'role'],
  ])('is not changed by %s', async (_name, body, path) => {
    const ada = await service.member()
    const refused = await patch(ada.id, body)
    expect([refused.status, refused.body.code, refused.body.errors[0].path]).toEqual([422, 'validation-failed', path])
    expect((await get(`/users/${ada.id}`)).headers['etag']).toBe('"1"')
  })

  test('of the admin’s own is not theirs to disable', async () => {
    for (const status of ['DISABLED', 'ACTIVE']) {
      const refused = await patch(admin.id, { status })
      expect([refused.status, refused.body.code]).toEqual([409, 'own-account'])
    }
    await service.login(admin.username, admin.password).expect(200)
  })

  test('that is disabled while it logs in or refreshes keeps no token', async () => {
    const ada = await service.member()
    const callers = [
      async () => (await disable(ada.id)).status,
      async () => {
        await untilQueued(service.database.owner, 1) // the admin is the first in the queue
        return (await service.login(ada.username, ada.password)).status
      },
      async () => {
        await untilQueued(service.database.owner, 1)
        return (await service.refresh(ada.refresh)).status
      },
    ]
    const ends = await settled(await raceThroughGate(service.database.owner, lockOf(ada.id), callers))
    expect(ends).toEqual([200, 400, 400])
    const { rows } = await service.database.owner.query('select 1 from users.refresh_tokens where user_id = $1', [
      ada.id,
    ])
    expect(rows).toEqual([])
  })

  test('of two admins who disable each other at once one stays', async () => {
    const [a, b] = [await service.admin(), await service.admin()]
    const first = [a.id, b.id].sort()[0] as string
    const ends = await raceThroughGate(service.database.owner, lockOf(first), [
      async () => patch(b.id, { status: 'DISABLED' }, a.authorization),
      async () => patch(a.id, { status: 'DISABLED' }, b.authorization),
    ])
    expect(tally(await settled(ends))).toEqual({ '200': 1, '401 invalid-token': 1 })
  })
})

describe('the list', () => {
  const tag = `l${Date.now().toString(36)}`
  const names = ['c', 'a', 'e', 'b', 'd'].map((letter) => `${tag}.${letter}_x`)
  beforeAll(async () => {
    for (const [n, username] of names.entries())
      await service.member(aPerson({ username, role: n % 2 ? 'SELLER' : 'BUYER' }))
    const { items } = await list(`usernamePrefix=${tag}.e`)
    await disable(items[0]?.id ?? '').expect(200)
  })

  test('is newest first, and in every page none is skipped or repeated while accounts come', async () => {
    const before = (await list('limit=100')).items
    expect(before.map(({ id }) => id)).toEqual(
      before
        .map(({ id }) => id)
        .sort()
        .reverse(),
    )
    expect(before.slice(0, 5).map(({ username }) => username)).toEqual(names.toReversed())
    const seen: string[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const page = await list(`limit=3${cursor && `&cursor=${cursor}`}`)
      seen.push(...page.items.map(({ id }) => id))
      cursor = page.nextCursor
      await service.member()
    }
    expect(seen).toEqual(before.map(({ id }) => id))
  })

  test.each([
    ['a prefix, by name', `usernamePrefix=${tag}`, ['a', 'b', 'c', 'd', 'e']],
    ['a prefix in upper case', `usernamePrefix=${tag.toUpperCase()}.B`, ['b']],
    ['a prefix with what LIKE would read as any character', `usernamePrefix=${tag}_`, []],
    ['a prefix and a role', `usernamePrefix=${tag}.&role=SELLER`, ['a', 'b']],
    ['a prefix and a status', `usernamePrefix=${tag}&status=DISABLED`, ['e']],
    ['a prefix, a role and a status', `usernamePrefix=${tag}&role=BUYER&status=ACTIVE`, ['c', 'd']],
  ])('with %s has those only', async (_name, query, letters) => {
    expect((await list(query)).items.map(({ username }) => username)).toEqual(letters.map((each) => `${tag}.${each}_x`))
  })

  test('with a prefix comes in pages by name', async () => {
    const seen: string[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const page = await list(`usernamePrefix=${tag}&limit=2${cursor && `&cursor=${cursor}`}`)
      seen.push(...page.items.map(({ username }) => username))
      cursor = page.nextCursor
    }
    expect(seen).toEqual(names.toSorted())
  })

  test('with a role or a status has those only', async () => {
    const roles = async (role: string) => (await list(`role=${role}&limit=100`)).items
    const admins = (await roles('ADMIN')) as unknown as { role: string }[]
    expect(new Set(admins.map(({ role }) => role))).toEqual(new Set(['ADMIN']))
    expect((await roles('SELLER')).map(({ username }) => username).filter((name) => name.startsWith(tag))).toHaveLength(
      2,
    )
    const disabled = (await list('status=DISABLED&limit=100')).items as unknown as { status: string }[]
    expect(disabled.length).toBeGreaterThan(0)
    expect(new Set(disabled.map(({ status }) => status))).toEqual(new Set(['DISABLED']))
  })

  test('refuses what is no filter, and a cursor of other filters', async () => {
    const { nextCursor } = await list('limit=1')
    const named = await list(`usernamePrefix=${tag}&limit=1`)
    for (const [query, path] of [
      ['role=GUEST', 'role'],
      ['status=GONE', 'status'],
      ['usernamePrefix=', 'usernamePrefix'],
      ['usernamePrefix=%25', 'usernamePrefix'],
      ['email=a', 'email'],
      [`role=BUYER&cursor=${nextCursor}`, 'cursor'],
      [`cursor=${named.nextCursor}`, 'cursor'],
    ]) {
      const refused = await get(`/users?${query}`)
      expect([query, refused.status, refused.body.errors?.[0].path]).toEqual([query, 422, path])
    }
  })

  test.each<[string, Partial<AccountQuery>]>([
    ['nothing', {}],
    ['a role', { role: 'SELLER' }],
    ['a status', { status: 'DISABLED' }],
    ['a role and a status', { role: 'ADMIN', status: 'DISABLED' }],
    ['a prefix', { usernamePrefix: 'many-1' }],
    ['a prefix and a role', { usernamePrefix: 'many-1', role: 'BUYER' }],
  ])('asked for %s goes by an index and sorts nothing', async (_name, query) => {
    const { owner } = service.database
    await owner.query(
      `insert into users.users (id, username, email, password_hash, role, status)
       select gen_random_uuid(), 'many-' || n, n || '@example.org', 'x', case when n % 50 = 0 then 'SELLER' else 'BUYER' end,
              case when n % 500 = 0 then 'DISABLED' else 'ACTIVE' end
         from generate_series(1, 20000) n on conflict do nothing`,
    )
    await owner.query('analyze users.users')
    const plans = await plansOf(owner, (pool) => listAccounts(pool, { limit: 20, ...query }))
    expect(plans).toEqual([expect.stringContaining('Index Scan')])
    expect(plans.join()).not.toMatch(/Seq Scan|Sort/)
  })
})
