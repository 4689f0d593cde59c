import type pg from 'pg'
import { ACCESS_TOKEN_SECONDS } from '@shop/platform/authentication'
import type { Logger } from '@shop/platform/logging'
import { err, ok, type Result } from '@shop/platform/result'
import type { AccessTokens } from './access-tokens'
import type { PrismaClient } from './accounts'
import { checkPassword, type FailureLimits, type RateLimited } from './failure-limits'
import type { Hashing } from './hashing'
import { rotate, startFamily } from './refresh-tokens'

export type GrantDeps = {
  pool: pg.Pool
  prisma: PrismaClient
  hashing: Hashing
  limits: FailureLimits
  tokens: AccessTokens
}

/** RFC 6749 §5.1. */
type Tokens = { access_token: string; token_type: 'Bearer'; expires_in: number; refresh_token: string }
export type Grant = Result<Tokens, { code: 'invalid-grant' } | RateLimited>

const tokenResponse = (tokens: AccessTokens, user: { id: string; role: string }, refreshToken: string): Tokens => ({
  access_token: tokens.issue(user),
  token_type: 'Bearer',
  expires_in: ACCESS_TOKEN_SECONDS,
  refresh_token: refreshToken,
})

/** RFC 6749 §4.3. An unknown user and a disabled one meet the same limits, work and answer as a wrong password. */
export async function passwordGrant(
  { pool, prisma, hashing, limits, tokens }: GrantDeps,
  { username, password, address }: { username: string; password: string; address: string },
): Promise<Grant> {
  const name = username.toLowerCase()
  const user = await prisma.user.findUnique({ where: { username: name } })
  const hash = user?.status === 'ACTIVE' ? user.passwordHash : undefined
  const checked = await checkPassword(hashing, limits.ofLogin(name, address), password, hash)
  if (!checked.ok) return checked
  if (!checked.value || !user) return err({ code: 'invalid-grant' })
  const refreshToken = await startFamily(pool, user)
  if (refreshToken === undefined) return err({ code: 'invalid-grant' })
  return ok(tokenResponse(tokens, user, refreshToken))
}

/** RFC 6749 §6, with rotation (RFC 9700 §4.14.2). */
export async function refreshGrant({ pool, tokens }: GrantDeps, token: string, log: Logger): Promise<Grant> {
  const rotated = await rotate(pool, token)
  if (rotated.ok) {
    const { userId, role, refreshToken } = rotated.value
    return ok(tokenResponse(tokens, { id: userId, role }, refreshToken))
  }
  if (rotated.error.code === 'token-reused') {
    const { userId, familyId } = rotated.error
    log.warn({ userId, familyId }, 'a used refresh token was presented again: its family is revoked')
  }
  return err({ code: 'invalid-grant' })
}
