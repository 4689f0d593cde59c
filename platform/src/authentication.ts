import jwt from 'jsonwebtoken'
import { z } from 'zod'
import { KeysUnavailable, type KeySource } from './keys'
import { ProblemError } from './problems'

/** Who a verified token speaks for. */
export type Caller = { id: string; role: string }

/** Access tokens live 900 s; `exp` says so in each and no verifier accepts more. */
export const ACCESS_TOKEN_SECONDS = 900
const CLOCK_TOLERANCE_SECONDS = 5

const Header = z.looseObject({ alg: z.literal('RS256'), kid: z.string().min(1).max(200) })
// jsonwebtoken accepts tokens without exp, with iat in the future and with claims of any shape.
const Claims = z.looseObject({ sub: z.uuid(), role: z.string().min(1).max(40), iat: z.int(), exp: z.int() })

/** Answers the caller for an Authorization header, undefined without one; raises `invalid-token` or `keys-unavailable`. */
export type Authenticate = (authorization: string | undefined) => Promise<Caller | undefined>

const invalid = () =>
  new ProblemError('invalid-token', { headers: { 'WWW-Authenticate': 'Bearer error="invalid_token"' } })

export function bearerAuthentication(options: { keys: KeySource; issuer: string; audience: string }): Authenticate {
  return async (authorization) => {
    if (authorization === undefined) return undefined
    const token = /^Bearer +([\w.~+/=-]+)$/i.exec(authorization)?.[1]
    if (!token) throw invalid()
    const header = Header.safeParse(decodeHeader(token))
    if (!options.keys.ready()) throw new ProblemError('keys-unavailable')
    if (!header.success) throw invalid()
    return callerOf(token, await findKey(options.keys, header.data.kid), options)
  }
}

async function findKey(keys: KeySource, kid: string) {
  try {
    const key = await keys.find(kid)
    if (key) return key
  } catch (error) {
    if (error instanceof KeysUnavailable) throw new ProblemError('keys-unavailable')
    throw error
  }
  throw invalid()
}

function decodeHeader(token: string): unknown {
  try {
    return JSON.parse(Buffer.from(token.split('.', 1)[0] ?? '', 'base64url').toString())
  } catch {
    return undefined // not a token; the schema says so
  }
}

function callerOf(token: string, key: jwt.Secret, { issuer, audience }: { issuer: string; audience: string }): Caller {
  const claims = Claims.safeParse(verified(token, key, issuer, audience))
  if (!claims.success) throw invalid()
  const { sub, role, iat } = claims.data
  if (iat > Date.now() / 1000 + CLOCK_TOLERANCE_SECONDS) throw invalid()
  return { id: sub, role }
}

function verified(token: string, key: jwt.Secret, issuer: string, audience: string): unknown {
  try {
    return jwt.verify(token, key, {
      algorithms: ['RS256'],
      issuer,
      audience,
      maxAge: ACCESS_TOKEN_SECONDS,
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
    })
  } catch (error) {
    if (error instanceof jwt.JsonWebTokenError) throw invalid() // includes TokenExpiredError and NotBeforeError
    throw error
  }
}
