import type { z } from 'zod'
import { PLATFORM_PROBLEMS, problem, type ProblemBody, type Violation } from '@shop/platform/problems'
import { reply, routesOf, type RouteSpec } from '@shop/platform/routes'
import { passwordGrant, refreshGrant, type Grant, type GrantDeps } from './grants'
import { PROBLEMS, rateLimited } from './problems'
import { revoke } from './refresh-tokens'
import { OAuthError, RevocationRequest, TokenRequest, TokenResponse } from './schemas'

const route = routesOf<GrantDeps>()({ ...PLATFORM_PROBLEMS, ...PROBLEMS })

/** RFC 6749 §5.2 in place of problem+json. What is wrong with the request is 400 there, whatever it is elsewhere. */
const oauthErrors = {
  schema: OAuthError,
  statuses: [400, 408, 413, 415, 429, 500, 503],
  render: (refusal: ProblemBody) => {
    const status = refusal.status === 422 ? 400 : refusal.status
    const description = [refusal.detail, ...violationsOf(refusal)].join(' ')
    return { status, body: { error: errorOf(refusal), error_description: printable(description) } }
  },
} as const satisfies RouteSpec['errors']

function errorOf({ code, status }: ProblemBody): z.infer<typeof OAuthError>['error'] {
  if (code === 'invalid-grant') return 'invalid_grant'
  if (code === 'unsupported-grant-type') return 'unsupported_grant_type'
  if (status === 429) return 'slow_down'
  if (status === 503) return 'temporarily_unavailable'
  return status >= 500 ? 'server_error' : 'invalid_request'
}

const violationsOf = ({ errors = [] }: ProblemBody & { errors?: Violation[] }): string[] =>
  errors.map(({ path, message }) => `${path || 'the body'}: ${message}.`)

/** The characters that §5.2 allows in a description. */
const printable = (text: string): string => text.replaceAll('"', "'").replace(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, '?')

const missing = (...parameters: string[]) =>
  problem('validation-failed', {
    detail: 'A parameter of this grant is missing.',
    members: { errors: parameters.map((path) => ({ in: 'body', path, message: 'is missing' }) satisfies Violation) },
  })

/** The answer to a grant; `refused` says what may be wrong without saying what is. */
function answer(granted: Grant, refused: string) {
  if (granted.ok) return reply(200, granted.value, { Pragma: 'no-cache' })
  if (granted.error.code === 'invalid-grant') return problem('invalid-grant', { detail: refused })
  return rateLimited(granted.error)
}

export const tokenRoutes = [
  route(
    {
      method: 'post',
      path: '/users/token',
      operationId: 'issueToken',
      tag: 'users',
      summary: 'Log in, or refresh an access token',
      description:
        'The token endpoint of OAuth 2 (RFC 6749), for the grants `password` and `refresh_token`, by form or JSON. A refresh token ' +
        'is good for one use and replaced by the one in the answer; used twice, it ends its whole login. Failed logins are ' +
        'limited: 10 in 15 minutes for a username from one address, 100 for a username.',
      access: 'credentials',
      form: true,
      body: TokenRequest,
      responses: { 200: { description: 'Tokens.', body: TokenResponse } },
      problems: ['invalid-grant', 'unsupported-grant-type', 'rate-limited'],
      errors: oauthErrors,
    },
    async ({ body, address, log }, deps) => {
      const { grant_type, username, password, refresh_token } = body
      switch (grant_type || 'password') {
        case 'password':
          if (!username || !password)
            return missing(...(username ? [] : ['username']), ...(password ? [] : ['password']))
          return answer(
            await passwordGrant(deps, { username, password, address }),
            'The username is unknown or the password is wrong.',
          )
        case 'refresh_token':
          if (!refresh_token) return missing('refresh_token')
          return answer(
            await refreshGrant(deps, refresh_token, log),
            'The refresh token is unknown, expired, revoked or was used before.',
          )
        default:
          return problem('unsupported-grant-type')
      }
    },
  ),
  route(
    {
      method: 'post',
      path: '/users/token/revoke',
      operationId: 'revokeToken',
      tag: 'users',
      summary: 'Log out',
      description:
        'Revocation (RFC 7009) of a refresh token and of all that descend from the same login. Any other token is answered 200 ' +
        'as well; access tokens stay good until they expire.',
      access: 'credentials',
      form: true,
      body: RevocationRequest,
      responses: { 200: { description: 'The token, if there was such a one, is of no more use.' } },
      problems: [],
      errors: oauthErrors,
    },
    async ({ body }, { pool }) => {
      await revoke(pool, body.token)
      return reply(200)
    },
  ),
]
