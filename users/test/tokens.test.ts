import { createHmac, createPublicKey, generateKeyPairSync } from 'node:crypto'
import jwt from 'jsonwebtoken'
import { raceThroughGate, untilQueued } from '../../tests/support/gate'
import { dropExpiredRows } from '../src/expired-rows'
import {
  aPerson,
  kid,
  lockOf,
  publicKey,
  serve,
  settled,
  signed,
  tally,
  times,
  usersService,
  type UsersService,
} from './users-service'

let service: UsersService
beforeAll(async () => {
  service = await usersService()
})
afterAll(() => service.stop())

const token = (body: object, type: 'form' | 'json' = 'form') => service.api.post('/users/token').type(type).send(body)
const revoke = (body: object) => service.api.post('/users/token/revoke').type('form').send(body)
const me = (access: string) => service.api.get('/users/me').set('authorization', `Bearer ${access}`)
const tokensOf = async (userId: string) => {
  const { rowCount } = await service.database.owner.query('select 1 from users.refresh_tokens where user_id = $1', [
    userId,
  ])
  return rowCount
}

const INVALID_GRANT = { error: 'invalid_grant', error_description: expect.any(String) }

describe('logging in', () => {
  test.each(['form', 'json'] as const)('by %s gives tokens that RFC 6749 describes', async (type) => {
    const { username, password, id } = await service.member({ role: 'SELLER' })
    const answer = await token({ grant_type: 'password', username, password }, type).expect(200)
    expect(answer.headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
      pragma: 'no-cache',
    })
    expect(answer.body).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 900,
      refresh_token: expect.stringMatching(/^[\w-]{43}$/),
    })
    const { header, payload } = jwt.decode(answer.body.access_token as string, { complete: true }) ?? {}
    expect(header).toEqual({ alg: 'RS256', typ: 'JWT', kid })
    const now = Math.floor(Date.now() / 1000)
    expect(payload).toEqual({
      iss: 'shop-users',
      aud: 'shop',
      sub: id,
      role: 'SELLER',
      iat: expect.any(Number),
      exp: expect.any(Number),
      jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
    })
    const { iat = 0, exp = 0 } = payload as jwt.JwtPayload
    expect(Math.abs(iat - now)).toBeLessThan(30)
    expect(exp - iat).toBe(900)
    await me(answer.body.access_token as string).expect(200)
  })

  test('each token has an id of its own', async () => {
    const { username, password, access } = await service.member()
    const again = (await token({ username, password }).expect(200)).body.access_token as string
    const ids = [access, again].map((each) => (jwt.decode(each) as jwt.JwtPayload).jti)
    expect(new Set(ids).size).toBe(2)
  })

  test('the grant type may be left out or be empty, and what OAuth clients add is ignored', async () => {
    const { username, password } = await service.member()
    await token({ username, password }).expect(200)
    await token({ grant_type: '', username, password, scope: '', client_id: '', client_secret: '' }).expect(200)
    await token({ username, password, client_id: 'swagger', audience: 'x', whatever: 'y' }).expect(200)
    await token({ username, password, scope: 'a b', remember: true, nothing: null, nested: { a: 1 } }, 'json').expect(
      200,
    )
    const basic = `Basic ${Buffer.from('client:secret').toString('base64')}`
    for (const authorization of [basic, 'Basic Og==', 'Bearer stale'])
      await token({ grant_type: 'password', username, password }).set({ authorization }).expect(200)
  })

  test('a wrong password and an unknown user get the same answer', async () => {
    const { username } = await service.member()
    const wrong = await token({ username, password: 'wrong password' }).expect(400)
    const unknown = await token({ username: aPerson().username, password: 'wrong password' }).expect(400)
    expect(wrong.body).toEqual({
      error: 'invalid_grant',
      error_description: 'The username is unknown or the password is wrong.',
    })
    expect(unknown.body).toEqual(wrong.body)
    const headers = (from: Record<string, unknown>) => Object.keys(from).sort()
    expect(headers(unknown.headers)).toEqual(headers(wrong.headers))
    expect(wrong.headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
    })
    await token({ username: 'x'.repeat(256), password: 'y' }).expect(400, unknown.body)
  })

  test.each([
    ['nothing but the grant type', { grant_type: 'password' }, 'invalid_request', ['username', 'password']],
    ['no password', { username: 'a' }, 'invalid_request', ['password']],
    ['an empty username', { username: '', password: 'b' }, 'invalid_request', ['username']],
    ['no refresh token', { grant_type: 'refresh_token' }, 'invalid_request', ['refresh_token']],
    [
      'an empty refresh token',
      { grant_type: 'refresh_token', refresh_token: '' },
      'invalid_request',
      ['refresh_token'],
    ],
    ['a username twice', { username: ['a', 'b'], password: 'c' }, 'invalid_request', ['username']],
    [
      'a grant type twice',
      { grant_type: ['password', 'password'], username: 'a', password: 'c' },
      'invalid_request',
      ['grant_type'],
    ],
    ['an unknown parameter twice', { username: 'a', password: 'c', odd: ['1', '2'] }, 'invalid_request', ['odd']],
    ['a U+0000', { username: 'a\u0000', password: 'c' }, 'invalid_request', ['username']],
    ['a username of 257 characters', { username: 'a'.repeat(257), password: 'c' }, 'invalid_request', ['username']],
    ['another grant type', { grant_type: 'client_credentials' }, 'unsupported_grant_type', []],
    [
      'a grant type in upper case',
      { grant_type: 'PASSWORD', username: 'a', password: 'b' },
      'unsupported_grant_type',
      [],
    ],
  ])('with %s is 400', async (_name, body, error, named) => {
    const refused = await token(body).expect(400)
    expect(refused.headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
    })
    expect(refused.body).toEqual({
      error,
      error_description: expect.stringMatching(/^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/),
    })
    for (const parameter of named) expect(refused.body.error_description).toContain(`${parameter}: `)
  })

  test.each([
    ['JSON with a number for a name', '{"username":1,"password":"x"}', 'application/json', 400],
    ['malformed JSON', '{"username":', 'application/json', 400],
    ['no body', '', 'application/json', 400],
    ['an empty form', '', 'application/x-www-form-urlencoded', 400],
    ['another media type', '<a/>', 'text/xml', 415],
    ['more than 100 kB', `username=a&password=${'b'.repeat(100_000)}`, 'application/x-www-form-urlencoded', 413],
  ])('with %s is refused in the words of OAuth', async (_name, body, type, status) => {
    const refused = await service.api.post('/users/token').type(type).send(body)
    expect([refused.status, refused.type]).toEqual([status, 'application/json'])
    expect(refused.body).toEqual({ error: 'invalid_request', error_description: expect.any(String) })
  })

  test('credentials are not taken from the query', async () => {
    const { username, password } = await service.member()
    const refused = await service.api
      .post(`/users/token?username=${username}&password=${password}`)
      .type('form')
      .send({})
    expect([refused.status, refused.body.error]).toEqual([400, 'invalid_request'])
  })

  test('other methods are 405 and other spellings 404', async () => {
    expect((await service.api.get('/users/token').expect(405)).headers['allow']).toBe('POST')
    for (const path of ['/users/TOKEN', '/users/token/', '/Users/token']) await service.api.post(path).expect(404)
  })

  test('a database that is away is 503 in the words of OAuth', async () => {
    const away = serve('postgres://nobody@127.0.0.1:1/none')
    const bodies = [
      { username: 'a', password: 'b' },
      { grant_type: 'refresh_token', refresh_token: 'c' },
    ]
    for (const body of bodies) {
      const refused = await away.api.post('/users/token').type('form').send(body).expect(503)
      expect([refused.type, refused.body.error, refused.headers['retry-after']]).toEqual([
        'application/json',
        'temporarily_unavailable',
        '1',
      ])
    }
    const refused = await away.api.post('/users/token/revoke').type('form').send({ token: 'x' }).expect(503)
    expect(refused.body.error).toBe('temporarily_unavailable')
    await away.stop()
  })
})

