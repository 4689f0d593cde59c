import { openWire } from '../../proof/src/chaos/wire'
import { raceThroughGate } from '../../tests/support/gate'
import { aPerson, lockOf, serve, settled, signed, tally, times, usersService, type UsersService } from './users-service'

let service: UsersService
beforeAll(async () => {
  // Room for fifty registrations at once, so that none of them is turned away for want of it.
  service = await usersService({ waiting: 100 })
})
afterAll(() => service.stop())

const register = (body: object) => service.api.post('/users').send(body)
const me = (authorization: string) => service.api.get('/users/me').set({ authorization })
const patch = (authorization: string, body: object, headers: Record<string, string> = {}) =>
  service.api
    .patch('/users/me')
    .set({ authorization, ...headers })
    .send(body)
const count = async (username: string) =>
  (await service.database.owner.query('select 1 from users.users where username = $1', [username])).rowCount

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

test('somebody registers, logs in and reads the own profile', async () => {
  const person = aPerson({ displayName: 'Zoë 🦊' })
  const before = Date.now()
  const created = await register(person).expect(201)
  expect(created.headers).toMatchObject({ location: '/users/me', etag: '"1"', 'cache-control': 'no-store' })
  expect(created.body).toEqual({
    id: expect.stringMatching(UUID_V7),
    username: person.username,
    email: person.email,
    role: 'BUYER',
    displayName: 'Zoë 🦊',
    shippingAddress: null,
    createdAt: expect.any(String),
  })
  expect(Math.abs(Date.parse(created.body.createdAt as string) - before)).toBeLessThan(60_000)

  const { body } = await service.login(person.username, person.password).expect(200)
  const read = await me(`Bearer ${body.access_token}`).expect(200)
  expect(read.body).toEqual(created.body)
  expect(read.headers).toMatchObject({ etag: '"1"', 'cache-control': 'private, no-cache' })
})

test('a seller has a store name and no shipping address, an admin neither', async () => {
  const seller = await service.member({ role: 'SELLER' })
  expect((await me(seller.authorization)).body).toEqual({
    id: seller.id,
    username: seller.username,
    email: seller.email,
    role: 'SELLER',
    displayName: null,
    storeName: null,
    createdAt: expect.any(String),
  })
  const admin = await service.member()
  await service.database.owner.query(`update users.users set role = 'ADMIN' where id = $1`, [admin.id])
  const { body } = await service.login(admin.username, admin.password).expect(200)
  const profile = (await me(`Bearer ${body.access_token}`).expect(200)).body
  expect(profile).toMatchObject({ id: admin.id, role: 'ADMIN' })
  expect(Object.keys(profile as object).sort()).toEqual(['createdAt', 'displayName', 'email', 'id', 'role', 'username'])
})

test('the profile is 304 for one who has it, and each sees only the own one', async () => {
  const [ada, bob] = [await service.member(), await service.member()]
  const unchanged = await me(ada.authorization).set('if-none-match', '"1"').expect(304)
  expect([unchanged.text, unchanged.headers['etag']]).toEqual(['', '"1"'])
  await me(ada.authorization).set('if-none-match', '"2"').expect(200)
  expect((await me(bob.authorization)).body).toMatchObject({ id: bob.id, username: bob.username })
})

test('a username is the same in any case, and stored in lower case', async () => {
  const person = aPerson()
  const upper = person.username.toUpperCase()
  const created = await register({ ...person, username: upper }).expect(201)
  expect(created.body.username).toBe(person.username)
  const taken = await register({ ...aPerson(), username: person.username }).expect(409)
  expect(taken.body).toEqual({
    type: '/problems/username-taken',
    title: 'Username taken',
    status: 409,
    detail: expect.any(String),
    instance: '/users',
    code: 'username-taken',
    requestId: taken.headers['x-request-id'],
  })
  await service.login(upper, person.password).expect(200)
  await service.login(person.username, person.password).expect(200)
})

test('an email address is unique in any case and kept as written; of two that are taken the name is reported', async () => {
  const person = aPerson()
  const written = person.email.replace('p-', 'P-')
  const created = await register({ ...person, email: written }).expect(201)
  expect(created.body.email).toBe(written)
  const [other, both] = [
    aPerson({ email: person.email.toUpperCase() }),
    { ...person, email: person.email.toUpperCase() },
  ]
  expect((await register(other).expect(409)).body.code).toBe('email-taken')
  expect((await register(both).expect(409)).body.code).toBe('username-taken')
  expect(await count(other.username)).toBe(0)
})

