import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import supertest from 'supertest'
import { makeLog } from '@shop/platform/logging'
import { checked, type Checked } from '../../tests/support/checked'
import { documentOf } from '../src/app'
import { NOW, aCharge, openGateway } from './gateway'

const lines: string[] = []
let gateway: Awaited<ReturnType<typeof openGateway>>
let calls: Checked
beforeAll(async () => {
  gateway = await openGateway({ log: makeLog('gateway', 'trace', { write: (line: string) => void lines.push(line) }) })
  calls = checked(gateway.app, documentOf({ withFaults: true }))
})
afterAll(() => gateway.close())

const charge = (body: object) => calls.post('/charges').send(body)
const settle = (paymentId: string) => calls.post(`/charges/${paymentId}/settle`)
const refund = (paymentId: string) => calls.post(`/charges/${paymentId}/refund`)
const outcome = ({ status, body }: { status: number; body: { code?: string; status?: unknown } }) =>
  status === 200 ? body.status : [status, body.code]

test('a charge is in the books as it was asked for, with brand and last four digits', async () => {
  const wanted = aCharge()
  const { paymentId, reference } = wanted
  const charged = await charge(wanted)
  expect([charged.status, charged.body]).toEqual([200, { paymentId, status: 'SUCCEEDED', declineReason: null }])
  const payment = {
    paymentId,
    reference,
    amountCents: 4900,
    currency: 'USD',
    card: { brand: 'visa', last4: '4242' },
    status: 'SUCCEEDED',
    declineReason: null,
    refunded: false,
    createdAt: NOW.toISOString(),
    refundedAt: null,
  }
  expect((await calls.get(`/charges/${paymentId}`)).body).toEqual(payment)
  expect((await calls.get(`/charges?reference=${reference}`)).body).toEqual({ items: [payment], nextCursor: null })
  expect((await refund(paymentId)).body).toEqual({ paymentId, status: 'REFUNDED' })
  expect((await calls.get(`/charges/${paymentId}`)).body).toEqual({
    ...payment,
    refunded: true,
    refundedAt: NOW.toISOString(),
  })
})

describe('cards', () => {
  test.each([
    ['4242424242424242', 'visa', 'SUCCEEDED', null],
    ['4000000000000002', 'visa', 'DECLINED', 'card-declined'],
    ['4000000000000119', 'visa', 'NOT_CHARGED', null],
    ['4111111111111111', 'visa', 'DECLINED', 'not-a-test-card'],
    ['5555555555554444', 'mastercard', 'DECLINED', 'not-a-test-card'],
    ['2223003122003222', 'mastercard', 'DECLINED', 'not-a-test-card'],
    ['378282246310005', 'amex', 'DECLINED', 'not-a-test-card'],
    ['6011111111111117', 'discover', 'DECLINED', 'not-a-test-card'],
    ['3056930009020004', 'unknown', 'DECLINED', 'not-a-test-card'],
  ])('%s is %s: %s', async (number, brand, status, declineReason) => {
    const wanted = aCharge({ number })
    await charge(wanted)
    expect((await calls.get(`/charges/${wanted.paymentId}`)).body).toMatchObject({
      card: { brand, last4: number.slice(-4) },
      status,
      declineReason,
    })
  })

  const card = aCharge().card
  test.each([
    ['a wrong check digit', { number: '4242424242424241' }, 'card.number'],
    ['two digits swapped', { number: '4242424242424224' }, 'card.number'],
    ['too few digits', { number: '42424242424' }, 'card.number'],
    ['no digits', { number: '' }, 'card.number'],
    ['a month that is none', { expMonth: 13 }, 'card.expMonth'],
    ['a year of two digits', { expYear: 34 }, 'card.expYear'],
    ['a short cvc', { cvc: '12' }, 'card.cvc'],
    ['a cvc with letters', { cvc: '12a' }, 'card.cvc'],
    ['an unknown field', { pin: '1234' }, 'card.pin'],
  ])('%s is refused, and nothing of it is in the books', async (_what, wrong, path) => {
    const wanted = aCharge({ card: { ...card, ...wrong } })
    const refused = await charge(wanted)
    expect([refused.status, refused.body.errors.map((error: { path: string }) => error.path)]).toEqual([422, [path]])
    expect((await calls.get(`/charges/${wanted.paymentId}`)).status).toBe(404)
  })

  test.each([
    [2026, 11, 'SUCCEEDED'],
    [2027, 1, 'SUCCEEDED'],
    [2026, 10, 'DECLINED'],
    [2025, 12, 'DECLINED'],
  ])('a card of %d-%d is good until the end of its month', async (expYear, expMonth, status) => {
    const { body } = await charge(aCharge({ card: { ...card, expYear, expMonth } }))
    expect([body.status, body.declineReason]).toEqual([status, status === 'DECLINED' ? 'card-expired' : null])
  })

  test('no number and no cvc gets into the journal, the log or an answer', async () => {
    const secret = { ...card, number: '4000000000000002', cvc: '9876' }
    const answers = [
      await charge(aCharge({ card: secret })),
      await charge(aCharge({ card: { ...secret, number: '4000000000000003' } })),
      await charge(aCharge({ card: secret, amountCents: -1 })),
      await calls.post('/charges').type('json').send(`{"card":{"number":"4000000000000002","cvc":"9876"`),
      await calls.post('/charges').type('text').send('4000000000000002 9876'),
    ]
    expect(answers.map(({ status }) => status)).toEqual([200, 422, 422, 400, 415])
    const written = [readFileSync(gateway.file, 'utf8'), ...lines, ...answers.map(({ text }) => text)]
      .join('\n')
      .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '') // random: may have the four digits of the cvc in it
    expect(written).toContain('"last4":"0002"')
    expect(lines.length).toBeGreaterThanOrEqual(answers.length)
    expect(written).not.toMatch(/400000000000000[23]|9876|4242424242424242/)
  })
})

