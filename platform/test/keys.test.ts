import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import jwt from 'jsonwebtoken'
import { bearerAuthentication } from '@shop/platform/authentication'
import { KeysUnavailable, remoteKeys } from '@shop/platform/keys'
import { makeLog } from '@shop/platform/logging'
import { ProblemError } from '@shop/platform/problems'

const anIssuerKey = (kid: string) => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  return { kid, privateKey, publicKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' } }
}
const [FIRST, SECOND] = [anIssuerKey('first'), anIssuerKey('second')]
const CALLER = { id: randomUUID(), role: 'BUYER' }
const [issuer, audience] = ['shop-users', 'shop']
const bearer = ({ kid, privateKey }: typeof FIRST) =>
  `Bearer ${jwt.sign({ role: CALLER.role }, privateKey, { algorithm: 'RS256', keyid: kid, subject: CALLER.id, issuer, audience, expiresIn: 900 })}`

type Answer = (request: IncomingMessage, response: ServerResponse) => void
const keySet =
  (...keys: object[]): Answer =>
  (_request, response) =>
    response.end(JSON.stringify({ keys }))
const away: Answer = (request) => request.socket.destroy()

/** An issuer that can be sent away, and counts how often it was asked. */
let issuing: Server
let url: string
let answer: Answer
let asked: number
let paths: (string | undefined)[]
let onAsked: (() => void)[]
let lines: string[]
let keys: ReturnType<typeof remoteKeys>
let authenticate: ReturnType<typeof bearerAuthentication>

beforeEach(async () => {
  // Only the clock by which the fetches are spaced.
  jest.useFakeTimers({
    doNotFake: [
      ...(['Date', 'hrtime', 'nextTick', 'queueMicrotask'] as const),
      ...(['setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval', 'clearImmediate'] as const),
    ],
  })
  asked = 0
  paths = []
  onAsked = []
  lines = []
  issuing = createServer((request, response) => {
    asked++
    paths.push(request.url)
    answer(request, response)
    for (const notice of onAsked) notice()
  }).listen(0, '127.0.0.1')
  await once(issuing, 'listening')
  url = `http://127.0.0.1:${(issuing.address() as AddressInfo).port}/keys`
})
afterEach(async () => {
  keys.stop()
  jest.useRealTimers()
  issuing.close()
  issuing.closeAllConnections()
  await once(issuing, 'close')
})

const log = makeLog('test', 'info', { write: (line: string) => void lines.push(line) })
const fetchFrom = (first: Answer) => {
  answer = first
  keys = remoteKeys({ url, log })
  authenticate = bearerAuthentication({ keys, issuer, audience })
}
const askedTimes = (count: number) =>
  new Promise<void>((resolve) => {
    const check = () => void (asked >= count && resolve())
    onAsked.push(check)
    check()
  })
/** Waits for what the source tells nobody: that it has a set. */
const loaded = async () => {
  while (!keys.ready()) await new Promise((resolve) => setImmediate(resolve))
}
const refusal = async (authorization: string) => {
  try {
    return await authenticate(authorization)
  } catch (error) {
    if (error instanceof ProblemError) return error.reply.problem
    throw error
  }
}
const pass = (ms: number) => jest.advanceTimersByTime(ms)

test('a token of a key in the set speaks for its caller', async () => {
  fetchFrom(keySet(FIRST.jwk))
  await loaded()
  expect(await authenticate(bearer(FIRST))).toEqual(CALLER)
  expect(await authenticate(undefined)).toBeUndefined()
  expect(asked).toBe(1)
})