test('a wildcard in an email address is a character like others', async () => {
  const person = aPerson()
  await register(person).expect(201)
  await register(aPerson({ email: person.email.replace('-', '_') })).expect(201)
})

test('fifty registrations of one username at once make one account', async () => {
  const person = aPerson()
  const answers = await Promise.all(
    times(50, (n) => register({ ...person, email: `${n}.${person.email}`, password: `password ${n}` })),
  )
  expect(tally(answers)).toEqual({ '201': 1, '409 username-taken': 49 })
  const winner = answers.findIndex(({ status }) => status === 201)
  const { body } = await service.login(person.username, `password ${winner}`).expect(200)
  expect((await me(`Bearer ${body.access_token}`)).body.email).toBe(`${winner}.${person.email}`)
})

test('fifty registrations of one email address at once make one account', async () => {
  const { email } = aPerson()
  const answers = await Promise.all(times(50, (n) => register(aPerson({ email: n % 2 ? email : email.toUpperCase() }))))
  expect(tally(answers)).toEqual({ '201': 1, '409 email-taken': 49 })
})

test.each([
  ['the role ADMIN', { role: 'ADMIN' }, ['role']],
  ['a role in lower case', { role: 'buyer' }, ['role']],
  ['a short username', { username: 'ab' }, ['username']],
  ['a long username', { username: 'a'.repeat(33) }, ['username']],
  ['a username with a space', { username: 'ada lovelace' }, ['username']],
  ['a username beyond ASCII', { username: 'zoë' }, ['username']],
  ['a username that only becomes ASCII in lower case', { username: 'uma\u212a' }, ['username']],
  ['a username with a line end', { username: 'adalove\n' }, ['username']],
  ['no email address', { email: 'nobody' }, ['email']],
  ['a long email address', { email: `${'a'.repeat(250)}@example.com` }, ['email']],
  ['a password of 7 characters', { password: '1234567' }, ['password']],
  ['a password of 7 characters and 14 code units', { password: '🦊'.repeat(7) }, ['password']],
  ['a password of 73 bytes', { password: 'a'.repeat(73) }, ['password']],
  ['a password of 37 characters and 74 bytes', { password: 'é'.repeat(37) }, ['password']],
  ['a password with U+0000', { password: 'secret\u0000secret' }, ['password']],
  ['an empty display name', { displayName: '' }, ['displayName']],
  ['a blank display name', { displayName: ' \t' }, ['displayName']],
  ['a display name of 101 characters', { displayName: 'a'.repeat(101) }, ['displayName']],
  ['a display name with a lone surrogate', { displayName: 'a\ud800' }, ['displayName']],
  [
    'fields of the server',
    { id: 'x', version: 9, passwordHash: 'x', createdAt: 'x' },
    ['createdAt', 'id', 'passwordHash', 'version'],
  ],
  ['fields of the profile', { storeName: 'x', shippingAddress: 'y' }, ['shippingAddress', 'storeName']],
  ['several faults at once', { username: 'ab', email: 'no', role: 'X' }, ['email', 'role', 'username']],
])('a registration with %s is 422 and makes nothing', async (_name, over, paths) => {
  const person = { ...aPerson(), ...over }
  const refused = await register(person).expect(422)
  expect(refused.body).toMatchObject({ code: 'validation-failed', instance: '/users' })
  const errors = refused.body.errors as { in: string; path: string }[]
  expect([...new Set(errors.map((error) => `${error.in} ${error.path}`))].sort()).toEqual(
    paths.map((path) => `body ${path}`),
  )
  expect(await count(person.username)).toBe(0)
})

test('a password may have exactly 72 bytes, of few characters or many', async () => {
  for (const password of ['a'.repeat(72), '🦊'.repeat(18), '🦊🦊🦊🦊🦊🦊🦊🦊']) {
    const person = aPerson({ password })
    await register(person).expect(201)
    await service.login(person.username, password).expect(200)
  }
})

test('no answer and no log line tells a password, its hash or a token', async () => {
  const person = await service.member({ password: 'unmistakable-7f3a' })
  const profile = await me(person.authorization)
  await register({ ...person, password: 'unmistakable-7f3a' })
  await service.login(person.username, 'unmistakable-0000').expect(400)
  const { rows } = await service.database.owner.query('select password_hash from users.users where id = $1', [
    person.id,
  ])
  const told = `${profile.text}${service.logged.join('')}`
  const secrets = ['unmistakable', rows[0].password_hash as string, person.access, person.refresh]
  expect(secrets.filter((secret) => told.includes(secret))).toEqual([])
})

