import type pg from 'pg'
import { z } from 'zod'
import { invalidToken } from '@shop/platform/authentication'
import { EntityTags } from '@shop/platform/conditional'
import { PLATFORM_PROBLEMS, problem } from '@shop/platform/problems'
import { reply, routesOf } from '@shop/platform/routes'
import { accountView, changeStatus, findAccount, listAccounts, type AccountRow } from './administration'
import { PROBLEMS } from './problems'
import { Account, AccountChange, AccountPage, AccountParams, AccountQuery } from './schemas'

const route = routesOf<{ pool: pg.Pool }>()({ ...PLATFORM_PROBLEMS, ...PROBLEMS })
const admins = { roles: ['ADMIN'] } as const
const tag = 'accounts'

const shown = (row: AccountRow) => reply(200, accountView(row), { ETag: `"${row.version}"` })

export const adminRoutes = [
  route(
    {
      method: 'get',
      path: '/users',
      operationId: 'listAccounts',
      tag,
      summary: 'List accounts',
      description: 'Newest first, disabled ones too; with `usernamePrefix` by username.',
      access: admins,
      query: AccountQuery,
      responses: { 200: { description: 'A page of accounts.', body: AccountPage } },
      problems: [],
    },
    async ({ query }, { pool }) => reply(200, await listAccounts(pool, query)),
  ),
  route(
    {
      method: 'get',
      path: '/users/{id}',
      operationId: 'readAccount',
      tag,
      summary: 'Read an account',
      access: admins,
      params: AccountParams,
      responses: { 200: { description: 'The account.', body: Account, headers: ['ETag'] } },
      problems: ['user-not-found'],
    },
    async ({ params }, { pool }) => {
      const account = await findAccount(pool, params.id)
      return account ? shown(account) : problem('user-not-found')
    },
  ),
  route(
    {
      method: 'patch',
      path: '/users/{id}',
      operationId: 'changeAccount',
      tag,
      summary: 'Disable or enable an account',
      description:
        'Disabled, it is as good as unknown at login, and its refresh tokens are revoked in the same transaction; access tokens stay ' +
        'good until they expire, which is 15 minutes at most. What it sells or has ordered stays as it is. With `If-Match` the change ' +
        'is made only to the version that it names.',
      access: admins,
      params: AccountParams,
      headers: z.object({
        'if-match': EntityTags.optional().meta({ description: 'ETag of the account that is being changed.' }),
      }),
      body: AccountChange,
      responses: { 200: { description: 'The account as it is now.', body: Account, headers: ['ETag'] } },
      problems: ['user-not-found', 'precondition-failed', 'own-account'],
    },
    async ({ params, headers, body, caller }, { pool }) => {
      const change = { ...params, ...body, adminId: caller.id, ifMatchHeader: headers['if-match'] }
      const changed = await changeStatus(pool, change)
      if (changed.ok) return shown(changed.value)
      if (changed.error.code === 'admin-gone')
        throw invalidToken('The account of this access token is no admin’s any more.')
      return problem(changed.error.code)
    },
  ),
]