describe('once a payment id', () => {
  test('a repeat gets the first outcome, also when the card has expired since', async () => {
    const wanted = aCharge({ card: { ...aCharge().card, expYear: 2026, expMonth: 11 } })
    expect(outcome(await charge(wanted))).toBe('SUCCEEDED')
    const later = await openGateway({ file: gateway.file, now: new Date('2027-02-01T00:00:00.000Z') })
    expect((await supertest(later.app).post('/charges').send(wanted)).body.status).toBe('SUCCEEDED')
    await later.close()
  })

  test('either case of the id is one id', async () => {
    const wanted = aCharge()
    await charge({ ...wanted, paymentId: wanted.paymentId.toUpperCase() })
    await charge(wanted)
    expect((await calls.get(`/charges?reference=${wanted.reference}`)).body.items).toHaveLength(1)
  })

  test('the refusals have codes of their own', async () => {
    const closed = aCharge()
    expect(outcome(await settle(closed.paymentId))).toBe('NOT_CHARGED')
    expect(outcome(await charge(closed))).toEqual([409, 'payment-closed'])
    expect(outcome(await refund(closed.paymentId))).toEqual([409, 'payment-not-charged'])
    expect((await calls.get(`/charges/${closed.paymentId}`)).body).toMatchObject({
      status: 'NOT_CHARGED',
      reference: null,
      amountCents: null,
      card: null,
    })
    const charged = aCharge()
    await charge(charged)
    expect(outcome(await charge({ ...charged, amountCents: 1 }))).toEqual([422, 'payment-id-reused'])
    expect(outcome(await refund(randomUUID()))).toEqual([404, 'payment-not-found'])
    const failed = await charge(aCharge({ number: '4000000000000119' }))
    expect([failed.status, failed.body.code, failed.headers['retry-after']]).toEqual([
      503,
      'temporarily-unavailable',
      '1',
    ])
  })
})

test('the books are read page by page, oldest first, all of them or those of one reference', async () => {
  const reference = randomUUID()
  const ids: string[] = []
  for (let n = 0; n < 5; n++) {
    const wanted = aCharge({ reference })
    await charge(wanted)
    await charge(aCharge()) // somebody else's
    ids.push(wanted.paymentId)
  }
  const read = async (query: string) => {
    const seen: string[] = []
    let cursor = ''
    do {
      const { body } = await calls.get(`/charges?limit=2${query}${cursor && `&cursor=${cursor}`}`)
      expect(body.items.length).toBeLessThanOrEqual(2)
      seen.push(...body.items.map(({ paymentId }: { paymentId: string }) => paymentId))
      cursor = body.nextCursor ?? ''
    } while (cursor !== '')
    return seen
  }
  expect(await read(`&reference=${reference}`)).toEqual(ids)
  const all = await read('')
  expect(all.filter((id) => ids.includes(id))).toEqual(ids)
  expect(all.length).toBeGreaterThanOrEqual(10)
  expect(new Set(all).size).toBe(all.length)
  const { body } = await calls.get(`/charges?limit=2&reference=${reference}`)
  expect((await calls.get(`/charges?cursor=${body.nextCursor}`)).status).toBe(422)
})

test('operators ask on its port, and what it is not has no path', async () => {
  const app = supertest(gateway.app)
  for (const path of ['/livez', '/readyz', '/metrics', '/openapi.json', '/docs/'])
    expect([path, (await app.get(path)).status]).toEqual([path, 200])
  expect((await calls.get('/users')).status).toBe(404)
  expect((await calls.delete('/charges')).status).toBe(405)
  expect((await app.get('/livez')).headers['x-powered-by']).toBeUndefined()
})