test('a buyer changes the profile step by step, and nobody else’s changes', async () => {
  const [ada, bob] = [await service.member(), await service.member()]
  const first = await patch(ada.authorization, {
    displayName: 'Ada',
    shippingAddress: '1 Main Street\n12345 Town',
  }).expect(200)
  expect(first.headers['etag']).toBe('"2"')
  expect(first.body).toEqual({
    id: ada.id,
    username: ada.username,
    email: ada.email,
    role: 'BUYER',
    displayName: 'Ada',
    shippingAddress: '1 Main Street\n12345 Town',
    createdAt: expect.any(String),
  })
  const second = await patch(ada.authorization, { displayName: null }).expect(200)
  expect(second.body).toEqual({ ...first.body, displayName: null })
  const read = await me(ada.authorization)
  expect([read.headers['etag'], read.body]).toEqual(['"3"', second.body])
  expect((await me(bob.authorization)).headers['etag']).toBe('"1"')
})

test('a seller changes the store name', async () => {
  const seller = await service.member({ role: 'SELLER' })
  expect((await patch(seller.authorization, { storeName: 'Corner' }).expect(200)).body.storeName).toBe('Corner')
  expect((await me(seller.authorization)).body.storeName).toBe('Corner')
})

test('a change of nothing changes nothing', async () => {
  const ada = await service.member()
  expect((await patch(ada.authorization, {}).expect(200)).headers['etag']).toBe('"1"')
})

test.each([
  ['BUYER', { storeName: 'x' }, ['storeName']],
  ['BUYER', { storeName: null, displayName: 'x' }, ['storeName']],
  ['SELLER', { shippingAddress: 'x' }, ['shippingAddress']],
  ['BUYER', { role: 'SELLER' }, ['role']],
  [
    'BUYER',
    { username: 'other', id: 'x', password: 'other password', version: 7 },
    ['id', 'password', 'username', 'version'],
  ],
  ['BUYER', { shippingAddress: '' }, ['shippingAddress']],
  ['BUYER', { shippingAddress: 'a'.repeat(501) }, ['shippingAddress']],
  ['SELLER', { storeName: '  ' }, ['storeName']],
  ['BUYER', { email: null }, ['email']],
])('a %s who sends %j is refused, and the profile stays', async (role, body, paths) => {
  const person = await service.member({ role })
  const refused = await patch(person.authorization, body).expect(422)
  expect(refused.body.code).toBe('validation-failed')
  expect((refused.body.errors as { path: string }[]).map(({ path }) => path).sort()).toEqual(paths)
  expect((await me(person.authorization)).headers['etag']).toBe('"1"')
})

test('an email address changes, unless it is somebody else’s in any case', async () => {
  const [ada, bob] = [await service.member(), await service.member()]
  const taken = await patch(ada.authorization, { email: bob.email.toUpperCase(), displayName: 'x' }).expect(409)
  expect(taken.body.code).toBe('email-taken')
  expect((await me(ada.authorization)).body).toMatchObject({ email: ada.email, displayName: null })
  const own = await patch(ada.authorization, { email: ada.email.toUpperCase() }).expect(200)
  expect(own.body.email).toBe(ada.email.toUpperCase())
  const { email } = aPerson()
  await patch(ada.authorization, { email }).expect(200)
  expect((await me(ada.authorization)).body.email).toBe(email)
  await register(aPerson({ email: ada.email })).expect(201) // given up, so free
})

test('If-Match is optional and honoured', async () => {
  const ada = await service.member()
  await patch(ada.authorization, { displayName: 'one' }, { 'if-match': '"1"' }).expect(200)
  const stale = await patch(ada.authorization, { displayName: 'two' }, { 'if-match': '"1"' }).expect(412)
  expect(stale.body.code).toBe('precondition-failed')
  await patch(ada.authorization, {}, { 'if-match': '"1"' }).expect(412)
  await patch(ada.authorization, { displayName: 'two' }, { 'if-match': 'W/"2"' }).expect(200)
  await patch(ada.authorization, { displayName: 'three' }, { 'if-match': '*' }).expect(200)
  await patch(ada.authorization, { displayName: 'four' }, { 'if-match': '"9", "4"' }).expect(200)
  const malformed = await patch(ada.authorization, { displayName: 'five' }, { 'if-match': '4' }).expect(422)
  expect(malformed.body.errors).toEqual([{ in: 'header', path: 'if-match', message: expect.any(String) }])
  expect((await me(ada.authorization)).body.displayName).toBe('four')
})