describe('refreshing', () => {
  test('replaces the token, again and again, and each speaks for its user', async () => {
    const [ada, bob] = [await service.member(), await service.member()]
    const seen = [ada.refresh]
    for (let refresh = ada.refresh; seen.length < 4;) {
      const { body } = await service.refresh(refresh).expect(200)
      expect(body).toMatchObject({ token_type: 'Bearer', expires_in: 900 })
      expect((await me(body.access_token as string).expect(200)).body.id).toBe(ada.id)
      refresh = body.refresh_token as string
      seen.push(refresh)
    }
    expect(new Set(seen).size).toBe(4)
    expect((await service.refresh(bob.refresh).expect(200)).body.refresh_token).toEqual(expect.any(String))
  })

  test('a token is stored as a digest only', async () => {
    const { refresh } = await service.member()
    const { rows } = await service.database.owner.query('select t::text as row from users.refresh_tokens t')
    const stored = rows.map(({ row }) => row as string).join('\n')
    expect(stored).not.toContain(refresh)
    expect(stored).not.toContain(Buffer.from(refresh).toString('hex'))
    expect(stored).not.toContain(Buffer.from(refresh, 'base64url').toString('hex'))
  })

  test('carries the role that the user has now', async () => {
    const ada = await service.member()
    await service.database.owner.query(`update users.users set role = 'ADMIN' where id = $1`, [ada.id])
    const { body } = await service.refresh(ada.refresh).expect(200)
    expect(jwt.decode(body.access_token as string)).toMatchObject({ sub: ada.id, role: 'ADMIN' })
  })

  test('a used token presented again ends its family, and no other', async () => {
    const ada = await service.member()
    const elsewhere = (await service.login(ada.username, ada.password).expect(200)).body.refresh_token as string
    const bob = await service.member()
    const second = (await service.refresh(ada.refresh).expect(200)).body.refresh_token as string
    const third = (await service.refresh(second).expect(200)).body.refresh_token as string

    const reused = await service.refresh(ada.refresh).expect(400)
    expect(reused.body).toEqual(INVALID_GRANT)
    await service.refresh(third).expect(400)
    await service.refresh(second).expect(400)
    await service.refresh(elsewhere).expect(200)
    await service.refresh(bob.refresh).expect(200)
    const warning = service.logged
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .find((line) => line['userId'] === ada.id)
    expect(warning).toMatchObject({ level: 'warn', requestId: reused.headers['x-request-id'] })
  })

  test('of many who use one token at once exactly one gets a successor, which is revoked', async () => {
    const ada = await service.member()
    const users = times(8, () => async () => service.refresh(ada.refresh))
    const answers = await settled(await raceThroughGate(service.database.owner, lockOf(ada.id), users))
    expect(tally(answers)).toEqual({ '200': 1, '400 invalid_grant': 7 })
    const winner = answers.find(({ status }) => status === 200)
    await service.refresh(winner?.body.refresh_token as string).expect(400)
    expect(await tokensOf(ada.id)).toBe(0)
  })

  test('a successor that is being born while its family is revoked does not outlive it', async () => {
    for (const end of ['reuse', 'revocation', 'password'] as const) {
      const ada = await service.member()
      const second = (await service.refresh(ada.refresh).expect(200)).body.refresh_token as string
      const ending = {
        reuse: async () => service.refresh(ada.refresh),
        revocation: async () => revoke({ token: second }),
        password: async () =>
          service.api
            .put('/users/me/password')
            .set('authorization', ada.authorization)
            .send({ currentPassword: ada.password, newPassword: 'another password' }),
      }[end]
      const race = await raceThroughGate(service.database.owner, lockOf(ada.id), [
        async () => service.refresh(second),
        async () => {
          await untilQueued(service.database.owner, 1)
          return ending()
        },
      ])
      const [born] = await settled(race)
      expect([end, born?.status]).toEqual([end, 200])
      await service.refresh(born?.body.refresh_token as string).expect(400)
      expect([end, await tokensOf(ada.id)]).toEqual([end, 0])
    }
  })

  test.each([
    ['an unknown token', () => 'A'.repeat(43)],
    ['an access token', () => signed({ role: 'BUYER' }, { subject: '01980000-0000-7000-8000-00000000b001' })],
    ['garbage', () => '%00🦊'],
  ])('%s is an invalid grant', async (_name, make) => {
    const refused = await service.refresh(make()).expect(400)
    expect(refused.body).toEqual(INVALID_GRANT)
  })

  test('an expired token is of no use, and its family goes on', async () => {
    const ada = await service.member()
    await service.database.owner.query(
      `update users.refresh_tokens set expires_at = now() - interval '1 second' where user_id = $1`,
      [ada.id],
    )
    const other = (await service.login(ada.username, ada.password).expect(200)).body.refresh_token as string
    expect((await service.refresh(ada.refresh).expect(400)).body).toEqual(INVALID_GRANT)
    await service.refresh(other).expect(200)
  })

  test('a token lives 30 days from its birth', async () => {
    const ada = await service.member()
    await service.refresh(ada.refresh).expect(200)
    const { rows } = await service.database.owner.query(
      `select extract(day from expires_at - created_at)::int as days from users.refresh_tokens where user_id = $1`,
      [ada.id],
    )
    expect(rows).toEqual([{ days: 30 }, { days: 30 }])
  })
})

