import bcrypt from 'bcrypt'
import { raceThroughGate, untilQueued } from '../../tests/support/gate'
import { makeHashing } from '../src/hashing'
import { aPerson, lockOf, settled, tally, times, usersService, type Member, type UsersService } from './users-service'

let service: UsersService
beforeAll(async () => {
  service = await usersService()
})
afterAll(() => service.stop())
afterEach(() => jest.restoreAllMocks())

const change = (who: Pick<Member, 'authorization'>, currentPassword: string, newPassword: string) =>
  service.api.put('/users/me/password').set('authorization', who.authorization).send({ currentPassword, newPassword })
/** Lets everything run that doesn't wait for the world outside. */
const settling = () => new Promise(setImmediate)
const failuresIn = async (prefix: string) => {
  const { rows } = await service.database.owner.query(
    `select coalesce(sum(points), 0)::int as points from users.login_failures where starts_with(key, $1)`,
    [prefix],
  )
  return rows[0].points as number
}

describe('changing the password', () => {
  test('lets the new one in and the old one out, and ends every login but no other user’s', async () => {
    const [ada, bob] = [await service.member(), await service.member()]
    const elsewhere = (await service.login(ada.username, ada.password).expect(200)).body.refresh_token as string
    const changed = await change(ada, ada.password, 'new and better').expect(204)
    expect([changed.text, changed.headers['cache-control']]).toEqual(['', 'no-store'])
    await service.login(ada.username, ada.password).expect(400)
    const { body } = await service.login(ada.username, 'new and better').expect(200)
    for (const token of [ada.refresh, elsewhere]) await service.refresh(token).expect(400)
    await service.refresh(body.refresh_token as string).expect(200)
    await service.refresh(bob.refresh).expect(200)
    const profile = await service.api.get('/users/me').set('authorization', ada.authorization).expect(200)
    expect(profile.headers['etag']).toBe('"1"') // the profile has not changed
  })

  test('needs the current one, and changes nothing without', async () => {
    const ada = await service.member()
    const refused = await change(ada, 'not the password', 'new and better').expect(422)
    expect(refused.body).toEqual({
      type: '/problems/wrong-password',
      title: 'Wrong password',
      status: 422,
      detail: expect.any(String),
      instance: '/users/me/password',
      code: 'wrong-password',
      requestId: refused.headers['x-request-id'],
    })
    await service.login(ada.username, ada.password).expect(200)
    await service.refresh(ada.refresh).expect(200)
  })

  test.each([
    ['7 characters', { newPassword: '1234567' }, ['newPassword']],
    ['73 bytes', { newPassword: `${'é'.repeat(36)}x` }, ['newPassword']],
    ['nothing', { newPassword: undefined }, ['newPassword']],
    ['no current one', { currentPassword: undefined }, ['currentPassword']],
    ['a field of somebody else', { userId: 'x' }, ['userId']],
  ])('to %s is 422', async (_name, over, paths) => {
    const ada = await service.member()
    const body = { currentPassword: ada.password, newPassword: 'new and better', ...over }
    const request = service.api.put('/users/me/password').set('authorization', ada.authorization)
    const refused = await request.send(body).expect(422)
    expect(refused.body.code).toBe('validation-failed')
    expect((refused.body.errors as { path: string }[]).map(({ path }) => path)).toEqual(paths)
    await service.login(ada.username, ada.password).expect(200)
  })

  test('cannot be used to guess: ten wrong ones, then 429 for the right one, and logging in goes on', async () => {
    const [ada, bob] = [await service.member(), await service.member()]
    for (let n = 0; n < 10; n++) await change(ada, `guess ${n}`, 'new and better').expect(422)
    const limited = await change(ada, ada.password, 'new and better').expect(429)
    expect(limited.body.code).toBe('rate-limited')
    expect(Number(limited.headers['retry-after'])).toBeGreaterThan(800)
    await service.login(ada.username, ada.password).expect(200)
    await change(bob, bob.password, 'new and better').expect(204)
  })

  test('a success is not counted', async () => {
    const ada = await service.member()
    let [now, next] = [ada.password, 'the other password']
    for (let n = 0; n < 12; n++) {
      await change(ada, now, next).expect(204)
      ;[now, next] = [next, now]
    }
    await service.login(ada.username, now).expect(200)
  })

  test('of several changes at once exactly one is made', async () => {
    const ada = await service.member()
    const changes = times(4, (n) => async () => change(ada, ada.password, `new password ${n}`))
    const answers = await settled(await raceThroughGate(service.database.owner, lockOf(ada.id), changes))
    expect(tally(answers)).toEqual({ '204': 1, '422 wrong-password': 3 })
    const winner = answers.findIndex(({ status }) => status === 204)
    await service.login(ada.username, `new password ${winner}`).expect(200)
  })

  test('a login with the old password that is under way meanwhile comes to nothing', async () => {
    const ada = await service.member()
    const race = await raceThroughGate<{ status: number; body: object }>(service.database.owner, lockOf(ada.id), [
      async () => change(ada, ada.password, 'new and better'),
      async () => {
        await untilQueued(service.database.owner, 1)
        return service.login(ada.username, ada.password)
      },
    ])
    expect(tally(await settled(race))).toEqual({ '204': 1, '400 invalid_grant': 1 })
    const { rowCount } = await service.database.owner.query('select 1 from users.refresh_tokens where user_id = $1', [
      ada.id,
    ])
    expect(rowCount).toBe(0)
  })
})

