import type { KeyObject } from 'node:crypto'
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

/** RFC 6750 §3.1. */
export const invalidToken = (detail?: string): ProblemError =>
  new ProblemError('invalid-token', {
    ...(detail !== undefined && { detail }),
    headers: { 'WWW-Authenticate': 'Bearer error="invalid_token"' },
  })

/** Verified tokens are kept until they expire or their key goes: checking a signature costs more than the rest of a small request. */
const KEPT_TOKENS = 10_000

type Verified = { caller: Caller; kid: string; key: KeyObject; expiresAtMs: number }

export function bearerAuthentication(options: { keys: KeySource; issuer: string; audience: string }): Authenticate {
  const kept = new Map<string, Verified>()
  return async (authorization) => {
    if (!authorization) return undefined // an empty header is none, to Nginx as well
    if (!options.keys.ready()) throw new ProblemError('keys-unavailable')
    const token = /^Bearer +([\w.~+/=-]+)$/i.exec(authorization)?.[1]
    if (!token) throw invalidToken()
    const known = kept.get(token)
    if (known && Date.now() < known.expiresAtMs && (await options.keys.find(known.kid)) === known.key)
      return known.caller
    kept.delete(token)
    const header = Header.safeParse(decodeHeader(token))
    if (!header.success) throw invalidToken()
    const { kid } = header.data
    const key = await findKey(options.keys, kid)
    const { caller, expiresAtMs } = verify(token, key, options)
    if (kept.size >= KEPT_TOKENS) kept.delete(kept.keys().next().value ?? '') // the one that came first
    kept.set(token, { caller, kid, key, expiresAtMs })
    return caller
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
  throw invalidToken()
}

function decodeHeader(token: string): unknown {
  try {
    return JSON.parse(Buffer.from(token.split('.', 1)[0] ?? '', 'base64url').toString())
  } catch {
    return undefined // not a token; the schema says so
  }
}

function verify(token: string, key: KeyObject, { issuer, audience }: { issuer: string; audience: string }) {
  const claims = Claims.safeParse(claimsOf(token, key, issuer, audience))
  if (!claims.success) throw invalidToken()
  const { sub, role, iat, exp } = claims.data
  if (iat > Date.now() / 1000 + CLOCK_TOLERANCE_SECONDS) throw invalidToken()
  return { caller: { id: sub, role }, expiresAtMs: Math.min(exp, iat + ACCESS_TOKEN_SECONDS) * 1000 }
}

function claimsOf(token: string, key: KeyObject, issuer: string, audience: string): unknown {
  try {
    return jwt.verify(token, key, {
      algorithms: ['RS256'],
      issuer,
      audience,
      maxAge: ACCESS_TOKEN_SECONDS,
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
    })
  } catch (error) {
    // JsonWebTokenError includes TokenExpiredError and NotBeforeError; a payload that is no JSON comes as it is.
    if (error instanceof jwt.JsonWebTokenError || error instanceof SyntaxError) throw invalidToken()
    throw error
  }
}
