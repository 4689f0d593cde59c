import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { serveGateway, type ServedGateway } from '../../gateway/test/gateway'
import { httpPaymentGateway } from '../../orders/src/adapters/http-client/payment-gateway'
import { aCharge, paymentGatewayContract } from '../../orders/test/payment-gateway.contract'
import { stopwatch } from '../support/stopwatch'

let real: ServedGateway
const servers: Server[] = []
beforeAll(async () => void (real = await serveGateway()))
afterEach(() => real.faults({}))
afterAll(async () => {
  for (const server of servers) server.close().closeAllConnections()
  await real.stop()
})

paymentGatewayContract('HTTP', () =>
  Promise.resolve({ gateway: httpPaymentGateway({ url: real.url }), payments: real.payments }),
)

const IMPATIENT_MS = 1_000
const impatient = () => httpPaymentGateway({ url: real.url, timeoutMs: IMPATIENT_MS })

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 10_000; !(await condition()); await sleep(5))
    if (Date.now() > deadline) throw new Error('waited in vain')
}

/** A gateway that answers like this, whatever it is asked. */
async function answering(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe('over the network', () => {
  test('a connection cut before the charge is booked leaves an unknown outcome, and settling finds nothing', async () => {
    const gateway = httpPaymentGateway({ url: real.url })
    const charge = aCharge()
    await real.faults({ dropBeforeNext: 1 })
    expect(await gateway.charge(charge)).toEqual({ outcome: 'UNKNOWN' })
    expect(await real.payments(charge.reference)).toEqual([])
    expect(await gateway.settle(charge.paymentId)).toBe('NOT_CHARGED')
    expect(await gateway.charge(charge)).toEqual({ outcome: 'UNAVAILABLE' })
  })

  test('a connection cut after the charge is booked leaves an unknown outcome, and settling finds the charge', async () => {
    const gateway = httpPaymentGateway({ url: real.url })
    const charge = aCharge()
    await real.faults({ dropAfterNext: 1 })
    expect(await gateway.charge(charge)).toEqual({ outcome: 'UNKNOWN' })
    expect(await gateway.settle(charge.paymentId)).toBe('SUCCEEDED')
    expect(await real.payments(charge.reference)).toMatchObject([{ status: 'SUCCEEDED' }])
  })

  test('a charge that is under way for too long is settled as not charged, and refused when it arrives', async () => {
    const charge = aCharge()
    await real.faults({ holdBefore: true })
    expect(await impatient().charge(charge)).toEqual({ outcome: 'UNKNOWN' })
    expect((await real.busy()).held).toBe(1)
    const gateway = httpPaymentGateway({ url: real.url })
    expect(await gateway.settle(charge.paymentId)).toBe('NOT_CHARGED')
    await real.faults({})
    await until(async () => (await real.busy()).underWay === 0)
    expect(await gateway.settle(charge.paymentId)).toBe('NOT_CHARGED')
    expect(await real.payments(charge.reference)).toEqual([])
  })

  test('an answer that takes too long leaves an unknown outcome, and settling finds the charge', async () => {
    const charge = aCharge()
    await real.faults({ holdAfter: true })
    expect(await impatient().charge(charge)).toEqual({ outcome: 'UNKNOWN' })
    expect((await real.busy()).held).toBe(1)
    expect(await httpPaymentGateway({ url: real.url }).settle(charge.paymentId)).toBe('SUCCEEDED')
  })

  test('an answer that begins in time and never ends is bounded, too', async () => {
    const url = await answering((_request, response) => void response.writeHead(200).write('{"status":'))
    const elapsed = stopwatch()
    expect(await httpPaymentGateway({ url, timeoutMs: IMPATIENT_MS }).charge(aCharge())).toEqual({ outcome: 'UNKNOWN' })
    expect(elapsed()).toBeLessThan(5_000)
  })

  test('unless told otherwise a call ends within five seconds', async () => {
    await real.faults({ holdBefore: true })
    const [begun, elapsed] = [performance.now(), stopwatch()]
    expect(await httpPaymentGateway({ url: real.url }).charge(aCharge())).toEqual({ outcome: 'UNKNOWN' })
    expect(performance.now() - begun).toBeGreaterThan(4_900)
    expect(elapsed()).toBeLessThan(8_000)
  })

  test('with the gateway away nothing is charged, and nothing is known of what was charged before', async () => {
    const url = await answering(() => undefined)
    await new Promise((resolve) => servers.pop()?.close(resolve))
    const gateway = httpPaymentGateway({ url })
    const charge = aCharge()
    expect(await gateway.charge(charge)).toEqual({ outcome: 'UNAVAILABLE' })
    const byName = httpPaymentGateway({ url: url.replace('127.0.0.1', 'localhost') }) // two addresses to try
    expect(await byName.charge(charge)).toEqual({ outcome: 'UNAVAILABLE' })
    expect(await gateway.settle(charge.paymentId)).toBe('UNKNOWN')
    expect(await gateway.refund(charge.paymentId)).toBe('UNKNOWN')
    // No name has a part of 64 letters (RFC 1035 2.3.4), so that nobody's DNS is asked, or waited for, to find that out.
    const nowhere = httpPaymentGateway({ url: `http://${'g'.repeat(64)}.invalid:8005` })
    expect(await nowhere.charge(charge)).toEqual({ outcome: 'UNAVAILABLE' })
  })

  test('a refund whose answer is lost is asked for again, and given once', async () => {
    const gateway = httpPaymentGateway({ url: real.url })
    const charge = aCharge()
    await gateway.charge(charge)
    await real.faults({ calls: ['refund'], dropAfterNext: 1 })
    expect(await gateway.refund(charge.paymentId)).toBe('UNKNOWN')
    expect(await gateway.refund(charge.paymentId)).toBe('REFUNDED')
    expect(await real.payments(charge.reference)).toMatchObject([{ status: 'SUCCEEDED', refunded: true }])
  })

  test('a gateway that fails on demand charges nothing, and one that declines says why', async () => {
    const gateway = httpPaymentGateway({ url: real.url })
    const { reference } = aCharge()
    await real.faults({ failNext: 1 })
    expect(await gateway.charge(aCharge({ reference }))).toEqual({ outcome: 'UNAVAILABLE' })
    await real.faults({ declineNext: 1 })
    expect(await gateway.charge(aCharge({ reference }))).toEqual({ outcome: 'DECLINED', reason: 'declined-on-demand' })
    expect(await gateway.charge(aCharge({ reference }))).toEqual({ outcome: 'SUCCEEDED' })
    expect((await real.payments(reference)).map(({ status }) => status)).toEqual([
      'NOT_CHARGED',
      'DECLINED',
      'SUCCEEDED',
    ])
  })

  test.each([
    ['503 of another kind', 503, '{"code":"outcome-unknown"}'],
    ['a page of some proxy', 502, '<html>Bad gateway</html>'],
    ['an answer that is no JSON', 200, 'SUCCEEDED'],
  ])('%s says nothing about the money', async (_what, status, text) => {
    const gateway = httpPaymentGateway({
      url: await answering((_request, response) => response.writeHead(status).end(text)),
    })
    expect(await gateway.charge(aCharge())).toEqual({ outcome: 'UNKNOWN' })
    expect(await gateway.settle(aCharge().paymentId)).toBe('UNKNOWN')
    expect(await gateway.refund(aCharge().paymentId)).toBe('UNKNOWN')
  })

  test('a refusal that was not to be expected is raised, without a word of the card', async () => {
    const wrong = aCharge({ number: '4242424242424241' })
    const charged = httpPaymentGateway({ url: real.url }).charge(wrong)
    await expect(charged).rejects.toThrow('the payment gateway refused to charge: 422 validation-failed')
    expect(await charged.catch((error: Error) => `${error.stack}${JSON.stringify(error)}`)).not.toContain(
      wrong.card.number,
    )
    expect(await real.payments(wrong.reference)).toEqual([])
  })

  test('a redirect is not followed: card data goes nowhere else', async () => {
    let asked = 0
    const elsewhere = await answering((_request, response) => void (asked++, response.end()))
    const url = await answering((_request, response) => response.writeHead(307, { location: elsewhere }).end())
    expect(await httpPaymentGateway({ url }).charge(aCharge())).toEqual({ outcome: 'UNKNOWN' })
    expect(asked).toBe(0)
  })

  test('calls one after the other share a connection, and each is sent once', async () => {
    let connections = 0
    let asked = 0
    const url = await answering((request, response) => {
      asked++
      request.resume().on('end', () => response.end('{"status":"SUCCEEDED"}'))
    })
    servers.at(-1)?.on('connection', () => connections++)
    const gateway = httpPaymentGateway({ url })
    for (let n = 0; n < 20; n++) await gateway.charge(aCharge())
    expect(asked).toBe(20)
    expect(connections).toBeLessThan(5) // a call may begin before the connection of the one before is seen to be free
  })
})