describe('revoking', () => {
  test('ends the login that the token descends from, and no other', async () => {
    const ada = await service.member()
    const elsewhere = (await service.login(ada.username, ada.password).expect(200)).body.refresh_token as string
    const second = (await service.refresh(ada.refresh).expect(200)).body.refresh_token as string
    const revoked = await revoke({ token: second, token_type_hint: 'refresh_token' }).expect(200)
    expect([revoked.text, revoked.headers['cache-control']]).toEqual(['', 'no-store'])
    await service.refresh(second).expect(400)
    await service.refresh(elsewhere).expect(200)
    await revoke({ token: second }).expect(200)
    await me(ada.access).expect(200) // until it expires
  })

  test('a used token ends its family, too', async () => {
    const ada = await service.member()
    const second = (await service.refresh(ada.refresh).expect(200)).body.refresh_token as string
    await revoke({ token: ada.refresh }).expect(200)
    await service.refresh(second).expect(400)
  })

  test('any other token is fine, by form or JSON, with whatever clients add', async () => {
    const ada = await service.member()
    await revoke({ token: 'unknown', client_id: 'x', token_type_hint: 'strange' }).expect(200)
    await revoke({ token: ada.access }).set('authorization', 'Basic eDp5').expect(200)
    await service.api.post('/users/token/revoke').send({ token: 'unknown' }).expect(200)
    await service.refresh(ada.refresh).expect(200)
  })

  test('without a token, or with two, is 400 invalid_request', async () => {
    for (const body of [{ token_type_hint: 'refresh_token' }, { token: '' }, { token: ['a', 'b'] }]) {
      const refused = await revoke(body).expect(400)
      expect(refused.body).toEqual({ error: 'invalid_request', error_description: expect.stringContaining('token: ') })
    }
  })
})

