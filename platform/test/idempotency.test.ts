import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import { type TestDatabase, createDatabase } from '../../tests/support/database'
import {
  IdempotencyKey,
  claimKeys,
  dropExpiredKeys,
  fingerprintOf,
  keepAnswers,
  onceInTransaction,
  settleKey,
  sweepExpiredKeys,
  type Answer,
  type Claim,
  type Once,
} from '@shop/platform/idempotency'
import { makeLog } from '@shop/platform/logging'
import { SQLSTATE, inTransaction, openPool } from '@shop/platform/postgres'
import { problem } from '@shop/platform/problems'
import { ok } from '@shop/platform/result'
import { reply } from '@shop/platform/routes'

let database: TestDatabase
let pool: pg.Pool
beforeAll(async () => {
  database = await createDatabase()
  await database.owner.query(`create table effects (key text); grant select, insert on effects to shop_products`)
  pool = openPool({
    connectionString: database.urls.products,
    max: 6,
    applicationName: 'keys',
    onError: () => undefined,
  })
})
afterAll(async () => {
  await pool.end()
  await database.drop()
})

const aRequest = (changed: Partial<Once> = {}): Once => ({
  callerId: randomUUID(),
  route: 'POST /effects',
  key: randomUUID(),
  fingerprint: 'f1',
  ...changed,
})
const anAnswer = (body: string): Answer => ({ status: 201, location: `/effects/${body}`, etag: '"1"', body })
const render = (made: { status: number; body: { id: string } }): Answer => ({
  status: made.status,
  location: `/effects/${made.body.id}`,
  etag: null,
  body: JSON.stringify(made.body),
})

/** An effect that each run of it does anew; `meanwhile` happens between effect and answer. */
const take = (once: Once | undefined, meanwhile: () => Promise<unknown> = () => Promise.resolve()) =>
  onceInTransaction(pool, 'products', { once, render }, async (tx) => {
    await tx.query('insert into effects values ($1)', [once?.key ?? 'none'])
    await meanwhile()
    return reply(201, { id: randomUUID() })
  })
const effectsOf = async ({ key }: Once) =>
  (await database.owner.query('select from effects where key = $1', [key])).rowCount
const keptOf = async ({ key }: Once, schema = 'products') =>
  (
    await database.owner.query<Record<string, unknown>>(`select * from ${schema}.idempotency_keys where key = $1`, [
      key,
    ])
  ).rows
const expire = ({ key }: Once, schema = 'products') =>
  database.owner.query(
    `update ${schema}.idempotency_keys set created_at = now() - interval '24 hours' where key = $1`,
    [key],
  )

describe('the header', () => {
  test.each([
    ['abc', 'abc'],
    ['"abc"', 'abc'], // the same key, however it is spelt
    ['8e03978e-40d5-43dd-bc93-6894a57f9324', '8e03978e-40d5-43dd-bc93-6894a57f9324'],
    ['"a b"', 'a b'],
    ['"a\\"b\\\\c"', 'a"b\\c'],
    ['a"b', 'a"b'],
    ['a,b;c=1', 'a,b;c=1'],
  ])('%j names the key %j', (header, key) => expect(IdempotencyKey.parse(header)).toBe(key))

  test.each([
    '',
    '""',
    ' ',
    'a b',
    '"abc',
    'abc, abc',
    '"abc", "abc"',
    '"a\\b"',
    '"abc";p=1',
    '"\t"',
    'ä',
    '"ä"',
    '\u0000',
  ])('%j names none', (header) => expect(IdempotencyKey.safeParse(header).success).toBe(false))

  test('has up to 255 characters, of which escapes count once', () => {
    const longest = 'k'.repeat(255)
    expect([IdempotencyKey.parse(longest), IdempotencyKey.parse(`"${longest}"`)]).toEqual([longest, longest])
    expect(IdempotencyKey.parse(`"${'\\\\'.repeat(255)}"`)).toBe('\\'.repeat(255))
    for (const header of [`${longest}k`, `"${longest}k"`]) expect(IdempotencyKey.safeParse(header).success).toBe(false)
  })
})