describe('failed logins', () => {
  test('ten of a name from an address are followed by 429, there and nowhere else', async () => {
    const [ada, bob] = [await service.member(), await service.member()]
    for (let n = 0; n < 10; n++) {
      const name = n % 2 ? ada.username : ada.username.toUpperCase()
      await service.login(name, `guess ${n}`, '198.51.100.1').expect(400)
    }
    const limited = await service.login(ada.username, ada.password, '198.51.100.1').expect(429)
    expect([limited.type, limited.headers['cache-control']]).toEqual(['application/json', 'no-store'])
    expect(limited.body).toEqual({ error: 'slow_down', error_description: 'Too many wrong passwords.' })
    expect(Number(limited.headers['retry-after'])).toBeGreaterThan(800)
    expect(Number(limited.headers['retry-after'])).toBeLessThanOrEqual(900)
    await service.login(ada.username, ada.password, '198.51.100.2').expect(200)
    await service.login(bob.username, bob.password, '198.51.100.1').expect(200)
    await service.refresh(ada.refresh).expect(200)
  })

  test('of nobody are treated the same', async () => {
    const { username } = aPerson()
    for (let n = 0; n < 10; n++) await service.login(username, 'guess').expect(400)
    const limited = await service.login(username, 'guess').expect(429)
    expect(limited.body.error).toBe('slow_down')
  })

  test('that are refused with 429 don’t count against the name: a stranger locks nobody out', async () => {
    const ada = await service.member()
    for (let n = 0; n < 120; n++) await service.login(ada.username, 'guess', '198.51.100.3')
    await service.login(ada.username, 'guess', '198.51.100.3').expect(429)
    await service.login(ada.username, ada.password, '198.51.100.4').expect(200)
  })

  test('a hundred of a name from anywhere are followed by 429 everywhere', async () => {
    const [ada, bob] = [await service.member(), await service.member()]
    for (let n = 0; n < 100; n++) await service.login(ada.username, 'guess', `203.0.113.${n % 20}`).expect(400)
    await service.login(ada.username, ada.password, '203.0.113.99').expect(429)
    await service.login(bob.username, bob.password, '203.0.113.99').expect(200)
    // What the name's limit refused is not held against the address.
    const points = await failuresIn('address')
    await service.login(ada.username, ada.password, '203.0.113.98').expect(429)
    expect(await failuresIn('address')).toBe(points)
  })

  test('at once are no more than one after the other', async () => {
    const ada = await service.member()
    const counted = async () => [await failuresIn('address'), await failuresIn('username')] as const
    const before = await counted()
    const guesses = await Promise.all(times(30, (n) => service.login(ada.username, `guess ${n}`, '198.51.100.5')))
    expect(tally(guesses)).toEqual({ '400 invalid_grant': 10, '429 slow_down': 20 })
    // What was refused without being tried is on no counter, or the name's own limit would be eaten up by it.
    expect(await counted()).toEqual(before.map((points) => points + 10))
    await service.login(ada.username, ada.password, '198.51.100.5').expect(429)
    await service.login(ada.username, ada.password, '198.51.100.6').expect(200)
  })

  test('are all that is counted: thirty logins at once succeed, before and after nine failures', async () => {
    const ada = await service.member()
    const address = '198.51.100.7'
    const logins = () => Promise.all(times(30, () => service.login(ada.username, ada.password, address)))
    expect(tally(await logins())).toEqual({ '200': 30 })
    for (let n = 0; n < 9; n++) await service.login(ada.username, 'guess', address).expect(400)
    for (let n = 0; n < 5; n++) await service.login(ada.username, ada.password, address).expect(200)
    await service.login(ada.username, 'guess', address).expect(400)
    await service.login(ada.username, ada.password, address).expect(429)
  })

  test('are forgotten when their quarter of an hour is over', async () => {
    const ada = await service.member()
    for (let n = 0; n < 10; n++) await service.login(ada.username, 'guess', '198.51.100.8').expect(400)
    await service.login(ada.username, ada.password, '198.51.100.8').expect(429)
    await service.database.owner.query('update users.login_failures set expire = $1', [Date.now() - 1])
    await service.login(ada.username, ada.password, '198.51.100.8').expect(200)
    for (let n = 0; n < 10; n++) await service.login(ada.username, 'guess', '198.51.100.8').expect(400)
    await service.login(ada.username, ada.password, '198.51.100.8').expect(429)
  })

  test('are stored under digests of one length', async () => {
    await service.login('my secret typed in the wrong field', 'x').expect(400)
    await service.login('ü'.repeat(256), 'x', '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff').expect(400)
    const { rows } = await service.database.owner.query('select key from users.login_failures')
    expect(
      new Set(rows.map(({ key }) => (key as string).replace(/^(address|username|account):[\w-]{43}$/, 'digest'))),
    ).toEqual(new Set(['digest']))
  })
})