test('of two editors of one version exactly one wins', async () => {
  const ada = await service.member()
  const editors = ['one', 'two', 'three', 'four'].map(
    (displayName) => async () => patch(ada.authorization, { displayName }, { 'if-match': '"1"' }),
  )
  const answers = await settled(await raceThroughGate(service.database.owner, lockOf(ada.id), editors))
  expect(tally(answers)).toEqual({ '200': 1, '412 precondition-failed': 3 })
  const read = await me(ada.authorization)
  expect([read.headers['etag'], read.body]).toEqual(['"2"', answers.find(({ status }) => status === 200)?.body])
})

test.each([
  ['get', '/users/me'],
  ['patch', '/users/me'],
  ['put', '/users/me/password'],
] as const)('%s %s is for who is logged in', async (method, path) => {
  const anonymous = await service.api[method](path).expect(401)
  expect([anonymous.body.code, anonymous.headers['www-authenticate']]).toEqual(['unauthenticated', 'Bearer'])
  const inQuery = await service.api[method](`${path}?access_token=${signed({ role: 'BUYER' })}`).expect(401)
  expect(inQuery.body.code).toBe('unauthenticated')
  const nobody = signed({ role: 'BUYER' }, { subject: '01980000-0000-7000-8000-00000000dead' })
  const body = method === 'put' ? { currentPassword: 'x', newPassword: 'long enough' } : { displayName: 'x' }
  const request = service.api[method](path).set({ authorization: `Bearer ${nobody}` })
  const gone = await (method === 'get' ? request : request.send(body)).expect(401)
  expect([gone.body.code, gone.headers['www-authenticate']]).toEqual(['invalid-token', 'Bearer error="invalid_token"'])
})

test('a token that is sent must be good, on calls for anyone too', async () => {
  const person = aPerson()
  await register(person).set('authorization', 'Bearer abc').expect(401)
  await service.api.get('/users/.well-known/jwks.json').set('authorization', 'Bearer abc').expect(401)
  expect(await count(person.username)).toBe(0)
})

test('a database that is away is 503 with Retry-After, by Prisma and by pg', async () => {
  const away = serve('postgres://nobody@127.0.0.1:1/none')
  const authorization = `Bearer ${signed({ role: 'BUYER' }, { subject: '01980000-0000-7000-8000-00000000dead' })}`
  const calls = [
    away.api.get('/users/me').set({ authorization }),
    away.api.patch('/users/me').set({ authorization }).send({ displayName: 'x' }),
    away.api
      .put('/users/me/password')
      .set({ authorization })
      .send({ currentPassword: 'x', newPassword: 'long enough' }),
    away.api.post('/users').send(aPerson()),
  ]
  for (const answer of await Promise.all(calls)) {
    expect([answer.status, answer.body.code, answer.headers['retry-after']]).toEqual([503, 'database-unavailable', '1'])
  }
  await away.stop()
})

test('connections that the database ends are replaced', async () => {
  const ada = await service.member()
  await Promise.all(times(8, () => me(ada.authorization)))
  const { pool } = service
  let left = pool.totalCount
  pool.on('remove', () => left--)
  await service.database.owner.query(
    `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'users' and datname = current_database()`,
  )
  await Promise.all(times(8, () => me(ada.authorization))) // 200, or 503 on a connection that was just being ended
  while (left > 0) await new Promise(setImmediate) // one that waited unused may still be about to be ended
  await me(ada.authorization).expect(200)
})

test('a registration whose answer the database could not give is not called undone: it may be there', async () => {
  const wire = await openWire(service.database.urls.users)
  const wired = serve(wire.url)
  const person = aPerson()
  wire.cutAt('INSERT INTO "users"."users"', 'after')
  const { body } = await wired.api.post('/users').send(person).expect(503)
  expect(body).toMatchObject({ code: 'outcome-unknown' })
  expect(await count(person.username)).toBe(1)

  // Of a read nothing can have come.
  const { authorization } = await service.member()
  wire.cutAt('SELECT', 'after')
  const read = await wired.api.get('/users/me').set({ authorization }).expect(503)
  expect(read.body).toMatchObject({ code: 'database-unavailable' })
  await wired.stop()
  await wire.close()
})