test('a fingerprint depends on the whole request and on the secret', () => {
  const request = { params: {}, query: {}, body: { a: 1 } }
  const same = fingerprintOf('s1', { params: {}, query: {}, body: { a: 1 } })
  expect(fingerprintOf('s1', request)).toBe(same)
  expect(fingerprintOf('s2', request)).not.toBe(same)
  expect(fingerprintOf('s1', { ...request, params: { id: '1' } })).not.toBe(same)
  expect(fingerprintOf('s1', { ...request, body: { a: '1' } })).not.toBe(same)
})

describe('once in a transaction', () => {
  test('without a key every call has its effect, and nothing is kept', async () => {
    const [first, second] = [await take(undefined), await take(undefined)]
    expect(first).toMatchObject({ replayed: false, answer: { status: 201 } })
    expect(second).not.toEqual(first)
    const { rows } = await database.owner.query(`select from effects where key = 'none'`)
    expect(rows).toHaveLength(2)
  })

  test('a repeat gets the same answer to the byte, and has no effect', async () => {
    const once = aRequest()
    const first = await take(once)
    expect(await take(once)).toEqual({ ...first, replayed: true })
    expect(await effectsOf(once)).toBe(1)
  })

  test('another request under the same key is refused, and changes nothing', async () => {
    const once = aRequest()
    const first = await take(once)
    expect(await take({ ...once, fingerprint: 'f2' })).toEqual(problem('idempotency-key-reused'))
    expect(await take(once)).toEqual({ ...first, replayed: true })
    expect(await effectsOf(once)).toBe(1)
  })

  test.each([
    ['caller', { callerId: randomUUID() }],
    ['route', { route: 'POST /others' }],
    ['key', { key: randomUUID() }],
  ])('the same key of another %s is another key', async (_name, other) => {
    const once = aRequest()
    const first = await take(once)
    const second = await take({ ...once, ...other })
    expect(second).toMatchObject({ replayed: false })
    expect(second).not.toEqual(first)
  })

  test('a refusal has no effect, is not remembered, and the key may try again', async () => {
    const once = aRequest()
    const refused = await onceInTransaction(pool, 'products', { once, render }, async (tx) => {
      await tx.query('insert into effects values ($1)', [once.key])
      return problem('out-of-tea', { detail: 'None.' })
    })
    expect(refused).toEqual(problem('out-of-tea', { detail: 'None.' }))
    expect([await effectsOf(once), await keptOf(once)]).toEqual([0, []])
    expect(await take(once)).toMatchObject({ replayed: false })
    expect(await effectsOf(once)).toBe(1)
  })

  test('a fault has no effect and is not remembered either, one in the answer included', async () => {
    const once = aRequest()
    const bug = new Error('bug')
    await expect(take(once, () => Promise.reject(bug))).rejects.toBe(bug)
    const broken = onceInTransaction(
      pool,
      'products',
      {
        once,
        render: () => {
          throw bug
        },
      },
      async (tx) => {
        // prettier-ignore
        await tx.query('insert into effects values ($1)', [once.key])
        return reply(201, { id: '1' })
      },
    )
    await expect(broken).rejects.toBe(bug)
    expect([await effectsOf(once), await keptOf(once)]).toEqual([0, []])
  })

  test('an answer that cannot be kept undoes the effect that it tells of', async () => {
    const once = aRequest()
    const kept = onceInTransaction(
      pool,
      'products',
      { once, render: () => ({ status: 201, location: null, etag: null, body: 'not \u0000 storable' }) },
      async (tx) => {
        await tx.query('insert into effects values ($1)', [once.key])
        return reply(201, { id: '1' })
      },
    )
    await expect(kept).rejects.toMatchObject({ code: SQLSTATE.characterNotInRepertoire })
    expect(await effectsOf(once)).toBe(0)
  })

  test('while a call is under way its repeats are refused at once, after it they get its answer: one effect', async () => {
    const once = aRequest()
    const repeats: unknown[] = []
    const first = await take(once, async () => {
      for (const _ of [1, 2, 3]) repeats.push(await take(once))
    })
    expect(repeats).toEqual([1, 2, 3].map(() => problem('request-in-progress')))
    expect(await take(once)).toEqual({ ...first, replayed: true })
    expect(await effectsOf(once)).toBe(1)
  })

  test('many at once have one effect, and each gets the answer or is told to wait', async () => {
    const once = aRequest()
    const answers = await Promise.all(Array.from({ length: 20 }, () => take(once)))
    const done = answers.filter((answer) => 'answer' in answer)
    expect(done.filter(({ replayed }) => !replayed)).toHaveLength(1)
    expect(new Set(done.map(({ answer }) => answer.body)).size).toBe(1)
    expect(answers.filter((answer) => 'problem' in answer && answer.problem !== 'request-in-progress')).toEqual([])
    expect(await effectsOf(once)).toBe(1)
  })

  test('a repeat of what is done gets its answer while another repeat is being served', async () => {
    const once = aRequest()
    const first = await take(once)
    await inTransaction(pool, async (tx) => {
      expect(await claimKeys(tx, 'products', [once])).toMatchObject([{ kind: 'replay' }])
      expect(await take(once)).toEqual({ ...first, replayed: true })
      expect(await take({ ...once, fingerprint: 'f2' })).toEqual(problem('idempotency-key-reused'))
      return ok(undefined)
    })
  })

  test('after 24 hours the key is free, and its next answer is the one that is kept', async () => {
    const once = aRequest()
    await take(once)
    await expire(once)
    const next = await take({ ...once, fingerprint: 'f2' })
    expect(next).toMatchObject({ replayed: false })
    expect(await take({ ...once, fingerprint: 'f2' })).toEqual({ ...next, replayed: true })
    expect(await effectsOf(once)).toBe(2)
    expect(await keptOf(once)).toHaveLength(1)
  })
})

