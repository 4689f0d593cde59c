import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import jwt from 'jsonwebtoken'
import { bearerAuthentication } from '@shop/platform/authentication'
import { ConfigError } from '@shop/platform/config'
import { localKeys } from '@shop/platform/keys'
import { makeLog } from '@shop/platform/logging'
import { accessTokens, signingKeys } from '../src/access-tokens'

const [issuer, audience] = ['shop-users', 'shop']
const ADA = { id: '01980000-0000-7000-8000-00000000b001', role: 'BUYER' }
const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const privatePem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const publicPem = publicKey.export({ type: 'spki', format: 'pem' }).toString()

const lines: string[] = []
const log = makeLog('users', 'info', { write: (line: string) => void lines.push(line) })
const keysOf = (options: { privatePem?: string; previousPublicPem?: string; production?: boolean }) =>
  signingKeys({ privatePem: undefined, production: false, log, ...options })
beforeEach(() => (lines.length = 0))

test('a production start without a key is refused, and says what is missing', () => {
  expect(() => keysOf({ production: true })).toThrow(ConfigError)
  expect(() => keysOf({ production: true })).toThrow(/JWT_PRIVATE_KEY.*openssl/)
})

test('elsewhere a key is made for the run, with a warning', () => {
  const [one, other] = [keysOf({}), keysOf({})]
  expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([{ level: 'warn' }, { level: 'warn' }])
  expect(one.privateKey.equals(other.privateKey)).toBe(false)
})

test.each([
  ['a PKCS #8 PEM', privatePem],
  ['a PKCS #1 PEM', privateKey.export({ type: 'pkcs1', format: 'pem' }).toString()],
  ['a PEM on one line', privatePem.replaceAll('\n', '\\n')],
])('%s is read, in production too', (_name, pem) => {
  expect(keysOf({ privatePem: pem, production: true }).privateKey.equals(privateKey)).toBe(true)
  expect(lines).toEqual([])
})

test.each([
  ['no PEM', 'change-me-please', /is not a readable PEM/],
  ['a public key', publicPem, /is not a readable PEM/],
  ['a short key', pemOf(generateKeyPairSync('rsa', { modulusLength: 1024 })), /fewer than 2048 bits/],
  ['a key of another kind', pemOf(generateKeyPairSync('ec', { namedCurve: 'P-256' })), /is not an RSA key/],
])('%s is refused by name, and not quoted', (_name, pem, reason) => {
  const attempt = () => keysOf({ privatePem: pem })
  expect(attempt).toThrow(ConfigError)
  expect(attempt).toThrow(reason)
  expect(attempt).toThrow(/JWT_PRIVATE_KEY/)
  const quoted = pem.split('\n')[1] ?? pem
  expect(attempt).not.toThrow(new RegExp(quoted.slice(0, 20).replace(/[+/]/g, '.')))
})

test('the key id is the RFC 7638 thumbprint: the same in every process, another for another key', () => {
  // The example of RFC 7638 §3.1.
  const n =
    '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw'
  const previousPublicKey = createPublicKey({ format: 'jwk', key: { kty: 'RSA', n, e: 'AQAB' } })
  const tokens = accessTokens({ privateKey, previousPublicKey, issuer, audience })
  expect([...tokens.publicKeys.keys()][1]).toBe('NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs')
  expect(accessTokens({ privateKey, issuer, audience }).keySet.keys[0]).toEqual(tokens.keySet.keys[0])
})

test('after a change of keys, tokens of the key before stay good and new ones are signed with the new key', async () => {
  const before = accessTokens({ privateKey, issuer, audience })
  const next = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const keys = keysOf({ privatePem: pemOf(next), previousPublicPem: publicPem })
  const after = accessTokens({ ...keys, issuer, audience })
  const verify = bearerAuthentication({ keys: localKeys(after.publicKeys), issuer, audience })
  expect(await verify(`Bearer ${before.issue(ADA)}`)).toEqual(ADA)
  expect(await verify(`Bearer ${after.issue(ADA)}`)).toEqual(ADA)
  expect(jwt.decode(after.issue(ADA), { complete: true })?.header.kid).toBe(after.keySet.keys[0]?.kid)
  expect(after.keySet.keys.map(({ kid }) => kid)).toContain(before.keySet.keys[0]?.kid)
  const alone = accessTokens({ privateKey: next.privateKey, issuer, audience })
  const strict = bearerAuthentication({ keys: localKeys(alone.publicKeys), issuer, audience })
  await expect(strict(`Bearer ${before.issue(ADA)}`)).rejects.toMatchObject({ reply: { problem: 'invalid-token' } })
})

function pemOf(pair: { privateKey: typeof privateKey }): string {
  return pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}
