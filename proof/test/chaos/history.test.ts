import { ordersItsCart, type Call, type Deed } from '../../src/chaos/history'

const aCall = (status: number, outcome: Call['outcome'], code?: string): Call => ({
  ...{ action: 'check out', begunAt: 0, ms: 20, status, outcome },
  ...(code && { code }),
})
const PLACED = aCall(201, 'ok')
const REFUSED = aCall(409, 'refused', 'insufficient-stock')
const UNDER_WAY = aCall(409, 'unknown', 'request-in-progress')
const CUT = aCall(0, 'unknown')

const aCheckOut = (calls: Call[]): Deed => ({
  mark: 'bea.1',
  by: 'bea',
  key: 'once',
  wish: { do: 'check out' },
  calls,
  told: [],
})

test.each([
  ['was placed', [PLACED], true],
  ['was placed while the other call of its key came', [UNDER_WAY, PLACED], true],
  ['was refused', [REFUSED, REFUSED], true],
  ['was refused while the other call of its key came, so that this one will be repeated', [UNDER_WAY, REFUSED], false],
  ['was placed, while the other call of its key may still be on its way', [CUT, PLACED], false],
  ['nothing was heard of', [CUT], false],
])('a check-out that %s: whether it can have ordered no other cart than it found', (_what, calls, expected) =>
  expect(ordersItsCart(aCheckOut(calls))).toBe(expected),
)
