import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomUUID,
  type KeyObject,
} from 'node:crypto'
import jwt from 'jsonwebtoken'
import { ACCESS_TOKEN_SECONDS } from '@shop/platform/authentication'
import { ConfigError } from '@shop/platform/config'
import type { Logger } from '@shop/platform/logging'

/** An RSA public key as a JWK (RFC 7517, RFC 7518 §6.3.1). */
export type PublicJwk = { kty: 'RSA'; n: string; e: string; use: 'sig'; alg: 'RS256'; kid: string }

export type AccessTokens = {
  /** Signs a token that lives `ACCESS_TOKEN_SECONDS`. */
  issue: (user: { id: string; role: string }) => string
  /** What verifiers need, by key id. */
  publicKeys: ReadonlyMap<string, KeyObject>
  keySet: { keys: PublicJwk[] }
}

/** Access tokens signed with `privateKey`; those signed before with the key of `previousPublicKey` stay good until they expire. */
export function accessTokens(options: {
  privateKey: KeyObject
  previousPublicKey?: KeyObject | undefined
  issuer: string
  audience: string
}): AccessTokens {
  const { privateKey, previousPublicKey, issuer, audience } = options
  const publicKey = createPublicKey(privateKey)
  const keyid = thumbprint(publicKey)
  const publicKeys = new Map(
    [publicKey, ...(previousPublicKey ? [previousPublicKey] : [])].map((key) => [thumbprint(key), key]),
  )
  return {
    issue: ({ id, role }) =>
      jwt.sign({ role }, privateKey, {
        algorithm: 'RS256',
        keyid,
        issuer,
        audience,
        subject: id,
        jwtid: randomUUID(),
        expiresIn: ACCESS_TOKEN_SECONDS,
      }),
    publicKeys,
    keySet: {
      keys: [...publicKeys].map(([kid, key]) => ({ kty: 'RSA', ...modulusOf(key), use: 'sig', alg: 'RS256', kid })),
    },
  }
}

const modulusOf = (key: KeyObject): { n: string; e: string } => {
  const { n = '', e = '' } = key.export({ format: 'jwk' })
  return { n, e }
}

/** RFC 7638: the same key has the same id in every process, and a new key a new one. */
function thumbprint(key: KeyObject): string {
  const { e, n } = modulusOf(key)
  return createHash('sha256')
    .update(JSON.stringify({ e, kty: 'RSA', n }))
    .digest('base64url')
}

/** The keys of the configuration. Without a private key a production start is refused; elsewhere one is made for this run. */
export function signingKeys(options: {
  privatePem: string | undefined
  previousPublicPem?: string | undefined
  production: boolean
  log: Logger
}): { privateKey: KeyObject; previousPublicKey: KeyObject | undefined } {
  const { privatePem, previousPublicPem, production, log } = options
  const previousPublicKey =
    previousPublicPem === undefined
      ? undefined
      : rsaKey('JWT_PREVIOUS_PUBLIC_KEY', () => createPublicKey(unescaped(previousPublicPem)))
  if (privatePem !== undefined)
    return { privateKey: rsaKey('JWT_PRIVATE_KEY', () => createPrivateKey(unescaped(privatePem))), previousPublicKey }
  if (production)
    throw new ConfigError(
      'configuration is not usable:\n  JWT_PRIVATE_KEY: a production start needs a key of its own; make one with: openssl genrsa 3072',
    )
  log.warn('no JWT_PRIVATE_KEY: access tokens are signed with a key of this run and end with it')
  return { privateKey: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey, previousPublicKey }
}

/** Env files hold a PEM on one line, with `\n` for its line ends. */
const unescaped = (pem: string): string => pem.replaceAll('\\n', '\n')

function rsaKey(name: string, read: () => KeyObject): KeyObject {
  const refuse = (reason: string) => new ConfigError(`configuration is not usable:\n  ${name}: ${reason}`)
  let key: KeyObject
  try {
    key = read()
  } catch {
    throw refuse('is not a readable PEM') // OpenSSL's own message could quote the key
  }
  if (key.asymmetricKeyType !== 'rsa') throw refuse('is not an RSA key')
  if ((key.asymmetricKeyDetails?.modulusLength ?? 0) < 2048) throw refuse('has fewer than 2048 bits')
  return key
}
