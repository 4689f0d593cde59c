import { generateKeyPairSync } from 'node:crypto'
import jwt from 'jsonwebtoken'
import {
  ACCESS_TOKEN_SECONDS,
  bearerAuthentication,
  type Authenticate,
  type Caller,
} from '@shop/platform/authentication'
import { localKeys } from '@shop/platform/keys'

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const [kid, issuer, audience] = ['test-key', 'shop-users', 'shop']

/** Verification of tokens that this process signs, for services that only verify. */
export const authenticate: Authenticate = bearerAuthentication({
  keys: localKeys(new Map([[kid, publicKey]])),
  issuer,
  audience,
})

/** An Authorization header for anybody. */
export const bearer = ({ id, role }: Caller): string =>
  `Bearer ${jwt.sign({ role }, privateKey, { algorithm: 'RS256', keyid: kid, subject: id, issuer, audience, expiresIn: ACCESS_TOKEN_SECONDS })}`

/** The key set by which a process of its own verifies those tokens. */
export const keySet = { keys: [{ ...publicKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' }] }