describe('many keys in one transaction', () => {
  const claim = (...wanted: Once[]): Promise<Claim[]> =>
    inTransaction(pool, async (tx) => ok(await claimKeys(tx, 'products', wanted))).then((result) => {
      if (!result.ok) throw new Error('refused')
      return result.value
    })
  const keep = (...kept: { once: Once; answer: Answer }[]) =>
    inTransaction(pool, async (tx) => {
      await claimKeys(tx, 'products', kept.map(({ once }) => once)) // prettier-ignore
      return ok(await keepAnswers(tx, 'products', kept))
    })

  test('each has its own outcome, in the order in which they were asked for', async () => {
    const [fresh, done, reused, busy] = [aRequest(), aRequest(), aRequest(), aRequest()]
    await keep({ once: done, answer: anAnswer('done') }, { once: reused, answer: anAnswer('reused') })
    const outcome = await inTransaction(pool, async (tx) => {
      await claimKeys(tx, 'products', [busy])
      return ok(await claim(busy, done, { ...reused, fingerprint: 'f2' }, fresh))
    })
    expect(outcome).toEqual(
      ok([
        { kind: 'request-in-progress' },
        { kind: 'replay', answer: anAnswer('done') },
        { kind: 'idempotency-key-reused' },
        { kind: 'claimed' },
      ]),
    )
    expect(await claim(busy, fresh)).toEqual([{ kind: 'claimed' }, { kind: 'claimed' }]) // the locks went with their transaction
  })

  test('none is none', async () => {
    expect(await claim()).toEqual([])
  })

  test('answers come back as they were kept, with whatever text they hold', async () => {
    const answers = [
      anAnswer('{"note":"\\u0000 \'; drop table x; -- 👍 {},NULL"}'),
      { status: 204, location: null, etag: null, body: '' },
      anAnswer('NULL'),
    ]
    const kept = answers.map((answer) => ({ once: aRequest({ key: `a"b\\${randomUUID()}` }), answer }))
    await keep(...kept)
    expect(await claim(...kept.map(({ once }) => once))).toEqual(answers.map((answer) => ({ kind: 'replay', answer })))
  })
})

