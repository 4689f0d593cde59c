import { randomUUID } from 'node:crypto'
import type { ChargeRequest, PaymentGateway } from '../src/application/ports'

/** A gateway, and a look into its books: what is there of one order, in the order of the attempts. */
export type GatewayWorld = {
  gateway: PaymentGateway
  payments: (
    reference: string,
  ) => Promise<{ paymentId: string; amountCents: number; status: string; refunded: boolean }[]>
}

const CARDS = { succeeds: '4242424242424242', isDeclined: '4000000000000002', failsAtFirst: '4000000000000119' }

export const aCharge = ({ number = CARDS.succeeds, ...charge }: Partial<ChargeRequest> & { number?: string } = {}) => ({
  paymentId: randomUUID(),
  reference: randomUUID(),
  amountCents: 4900,
  currency: 'USD',
  card: { number, expMonth: 12, expYear: 2099, cvc: '123' },
  ...charge,
})

export function paymentGatewayContract(name: string, open: () => Promise<GatewayWorld>): void {
  describe(`${name} payment gateway`, () => {
    let world: GatewayWorld
    let gateway: PaymentGateway
    beforeAll(async () => {
      world = await open()
      gateway = world.gateway
    })

    test('a charge that succeeds is made once, however often it is asked for', async () => {
      const charge = aCharge()
      const neighbour = aCharge({ amountCents: 100 })
      await gateway.charge(neighbour)
      for (let n = 0; n < 3; n++) expect(await gateway.charge(charge)).toEqual({ outcome: 'SUCCEEDED' })
      expect(await gateway.settle(charge.paymentId)).toBe('SUCCEEDED')
      const { paymentId } = charge
      expect(await world.payments(charge.reference)).toEqual([
        { paymentId, amountCents: 4900, status: 'SUCCEEDED', refunded: false },
      ])
      expect(await world.payments(neighbour.reference)).toMatchObject([{ amountCents: 100, refunded: false }])
    })

    test('fifty calls at once for one payment id are one charge', async () => {
      const charge = aCharge()
      const outcomes = await Promise.all(Array.from({ length: 50 }, () => gateway.charge(charge)))
      expect(outcomes).toEqual(Array.from({ length: 50 }, () => ({ outcome: 'SUCCEEDED' })))
      expect(await world.payments(charge.reference)).toHaveLength(1)
    })

    test('a declined card stays declined under its payment id, and another attempt may succeed', async () => {
      const declined = aCharge({ number: CARDS.isDeclined })
      for (let n = 0; n < 2; n++)
        expect(await gateway.charge(declined)).toEqual({ outcome: 'DECLINED', reason: 'card-declined' })
      expect(await gateway.settle(declined.paymentId)).toBe('DECLINED')
      const { reference } = declined
      expect(await gateway.charge(aCharge({ reference }))).toEqual({ outcome: 'SUCCEEDED' })
      expect((await world.payments(reference)).map(({ status }) => status)).toEqual(['DECLINED', 'SUCCEEDED'])
    })

    test('a card that nobody knows is declined', async () => {
      expect(await gateway.charge(aCharge({ number: '5555555555554444' }))).toMatchObject({ outcome: 'DECLINED' })
    })

    test('a card that fails for a moment charges nothing under the first payment id of an order, ever, and succeeds under the next', async () => {
      const number = CARDS.failsAtFirst
      const first = aCharge({ number })
      const next = aCharge({ number, reference: first.reference })
      expect(await gateway.charge(first)).toEqual({ outcome: 'UNAVAILABLE' })
      expect(await gateway.charge(next)).toEqual({ outcome: 'SUCCEEDED' })
      expect(await gateway.charge(first)).toEqual({ outcome: 'UNAVAILABLE' })
      expect(await gateway.settle(first.paymentId)).toBe('NOT_CHARGED')
      expect((await world.payments(first.reference)).map(({ status }) => status)).toEqual(['NOT_CHARGED', 'SUCCEEDED'])
      expect(await gateway.charge(aCharge({ number }))).toEqual({ outcome: 'UNAVAILABLE' }) // another order's first
    })

    test.each([
      ['amount', { amountCents: 4901 }],
      ['currency', { currency: 'EUR' }],
      ['order', { reference: randomUUID() }],
      ['card', { number: CARDS.isDeclined }],
    ])('another %s under a known payment id is no charge at all', async (_what, other) => {
      const charge = aCharge()
      await gateway.charge(charge)
      const { paymentId, reference } = charge
      await expect(gateway.charge(aCharge({ paymentId, reference, ...other }))).rejects.toThrow()
      expect(await gateway.charge(charge)).toEqual({ outcome: 'SUCCEEDED' })
      expect(await world.payments(reference)).toMatchObject([{ paymentId, amountCents: 4900, status: 'SUCCEEDED' }])
    })

    test('settling an id that was never charged closes it: a charge that arrives later is refused', async () => {
      const charge = aCharge()
      for (let n = 0; n < 2; n++) expect(await gateway.settle(charge.paymentId)).toBe('NOT_CHARGED')
      for (let n = 0; n < 2; n++) expect(await gateway.charge(charge)).toEqual({ outcome: 'UNAVAILABLE' })
      expect(await gateway.settle(charge.paymentId)).toBe('NOT_CHARGED')
      expect(await world.payments(charge.reference)).toEqual([])
    })

    test('charge and settle at once never contradict each other', async () => {
      const pairs = await Promise.all(
        Array.from({ length: 40 }, async (_, n) => {
          const charge = aCharge()
          const calls = [() => gateway.charge(charge), () => gateway.settle(charge.paymentId)]
          const [one, two] = await Promise.all((n % 2 ? calls : calls.toReversed()).map((call) => call()))
          const [charged, settled] = n % 2 ? [one, two] : [two, one]
          return { charged, settled, booked: (await world.payments(charge.reference)).length }
        }),
      )
      const made = { charged: { outcome: 'SUCCEEDED' }, settled: 'SUCCEEDED', booked: 1 }
      const closed = { charged: { outcome: 'UNAVAILABLE' }, settled: 'NOT_CHARGED', booked: 0 }
      for (const pair of pairs) expect([made, closed]).toContainEqual(pair)
    })

    test('a refund is given once, also when asked for many times at once, and the charge stays in the books', async () => {
      const charge = aCharge()
      await gateway.charge(charge)
      const refunds = await Promise.all(Array.from({ length: 10 }, () => gateway.refund(charge.paymentId)))
      expect(new Set(refunds)).toEqual(new Set(['REFUNDED']))
      expect(await world.payments(charge.reference)).toMatchObject([{ status: 'SUCCEEDED', refunded: true }])
      expect(await gateway.charge(charge)).toEqual({ outcome: 'SUCCEEDED' })
      expect(await gateway.settle(charge.paymentId)).toBe('SUCCEEDED')
    })

    test('what was not charged is not refunded', async () => {
      const declined = aCharge({ number: CARDS.isDeclined })
      await gateway.charge(declined)
      const closed = randomUUID()
      await gateway.settle(closed)
      for (const paymentId of [declined.paymentId, closed, randomUUID()])
        await expect(gateway.refund(paymentId)).rejects.toThrow()
      expect(await world.payments(declined.reference)).toMatchObject([{ status: 'DECLINED', refunded: false }])
    })
  })
}