describe('before there is a set', () => {
  test('no token is called good or bad, and the set is asked for until it is there', async () => {
    fetchFrom(away)
    await askedTimes(2)
    expect(keys.ready()).toBe(false)
    for (const authorization of [bearer(FIRST), bearer(SECOND), 'Bearer abc', 'Bearer a.b.c', 'Basic abc'])
      expect([authorization, await refusal(authorization)]).toEqual([authorization, 'keys-unavailable'])
    expect(() => keys.find('first')).toThrow(KeysUnavailable)
    expect(await authenticate(undefined)).toBeUndefined()
    answer = keySet(FIRST.jwk)
    await loaded()
    expect(await authenticate(bearer(FIRST))).toEqual(CALLER)
    expect(lines.some((line) => line.includes('no key set yet'))).toBe(true)
  })

  test.each<[string, Answer]>([
    ['an error', (_request, response) => response.writeHead(503).end('{"keys":[]}')],
    ['no JSON', (_request, response) => response.end('<html>')],
    ['another document', (_request, response) => response.end('{"kids":[]}')],
    [
      'no usable key',
      keySet({ ...FIRST.jwk, use: 'enc' }, { ...FIRST.jwk, alg: 'RS512' }, { kty: 'oct', kid: 'first', k: 'c2VjcmV0' }),
    ],
  ])('%s is no set', async (_name, bad) => {
    fetchFrom(bad)
    await askedTimes(2)
    expect(keys.ready()).toBe(false)
    answer = keySet(FIRST.jwk)
    await loaded()
    expect(await authenticate(bearer(FIRST))).toEqual(CALLER)
  })

  test('an issuer that never answers is given up and asked again', async () => {
    fetchFrom(() => undefined)
    await askedTimes(2)
    expect(keys.ready()).toBe(false)
  })

  test('stopped, it asks no more', async () => {
    fetchFrom(away)
    await askedTimes(1)
    keys.stop()
    // The failure is logged at the moment at which the next attempt would have been planned, half a second ahead.
    while (lines.length === 0) await new Promise((resolve) => setImmediate(resolve))
    const atOtherPath = url.replace('/keys', '/other')
    const later = remoteKeys({ url: atOtherPath, log })
    await askedTimes(3)
    later.stop()
    expect(paths).toEqual(['/keys', '/other', '/other'])
  })
})

test('a key that cannot be used does not spoil the others', async () => {
  fetchFrom(
    keySet(
      { kty: 'RSA', kid: 'broken', n: 7 },
      { kty: 'RSA', e: 'AQAB' },
      { kty: 'EC', crv: 'P-256' },
      null as never,
      FIRST.jwk,
    ),
  )
  await loaded()
  expect(await authenticate(bearer(FIRST))).toEqual(CALLER)
  expect(await refusal(bearer({ ...SECOND, kid: 'broken' }))).toBe('invalid-token')
})

test('a token that names a key and was signed with another is invalid', async () => {
  fetchFrom(keySet(FIRST.jwk, SECOND.jwk))
  await loaded()
  expect(await refusal(bearer({ ...SECOND, kid: 'first' }))).toBe('invalid-token')
})

describe('an unknown key', () => {
  beforeEach(async () => {
    fetchFrom(keySet(FIRST.jwk))
    await loaded()
    answer = keySet(SECOND.jwk)
  })

  test('makes the set be fetched again, but not within 10 s of the last time', async () => {
    pass(9_999)
    expect(await refusal(bearer(SECOND))).toBe('invalid-token')
    expect(asked).toBe(1)
    pass(1)
    expect(await authenticate(bearer(SECOND))).toEqual(CALLER)
    expect(asked).toBe(2)
    expect(await refusal(bearer(FIRST))).toBe('invalid-token') // the issuer has dropped it
    expect(asked).toBe(2)
  })

  test('asked for by many at once is fetched once, and all of them wait for it', async () => {
    pass(10_000)
    const callers = await Promise.all(Array.from({ length: 20 }, () => authenticate(bearer(SECOND))))
    expect(callers).toEqual(Array.from({ length: 20 }, () => CALLER))
    expect(asked).toBe(2)
  })

  test.each<[string, Answer]>([
    ['away', away],
    ['answering errors', (_request, response) => response.writeHead(500).end()],
    ['answering an empty set', keySet()],
  ])('with the issuer %s leaves the last good set in use', async (_name, bad) => {
    answer = bad
    pass(10_000)
    expect(await refusal(bearer(SECOND))).toBe('invalid-token')
    expect(asked).toBe(2)
    expect(keys.ready()).toBe(true)
    expect(await authenticate(bearer(FIRST))).toEqual(CALLER)
    expect(await refusal(bearer(SECOND))).toBe('invalid-token')
    expect(asked).toBe(2)
    expect(lines.filter((line) => line.includes('not refreshed'))).toHaveLength(1)
  })
})