describe('a key whose effect takes more than one transaction', () => {
  // The table of a service that has such effects: its keys may be without an answer.
  let orders: pg.Pool
  beforeAll(() => {
    orders = openPool({
      connectionString: database.urls.orders,
      max: 3,
      applicationName: 'keys',
      onError: () => undefined,
    })
  })
  afterAll(() => orders.end())

  const committed = <T>(work: (tx: pg.PoolClient) => Promise<T>): Promise<T> =>
    inTransaction(orders, async (tx) => ok(await work(tx))).then((result) => {
      if (!result.ok) throw new Error('refused')
      return result.value
    })
  const claim = (once: Once) => committed(async (tx) => (await claimKeys(tx, 'orders', [once]))[0])
  const begin = (once: Once) =>
    committed(async (tx) => {
      expect(await claimKeys(tx, 'orders', [once])).toEqual([{ kind: 'claimed' }])
      await keepAnswers(tx, 'orders', [{ once, answer: undefined }])
    })
  const settle = (once: Once, answer: Answer | undefined) => committed((tx) => settleKey(tx, 'orders', once, answer))

  test('is in progress until it has an answer, which then stays', async () => {
    const [once, neighbour] = [aRequest(), aRequest()]
    await begin(once)
    await begin(neighbour)
    expect([await claim(once), await claim({ ...once, fingerprint: 'f2' })]).toEqual([
      { kind: 'request-in-progress' },
      { kind: 'idempotency-key-reused' },
    ])
    await settle(once, anAnswer('done'))
    await settle(once, anAnswer('done again'))
    await settle(once, undefined)
    expect(await claim(once)).toEqual({ kind: 'replay', answer: anAnswer('done') })
    expect(await claim(neighbour)).toEqual({ kind: 'request-in-progress' })
  })

  test('is free again when its effect was refused, and 24 hours after it began', async () => {
    const [refused, forgotten] = [aRequest(), aRequest()]
    await begin(refused)
    await begin(forgotten)
    await settle(refused, undefined)
    await settle(forgotten, anAnswer('done'))
    await expire(forgotten, 'orders')
    for (const once of [refused, forgotten]) await begin({ ...once, fingerprint: 'f2' })
  })

  test('stays in progress for longer than 24 hours, so that its answer never becomes that of another request', async () => {
    const [once, answered] = [aRequest(), aRequest()]
    for (const each of [once, answered]) await begin(each)
    await settle(answered, anAnswer('done'))
    for (const each of [once, answered]) await expire(each, 'orders')
    expect([await claim(once), await claim({ ...once, fingerprint: 'f2' })]).toEqual([
      { kind: 'request-in-progress' },
      { kind: 'idempotency-key-reused' },
    ])
    expect([await dropExpiredKeys(orders, 'orders'), await dropExpiredKeys(orders, 'orders')]).toEqual([1, 0])
    expect([await keptOf(once, 'orders'), await keptOf(answered, 'orders')]).toMatchObject([[{ status: null }], []])
    await settle(once, anAnswer('done at last'))
    expect(await dropExpiredKeys(orders, 'orders')).toBe(1)
    await begin({ ...once, fingerprint: 'f2' })
  })
})

test('the sweep drops expired keys in bites, leaves the others, and waits for nobody', async () => {
  const [young, held, ...old] = Array.from({ length: 7 }, () => aRequest()) as [Once, Once, ...Once[]]
  for (const once of [young, held, ...old]) await take(once)
  for (const once of [held, ...old]) await expire(once)
  const holder = await database.owner.connect()
  await holder.query('begin')
  await holder.query('select from products.idempotency_keys where key = $1 for update', [held.key])
  const log = makeLog('test', 'silent')
  const sweep = sweepExpiredKeys({ pool, schema: 'products', log, everyMs: 20, bite: 2 })
  const left = async () => Promise.all([young, held, ...old].map(async (once) => (await keptOf(once)).length))
  while ((await left()).reduce((sum, one) => sum + one) > 2);
  expect(await left()).toEqual([1, 1, 0, 0, 0, 0, 0])
  await holder.query('commit')
  holder.release()
  while ((await keptOf(held)).length > 0);
  await sweep.stop()
  expect(await keptOf(young)).toHaveLength(1)
})
