import { setTimeout as sleep } from 'node:timers/promises'
import supertest from 'supertest'
import { checked } from '../../tests/support/checked'
import { documentOf } from '../src/app'
import { aCharge, openGateway, serveGateway, type ServedGateway } from './gateway'

let gateway: ServedGateway
beforeAll(async () => void (gateway = await serveGateway()))
afterEach(() => gateway.faults({}))
afterAll(() => gateway.stop())

const post = (path: string, body: object = {}) => supertest(gateway.url).post(path).send(body)
const charge = (body: object) => post('/charges', body)

async function untilHeld(count: number): Promise<void> {
  for (const deadline = Date.now() + 10_000; (await gateway.busy()).held !== count; await sleep(5))
    if (Date.now() > deadline) throw new Error(`never held ${count} calls`)
}

test('a call that is held before it is booked is booked when it is let go', async () => {
  const [one, other] = [aCharge(), aCharge()]
  await gateway.faults({ holdBefore: true })
  const waiting = [charge(one), charge(other)].map((call) => call.then(({ body }) => body.status as string))
  await untilHeld(2)
  expect(await gateway.payments(one.reference)).toEqual([])
  await gateway.faults({})
  expect(await Promise.all(waiting)).toEqual(['SUCCEEDED', 'SUCCEEDED'])
  expect(await gateway.busy()).toMatchObject({ held: 0, underWay: 0 })
})

test('a call that is held after it is booked is in the books already', async () => {
  const wanted = aCharge()
  await gateway.faults({ holdAfter: true })
  const waiting = charge(wanted).then(({ body }) => body.status as string)
  await untilHeld(1)
  expect(await gateway.payments(wanted.reference)).toMatchObject([{ status: 'SUCCEEDED' }])
  await gateway.faults({})
  expect(await waiting).toBe('SUCCEEDED')
})

test.each([
  ['before', 'delayBeforeMs'],
  ['after', 'delayAfterMs'],
])('a delay %s the booking delays the answer', async (_when, name) => {
  await gateway.faults({ [name]: 200 })
  const begun = performance.now()
  expect((await charge(aCharge())).status).toBe(200)
  expect(performance.now() - begun).toBeGreaterThanOrEqual(190)
})

test.each([
  ['before', 0],
  ['after', 1],
])('connections are cut %s the booking, as many as were asked for', async (when, booked) => {
  const wanted = aCharge()
  await gateway.faults({ [when === 'before' ? 'dropBeforeNext' : 'dropAfterNext']: 2 })
  for (let n = 0; n < 2; n++) await expect(charge(wanted)).rejects.toThrow('socket hang up')
  expect(await gateway.payments(wanted.reference)).toHaveLength(booked)
  expect((await charge(wanted)).status).toBe(200)
})

test('charges fail or are declined as often as was asked for', async () => {
  const { reference } = aCharge()
  const outcomes: unknown[] = []
  await gateway.faults({ failNext: 1, declineNext: 1 })
  for (let n = 0; n < 3; n++) {
    const { body } = await charge(aCharge({ reference }))
    outcomes.push(body.declineReason ?? body.code ?? body.status)
  }
  expect(outcomes).toEqual(['temporarily-unavailable', 'declined-on-demand', 'SUCCEEDED'])
})

test('only the calls that are named have trouble, and setting the switches sets all of them', async () => {
  const wanted = aCharge()
  const set = await gateway.faults({ calls: ['settle', 'refund'], dropAfterNext: 2, declineNext: 1 })
  const off = { delayBeforeMs: 0, delayAfterMs: 0, holdBefore: false, holdAfter: false, dropBeforeNext: 0, failNext: 0 }
  expect(set).toEqual({ ...off, calls: ['settle', 'refund'], dropAfterNext: 2, declineNext: 1, held: 0, underWay: 0 })
  await gateway.faults({ calls: ['settle', 'refund'], dropAfterNext: 2 })
  expect((await charge(wanted)).body.status).toBe('SUCCEEDED')
  await expect(post(`/charges/${wanted.paymentId}/settle`)).rejects.toThrow('socket hang up')
  await expect(post(`/charges/${wanted.paymentId}/refund`)).rejects.toThrow('socket hang up')
  expect(await gateway.payments(wanted.reference)).toMatchObject([{ refunded: true }])
})

test('an unknown switch is refused, and every answer is as documented', async () => {
  const { app, close } = await openGateway()
  const calls = checked(app, documentOf({ withFaults: true }))
  expect((await calls.post('/faults').send({ explode: true })).status).toBe(422)
  expect((await calls.post('/faults').send({ failNext: -1 })).status).toBe(422)
  expect((await calls.post('/faults').send({ failNext: 3 })).body.failNext).toBe(3)
  expect((await calls.get('/faults')).body.failNext).toBe(3)
  await close()
})

test('without faults there are no switches', async () => {
  const { app, close } = await openGateway({ withFaults: false })
  const calls = checked(app, documentOf({ withFaults: false }))
  expect((await calls.post('/faults').send({ failNext: 1 })).status).toBe(404)
  expect((await calls.get('/faults')).status).toBe(404)
  expect((await calls.post('/charges').send(aCharge())).body.status).toBe('SUCCEEDED')
  await close()
})