describe('hashing', () => {
  test('an unknown user, a wrong password and one of more than 72 bytes cost the same work', async () => {
    const long = 'a'.repeat(72)
    const ada = await service.member({ password: long })
    const compare = jest.spyOn(bcrypt, 'compare')
    const attempts = [
      [ada.username, 'wrong password'],
      [aPerson().username, 'wrong password'],
      [ada.username, `${long}tail`],
      [aPerson().username, `${long}tail`],
      [ada.username, 'é'.repeat(5000)],
    ] as const
    for (const [username, password] of attempts) {
      compare.mockClear()
      const refused = await service.login(username, password).expect(400)
      expect(refused.body.error).toBe('invalid_grant')
      const work = compare.mock.calls.map(([given, hash]) => [given, bcrypt.getRounds(hash)])
      expect(work).toEqual([[password, 4]])
    }
    await service.login(ada.username, long).expect(200)
  })

  test('a flood of logins leaves the other routes answering, and what cannot wait is 503', async () => {
    const slow = await usersService({ cost: 10 })
    const ada = await slow.member()
    let answered = 0
    const flood = times(60, async () => {
      const answer = await slow.login(aPerson().username, 'guess')
      answered++
      return answer
    })
    const meanwhile: { status: number; stillWaiting: number }[] = []
    const reading = (async () => {
      while (answered < 60) {
        const { status } = await slow.api.get('/users/me').set('authorization', ada.authorization)
        meanwhile.push({ status, stillWaiting: 60 - answered })
      }
    })()
    const answers = await Promise.all(flood)
    await reading
    // Two hash and thirty wait; the first of them may be through before the last of the flood arrives.
    const counts = tally(answers)
    expect(Object.keys(counts).sort()).toEqual(['400 invalid_grant', '503 temporarily_unavailable'])
    expect(counts['503 temporarily_unavailable']).toBeGreaterThanOrEqual(1)
    const refused = answers.find(({ status }) => status === 503)
    expect(refused?.headers).toMatchObject({ 'retry-after': '1', 'cache-control': 'no-store' })
    const duringTheFlood = meanwhile.filter(({ stillWaiting }) => stillWaiting > 4)
    expect(duringTheFlood.length).toBeGreaterThanOrEqual(10)
    expect(new Set(meanwhile.map(({ status }) => status))).toEqual(new Set([200]))
    await slow.login(ada.username, ada.password).expect(200)
    await slow.stop()
  })

  test('two run, as many wait as may, and the next is refused at once', async () => {
    const hashing = makeHashing({ cost: 4, waiting: 3 })
    const open: (() => void)[] = []
    const started: number[] = []
    const turns = times(5, (n) =>
      hashing.inTurn(async () => {
        started.push(n)
        await new Promise<void>((resolve) => open.push(resolve))
        return n
      }),
    )
    await settling()
    expect(started).toEqual([0, 1])
    await expect(hashing.inTurn(() => Promise.resolve())).rejects.toMatchObject({
      reply: { problem: 'service-unavailable' },
    })
    open.shift()?.()
    expect(await turns[0]).toBe(0)
    await settling()
    expect(started).toEqual([0, 1, 2])
    while (started.length < 5 || open.length > 0) {
      open.shift()?.()
      await settling()
    }
    expect([await Promise.all(turns), started]).toEqual([
      [0, 1, 2, 3, 4],
      [0, 1, 2, 3, 4],
    ])
    expect(await hashing.inTurn(() => Promise.resolve('free again'))).toBe('free again')
  })

  test('work that fails frees its place, and who waited too long is refused', async () => {
    const hashing = makeHashing({ cost: 4, atOnce: 1 })
    await expect(hashing.inTurn(() => Promise.reject(new Error('mishap')))).rejects.toThrow('mishap')
    let release = () => {}
    const busy = hashing.inTurn(() => new Promise<void>((resolve) => (release = resolve)))
    await settling()
    const now = jest.spyOn(performance, 'now')
    const late = hashing.inTurn(() => Promise.resolve('late'))
    now.mockReturnValue(performance.now() + 5_001)
    const fresh = hashing.inTurn(() => Promise.resolve('fresh'))
    release()
    await busy
    await expect(late).rejects.toMatchObject({ reply: { problem: 'service-unavailable' } })
    expect(await fresh).toBe('fresh')
  })
})
