import type { z } from 'zod'
import { loadDemoAccounts } from '../src/demo-accounts'
import { document } from '../src/document'
import { PasswordChange, ProfileChange, Registration, RevocationRequest, TokenRequest } from '../src/schemas'
import { aPerson, times, usersService, type UsersService } from './users-service'

let service: UsersService
beforeEach(async () => {
  service = await usersService()
})
afterEach(() => service.stop())

const signIn = async (username: string) => {
  const { body } = await service.login(username, 'password').expect(200)
  return `Bearer ${body.access_token as string}`
}
const me = (authorization: string) => service.api.get('/users/me').set({ authorization })

test('the demo accounts are there under their fixed ids, however often and by how many they are loaded', async () => {
  await Promise.all(times(5, () => loadDemoAccounts(service)))
  await loadDemoAccounts(service)
  expect((await me(await signIn('user-1')).expect(200)).body).toEqual({
    id: '01980000-0000-7000-8000-00000000b001',
    username: 'user-1',
    email: 'user-1@example.com',
    role: 'BUYER',
    displayName: 'Uma Buyer',
    shippingAddress: '1 Harbour Street, 20457 Hamburg, Germany',
    createdAt: expect.any(String),
  })
  expect((await me(await signIn('seller-1')).expect(200)).body).toEqual({
    id: '01980000-0000-7000-8000-00000000a001',
    username: 'seller-1',
    email: 'seller-1@example.com',
    role: 'SELLER',
    displayName: 'Sam Seller',
    storeName: 'The Corner Shop',
    createdAt: expect.any(String),
  })
})

test('loading leaves what somebody changed, and a name that somebody took, as they are', async () => {
  const squatter = await service.member(aPerson({ username: 'seller-1', password: 'mine, not the demo' }))
  await loadDemoAccounts(service)
  const buyer = await signIn('user-1')
  await service.api.patch('/users/me').set('authorization', buyer).send({ displayName: 'Changed' }).expect(200)
  await loadDemoAccounts(service)
  expect((await me(buyer)).body.displayName).toBe('Changed')
  await service.login('seller-1', 'password').expect(400)
  expect((await me(squatter.authorization)).body.id).toBe(squatter.id)
})

test('the examples of the document work as they are, for both demo users', async () => {
  await loadDemoAccounts(service)
  const example = (schema: z.ZodType) => schema.meta()?.example as object
  await service.api.post('/users').send(example(Registration)).expect(201)
  await service.api.post('/users/token').send(example(TokenRequest)).expect(200)
  await service.api.post('/users/token').type('form').send(example(TokenRequest)).expect(200)
  await service.api.post('/users/token/revoke').send(example(RevocationRequest)).expect(200)
  for (const username of ['user-1', 'seller-1']) {
    const authorization = await signIn(username)
    await service.api.patch('/users/me').set({ authorization }).send(example(ProfileChange)).expect(200)
    await service.api.put('/users/me/password').set({ authorization }).send(example(PasswordChange)).expect(204)
    await signIn(username)
  }
})

test('the token endpoints are documented for forms and JSON, with both kinds of errors', () => {
  for (const path of ['/users/token', '/users/token/revoke']) {
    const operation = document.paths?.[path]?.post
    const body = operation?.requestBody as { content: object }
    expect(Object.keys(body.content)).toEqual(['application/json', 'application/x-www-form-urlencoded'])
    expect(operation?.security).toEqual([])
    for (const status of ['400', '413', '415', '429', '500', '503'])
      expect(Object.keys((operation?.responses?.[status] as { content: object }).content)).toContain('application/json')
  }
})
