import { ConfigError } from '@shop/platform/config'
import { adminCredentials, seedAdmin } from '../src/admin-account'
import { aPerson, tally, times, usersService, type UsersService } from './users-service'

let service: UsersService
beforeEach(async () => {
  service = await usersService()
})
afterEach(() => service.stop())

const admin = { username: 'root', password: 'a secret of the owner' }
const seed = (over: Partial<typeof admin> = {}) => seedAdmin(service, { ...admin, ...over })
const profile = async (username: string, password: string) => {
  const { body } = await service.login(username, password).expect(200)
  return (await service.api.get('/users/me').set('authorization', `Bearer ${body.access_token as string}`))
    .body as object
}

test('an admin needs a name and a password, and there is none without them', () => {
  expect(adminCredentials({})).toBeUndefined()
  expect(adminCredentials({ ADMIN_USERNAME: 'root', ADMIN_PASSWORD: 'a password' })).toEqual({
    username: 'root',
    password: 'a password',
  })
  for (const [half, missing] of [
    [{ ADMIN_USERNAME: 'root' }, 'ADMIN_PASSWORD'],
    [{ ADMIN_PASSWORD: 'a password' }, 'ADMIN_USERNAME'],
  ] as const) {
    const refused = () => adminCredentials(half)
    expect(refused).toThrow(ConfigError)
    expect(refused).toThrow(`${missing}: is missing`)
  }
})

test('the admin is there once, however often and by how many it is seeded', async () => {
  await Promise.allSettled(times(5, () => seed())) // who loses the race tries again
  await seed()
  expect(await profile(admin.username, admin.password)).toEqual({
    id: expect.any(String),
    username: 'root',
    email: 'root@localhost',
    role: 'ADMIN',
    displayName: null,
    createdAt: expect.any(String),
  })
  const { rows } = await service.database.owner.query(
    `select count(*)::int as admins from users.users where role = 'ADMIN'`,
  )
  expect(rows).toEqual([{ admins: 1 }])
})

test('seeding again changes nothing, and another password is the admin’s from then on and ends its logins', async () => {
  await seed()
  const { body: before } = await service.login(admin.username, admin.password).expect(200)
  await seed()
  const { body: kept } = await service.refresh(before.refresh_token as string).expect(200)
  const other = 'another secret of the owner'
  await seed({ password: other })
  expect((await service.refresh(kept.refresh_token as string)).body.error).toBe('invalid_grant')
  expect((await service.login(admin.username, admin.password)).body.error).toBe('invalid_grant')
  expect(await profile(admin.username, other)).toMatchObject({ role: 'ADMIN' })
})

test('an account that somebody registered under that name is left as it is', async () => {
  const squatter = await service.member(aPerson({ username: 'root', role: 'SELLER' }))
  await expect(seed()).rejects.toThrow('ADMIN_USERNAME: root is the account of a seller; choose another name')
  expect(await profile('root', squatter.password)).toMatchObject({ id: squatter.id, role: 'SELLER' })
  expect((await service.login('root', admin.password)).body.error).toBe('invalid_grant')
})

test('nobody registers as an admin, or takes its name or its address', async () => {
  await seed()
  const refused = await Promise.all([
    service.api.post('/users').send(aPerson({ role: 'ADMIN' })),
    service.api.post('/users').send(aPerson({ username: 'ROOT' })),
    service.api.post('/users').send(aPerson({ email: 'root@localhost' })),
  ])
  expect(tally(refused)).toEqual({ '422 validation-failed': 2, '409 username-taken': 1 })
})