describe('the key set', () => {
  test('verifies what is issued, may be cached, and holds nothing private', async () => {
    const ada = await service.member()
    const { body, headers } = await service.api.get('/users/.well-known/jwks.json').expect(200)
    expect(body).toEqual({
      keys: [{ kty: 'RSA', n: expect.any(String), e: 'AQAB', use: 'sig', alg: 'RS256', kid }],
    })
    const key = createPublicKey({ format: 'jwk', key: body.keys[0] })
    expect(jwt.verify(ada.access, key, { algorithms: ['RS256'] })).toMatchObject({ sub: ada.id })
    expect(headers).toMatchObject({ 'cache-control': 'no-cache', vary: 'Authorization' })
    const etag = headers['etag'] ?? ''
    await service.api.get('/users/.well-known/jwks.json').set('if-none-match', etag).expect(304)
  })

  const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const subject = '01980000-0000-7000-8000-00000000dead'
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
  const hmac = (text: string) => createHmac('sha256', pem).update(text).digest('base64url')
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = { role: 'BUYER', sub: subject, iss: 'shop-users', aud: 'shop', iat: 1, exp: 9999999999 }
  const confused = `${part({ alg: 'HS256', kid })}.${part(claims)}`
  test.each([
    [
      'signed by another key under the same id',
      jwt.sign({ role: 'ADMIN' }, stranger.privateKey, {
        algorithm: 'RS256',
        keyid: kid ?? '',
        subject,
        issuer: 'shop-users',
        audience: 'shop',
        expiresIn: 900,
      }),
    ],
    [
      'that brings its own key',
      jwt.sign({ role: 'ADMIN' }, stranger.privateKey, {
        algorithm: 'RS256',
        subject,
        issuer: 'shop-users',
        audience: 'shop',
        expiresIn: 900,
        header: {
          alg: 'RS256',
          kid: 'own',
          jwk: stranger.publicKey.export({ format: 'jwk' }),
        } as unknown as jwt.JwtHeader,
      }),
    ],
    ['signed with the public key as a secret', `${confused}.${hmac(confused)}`],
    ['without signature', `${part({ alg: 'none', kid })}.${part(claims)}.`],
    ['that has expired', signed({ role: 'BUYER' }, { subject, expiresIn: -10 })],
    ['of another issuer', signed({ role: 'BUYER' }, { subject, issuer: 'else' })],
    ['for another audience', signed({ role: 'BUYER' }, { subject, audience: 'else' })],
    ['whose role is no string', signed({ role: { admin: true } }, { subject })],
    ['without subject', signed({ role: 'BUYER' })],
    ['issued in the future', signed({ role: 'BUYER', iat: Math.floor(Date.now() / 1000) + 3600 }, { subject })],
  ])('a token %s is 401', async (_name, forged) => {
    const refused = await me(forged).expect(401)
    expect([refused.body.code, refused.headers['www-authenticate']]).toEqual([
      'invalid-token',
      'Bearer error="invalid_token"',
    ])
  })

  test('bearer may be spelt in lower case, and a refresh token is no access token', async () => {
    const ada = await service.member()
    await service.api.get('/users/me').set('authorization', `bearer ${ada.access}`).expect(200)
    await me(ada.refresh).expect(401)
  })
})

test('expired rows are swept, and what is live stays', async () => {
  const [ada, bob] = [await service.member(), await service.member()]
  await service.login(bob.username, 'wrong password').expect(400)
  await service.database.owner.query('update users.refresh_tokens set expires_at = now() where user_id = $1', [ada.id])
  await service.database.owner.query(
    `insert into users.login_failures (key, points, expire) values ('old', 3, $1), ('young', 3, $2)`,
    [Date.now() - 1, Date.now() + 60_000],
  )
  await dropExpiredRows(service.pool)
  expect([await tokensOf(ada.id), await tokensOf(bob.id)]).toEqual([0, 1])
  const { rows } = await service.database.owner.query(
    `select key from users.login_failures where key in ('old', 'young')`,
  )
  expect(rows).toEqual([{ key: 'young' }])
  await service.refresh(bob.refresh).expect(200)
})
