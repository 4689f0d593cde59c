import { createPublicKey, generateKeyPairSync, randomUUID, type KeyObject } from 'node:crypto'
import jwt from 'jsonwebtoken'
import { ACCESS_TOKEN_SECONDS, bearerAuthentication } from '@shop/platform/authentication'
import { localKeys } from '@shop/platform/keys'
import { ProblemError } from '@shop/platform/problems'

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const CALLER = { id: randomUUID(), role: 'BUYER' }
const [issuer, audience] = ['shop-users', 'shop']
const sign = (claims: object = {}, options: jwt.SignOptions = {}) =>
  jwt.sign({ role: CALLER.role, ...claims }, privateKey, {
    algorithm: 'RS256',
    keyid: 'first',
    subject: CALLER.id,
    issuer,
    audience,
    expiresIn: ACCESS_TOKEN_SECONDS,
    ...options,
  })

const keys = new Map<string, KeyObject>()
beforeEach(() => void keys.clear())
beforeEach(() => void keys.set('first', publicKey))
afterEach(() => jest.useRealTimers())

const authenticate = bearerAuthentication({ keys: localKeys(keys), issuer, audience })
const refusal = async (authorization: string) => {
  try {
    return await authenticate(authorization)
  } catch (error) {
    if (error instanceof ProblemError) return error.reply.problem
    throw error
  }
}

const part = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
const good = { alg: 'RS256', kid: 'first', typ: 'JWT' }
const [signedHeader, signedPayload, signature] = sign().split('.')

test.each([
  ['with a payload that is no JSON', `${part(good)}.${part('{no json')}.${signature}`],
  ['with an empty payload', `${part(good)}..${signature}`],
  ['with null for a payload', `${part(good)}.${part(null)}.${signature}`],
  ['with a number for a header', `${part(7)}.${signedPayload}.${signature}`],
  ['with a header that lists its algorithm', `${part({ ...good, alg: ['RS256'] })}.${signedPayload}.${signature}`],
  ['with another algorithm', `${part({ ...good, alg: 'PS256' })}.${signedPayload}.${signature}`],
  ['without a key id', `${part({ alg: 'RS256' })}.${signedPayload}.${signature}`],
  ['with a key id of another type', `${part({ ...good, kid: { first: 1 } })}.${signedPayload}.${signature}`],
  ['with __proto__ as key id', `${part({ ...good, kid: '__proto__' })}.${signedPayload}.${signature}`],
  ['with a changed payload', `${signedHeader}.${part({ sub: CALLER.id, role: 'SELLER' })}.${signature}`],
  ['without a signature', `${signedHeader}.${signedPayload}.`],
  ['of two parts', `${signedHeader}.${signedPayload}`],
  ['of four parts', `${signedHeader}.${signedPayload}.${signature}.x`],
  ['that is long', 'a'.repeat(10_000)],
])('a token %s is invalid and no fault', async (_name, token) => {
  expect(await refusal(`Bearer ${token}`)).toBe('invalid-token')
})

test.each(['Bearer', 'Bearer ', 'Basic dXNlcjpwYXNz', 'Bearer a b', 'Bearer a,b', 'Token abc'])(
  'Authorization: %p is invalid',
  async (authorization) => expect(await refusal(authorization)).toBe('invalid-token'),
)

test('the scheme is read in any case (RFC 9110 §11.1)', async () => {
  expect(await authenticate(`bEARER ${sign()}`)).toEqual(CALLER)
})

describe('a token that has been verified before', () => {
  // Only the time of day: keys are at hand.
  const at = (time: number) => jest.useFakeTimers({ now: time, doNotFake: ['nextTick', 'queueMicrotask'] })

  test('is invalid once it has expired', async () => {
    const now = Date.now()
    at(now)
    const token = `Bearer ${sign()}`
    expect(await authenticate(token)).toEqual(CALLER)
    at(now + (ACCESS_TOKEN_SECONDS - 1) * 1000)
    expect(await authenticate(token)).toEqual(CALLER)
    at(now + (ACCESS_TOKEN_SECONDS + 6) * 1000)
    expect(await refusal(token)).toBe('invalid-token')
  })

  test('is invalid 900 s after it was issued, whatever it says itself', async () => {
    const now = Date.now()
    at(now)
    const token = `Bearer ${sign({}, { expiresIn: 5_000 })}`
    expect(await authenticate(token)).toEqual(CALLER)
    at(now + (ACCESS_TOKEN_SECONDS + 6) * 1000)
    expect(await refusal(token)).toBe('invalid-token')
  })

  test('is invalid once its key is no longer in the set, or is another one', async () => {
    const token = `Bearer ${sign()}`
    expect(await authenticate(token)).toEqual(CALLER)
    keys.delete('first')
    expect(await refusal(token)).toBe('invalid-token')
    keys.set('first', generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey)
    expect(await refusal(token)).toBe('invalid-token')
    keys.set('first', createPublicKey(privateKey)) // the same key, as another fetch brings it
    expect(await authenticate(token)).toEqual(CALLER)
  })
})
