import { z } from 'zod'
import { invalidToken, type Caller } from '@shop/platform/authentication'
import { EntityTags } from '@shop/platform/conditional'
import { PLATFORM_PROBLEMS, problem, type Violation } from '@shop/platform/problems'
import { reply, routesOf } from '@shop/platform/routes'
import { changePassword, changeProfile, findUser, register, type ProfileChanges, type User } from './accounts'
import { adminRoutes } from './admin-routes'
import type { GrantDeps } from './grants'
import { PROBLEMS, rateLimited } from './problems'
import { KeySet, PasswordChange, Profile, ProfileChange, Registration } from './schemas'
import { tokenRoutes } from './token-routes'

/** What the calls of this service need. */
export type Deps = GrantDeps

const route = routesOf<Deps>()({ ...PLATFORM_PROBLEMS, ...PROBLEMS })

const profileOf = (user: User): z.infer<typeof Profile> => {
  const { id, username, email, displayName } = user
  const role = Profile.shape.role.parse(user.role)
  return {
    id,
    username,
    email,
    role,
    displayName,
    ...(role === 'BUYER' && { shippingAddress: user.shippingAddress }),
    ...(role === 'SELLER' && { storeName: user.storeName }),
    createdAt: user.createdAt.toISOString(),
  }
}
const etagOf = ({ version }: User) => `"${version}"`

/** A token outlives its account by up to 15 minutes. */
const accountGone = () => invalidToken('The account of this access token does not exist.')

/** Fields that only one role has. */
const OWNERS = { shippingAddress: 'BUYER', storeName: 'SELLER' } as const

const foreignFields = (changes: ProfileChanges, { role }: Caller): Violation[] =>
  Object.entries(OWNERS)
    .filter(([field, owner]) => field in changes && role !== owner)
    .map(([path]) => ({ in: 'body', path, message: `is not a field of the role ${role}` }))

const accountRoutes = [
  route(
    {
      method: 'post',
      path: '/users',
      operationId: 'register',
      tag: 'users',
      summary: 'Open an account',
      access: 'public',
      body: Registration,
      responses: { 201: { description: 'The account.', body: Profile, headers: ['Location', 'ETag'] } },
      problems: ['username-taken', 'email-taken'],
    },
    async ({ body }, deps) => {
      const registered = await register(deps, body)
      if (!registered.ok) return problem(registered.error.code)
      return reply(201, profileOf(registered.value), { Location: '/users/me', ETag: etagOf(registered.value) })
    },
  ),
  route(
    {
      method: 'get',
      path: '/users/me',
      operationId: 'getProfile',
      tag: 'users',
      summary: 'The own profile',
      access: 'authenticated',
      responses: { 200: { description: 'The profile.', body: Profile, headers: ['ETag'] } },
      problems: [],
    },
    async ({ caller }, { prisma }) => {
      const user = await findUser(prisma, caller.id)
      if (!user) throw accountGone()
      return reply(200, profileOf(user), { ETag: etagOf(user) })
    },
  ),
  route(
    {
      method: 'patch',
      path: '/users/me',
      operationId: 'changeProfile',
      tag: 'users',
      summary: 'Change the own profile',
      description:
        'Username and role are for ever. With `If-Match` the change is made only to the version that it names.',
      access: 'authenticated',
      headers: z.object({
        'if-match': EntityTags.optional().meta({ description: 'ETag of the profile that is being changed.' }),
      }),
      body: ProfileChange,
      responses: { 200: { description: 'The profile as it is now.', body: Profile, headers: ['ETag'] } },
      problems: ['precondition-failed', 'email-taken'],
    },
    async ({ body, caller, headers }, { prisma }) => {
      const changes = body as ProfileChanges // JSON has no undefined
      const errors = foreignFields(changes, caller)
      if (errors.length > 0) return problem('validation-failed', { members: { errors } })
      const changed = await changeProfile(prisma, caller.id, changes, headers['if-match'])
      if (changed.ok) return reply(200, profileOf(changed.value), { ETag: etagOf(changed.value) })
      if (changed.error.code === 'account-gone') throw accountGone()
      return problem(changed.error.code)
    },
  ),
  route(
    {
      method: 'put',
      path: '/users/me/password',
      operationId: 'changePassword',
      tag: 'users',
      summary: 'Change the own password',
      description:
        'Every refresh token of the account is revoked; access tokens stay good until they expire. Ten wrong passwords in 15 ' +
        'minutes are the limit. (The example keeps the password of the demo accounts.)',
      access: 'authenticated',
      body: PasswordChange,
      responses: { 204: { description: 'Changed.' } },
      problems: ['wrong-password', 'rate-limited'],
    },
    async ({ body, caller }, deps) => {
      const changed = await changePassword(deps, caller.id, body)
      if (changed.ok) return reply(204)
      const { error } = changed
      if (error.code === 'rate-limited') return rateLimited(error)
      if (error.code === 'account-gone') throw accountGone()
      return problem(error.code)
    },
  ),
  route(
    {
      method: 'get',
      path: '/users/.well-known/jwks.json',
      operationId: 'getKeySet',
      tag: 'users',
      summary: 'Public keys of the access tokens',
      access: 'public',
      shared: true,
      responses: { 200: { description: 'The keys.', body: KeySet } },
      problems: [],
    },
    async (_input, { tokens }) => Promise.resolve(reply(200, tokens.keySet)),
  ),
]

export const routes = [...accountRoutes, ...tokenRoutes, ...adminRoutes]
