import fc from 'fast-check'
import { holdUntil, totalCents } from '../src/domain/order'
import type { AttemptOutcome } from '../src/domain/payment'
import type { Result } from '../src/domain/result'
import { SHIPMENT_STATUSES } from '../src/domain/shipment'
import { firstEntry, trackingBetween, type TrackingEntry } from '../src/domain/tracking'
import {
  cancel,
  expire,
  finishPayment,
  finishRefund,
  moveShipment,
  startPayment,
  type OrderChange,
} from '../src/domain/transitions'
import { NOW, anOrder } from './an-order'

// Whatever is asked of an order in whatever order, it goes as this model does, which knows nothing but a few flags and counts.

const SELLERS = ['s1', 's2']
const HOLD_MINUTES = 30

type Command =
  | { kind: 'pay' }
  | { kind: 'settle'; attempt: number; outcome: AttemptOutcome }
  | { kind: 'cancel' }
  | { kind: 'expire' }
  | { kind: 'refund' }
  | { kind: 'move'; seller: number; steps: number }

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('pay' as const) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('settle' as const),
      attempt: fc.nat(2), // 0 is the last one
      outcome: fc.constantFrom<AttemptOutcome>('SUCCEEDED', 'SUCCEEDED', 'DECLINED', 'NOT_CHARGED'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cancel' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('expire' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('refund' as const) }) },
  {
    weight: 16,
    arbitrary: fc.record({
      kind: fc.constant('move' as const),
      seller: fc.nat(1),
      steps: fc.constantFrom(1, 1, 1, 1, 0, 2, -1),
    }),
  },
)

type Model = { cancelled: boolean; tries: number; open: boolean; paid: boolean; refunded: boolean; steps: number[] }

const target = (from: number, steps: number) => Math.min(Math.max(from + steps, 0), SHIPMENT_STATUSES.length - 1)

/** What the model makes of a command; a code when it is refused. */
function expected(model: Model, asked: Command, now: Date): Model | string {
  const { cancelled, paid, open, steps } = model
  const packed = steps.some((step) => step > 0)
  const step = asked.kind === 'move' ? (steps[asked.seller] ?? 0) : 0
  switch (asked.kind) {
    case 'pay':
      if (cancelled) return 'order-not-payable'
      if (paid) return 'order-already-paid'
      return open ? 'payment-in-progress' : { ...model, open: true, tries: model.tries + 1 }
    case 'settle':
      if (!open || asked.attempt > 0) return model
      return { ...model, open: false, paid: asked.outcome === 'SUCCEEDED' }
    case 'cancel':
      return packed && !cancelled ? 'order-not-cancellable' : { ...model, cancelled: true }
    case 'expire':
      if (cancelled || paid || now.getTime() < NOW.getTime() + HOLD_MINUTES * 60_000) return 'hold-not-over'
      return { ...model, cancelled: true }
    case 'refund':
      return { ...model, refunded: model.refunded || (cancelled && paid) }
    case 'move':
      if (cancelled || !paid || target(step, asked.steps) !== step + 1) return 'invalid-transition'
      return { ...model, steps: steps.map((each, seller) => (seller === asked.seller ? each + 1 : each)) }
  }
}

const PROGRESS = ['PAID', 'PACKED', 'OUT_FOR_DELIVERY', 'DELIVERED'] as const
const statusIn = ({ cancelled, paid, steps }: Model): string | undefined =>
  cancelled ? 'CANCELLED' : paid ? PROGRESS[Math.min(...steps)] : 'PLACED'

const paymentIn = ({ tries, open, paid, refunded, cancelled }: Model): string =>
  paid ? (refunded ? 'REFUNDED' : cancelled ? 'REFUND_PENDING' : 'PAID') : open ? 'PENDING' : tries > 0 ? 'FAILED' : 'UNPAID' // prettier-ignore

/** An order, what was done with it, and what the gateway and the stock have seen of it. */
function aHistory() {
  const history = {
    order: anOrder({ sellers: SELLERS }),
    attempts: [] as string[],
    charged: 0,
    refunded: 0,
    returned: [] as OrderChange['returned'][],
    tracking: [] as TrackingEntry[],
  }
  history.tracking.push(firstEntry(history.order))
  return history
}
type History = ReturnType<typeof aHistory>

function run(history: History, asked: Command, now: Date): Result<OrderChange, { code: string }> {
  const { order, attempts } = history
  const named = asked.kind === 'settle' ? (attempts.at(-1 - asked.attempt) ?? 'none') : ''
  switch (asked.kind) {
    case 'pay':
      return startPayment(order, { id: `try ${attempts.length}`, card: { brand: 'visa', last4: '4242' } }, now)
    case 'settle':
      return finishPayment(order, named, asked.outcome, now)
    case 'cancel':
      return cancel(order, now)
    case 'expire':
      return expire(order, HOLD_MINUTES, now)
    case 'refund':
      return finishRefund(order, now)
    case 'move': {
      const from = SHIPMENT_STATUSES.indexOf(order.shipments[asked.seller]?.status ?? 'PENDING')
      const to = SHIPMENT_STATUSES[target(from, asked.steps)] ?? 'PENDING'
      return moveShipment(order, SELLERS[asked.seller] ?? '', to, now)
    }
  }
}

/** Runs a command and keeps the books; answers the code of a refusal. */
function step(history: History, asked: Command, now: Date): string | undefined {
  const before = history.order
  const result = run(history, asked, now)
  if (!result.ok) return result.error.code
  const { order, returned } = result.value
  if (order === before) return undefined
  expect(order).toMatchObject({ version: before.version + 1, updatedAt: now, createdAt: NOW, lines: before.lines })
  if (asked.kind === 'pay') history.attempts.push(`try ${history.attempts.length}`)
  // The gateway's side: a charge is made when it says so, a refund when it is told to.
  if (asked.kind === 'settle' && asked.outcome === 'SUCCEEDED' && before.payment.status === 'PENDING')
    history.charged += before.payment.attempt.amountCents
  if (asked.kind === 'refund' && 'attempt' in order.payment) history.refunded += order.payment.attempt.amountCents
  if (returned.length > 0) history.returned.push(returned)
  history.tracking.push(...trackingBetween(before, order))
  history.order = order
  return undefined
}

/** The states that the history tells of, by whom they belong to. */
const told = (entries: readonly TrackingEntry[]) =>
  Object.fromEntries(entries.map(({ sellerId, status }) => [sellerId ?? 'order', status]))

const commands = fc.array(fc.tuple(command, fc.integer({ min: 0, max: 9 })), { minLength: 20, maxLength: 60 })
const reached = new Set<string>()

function goesAsTheModelDoes(asked: readonly (readonly [Command, number])[]): void {
  const history = aHistory()
  let model: Model = { cancelled: false, tries: 0, open: false, paid: false, refunded: false, steps: [0, 0] }
  let now = NOW
  for (const [each, minutes] of asked) {
    now = new Date(now.getTime() + minutes * 60_000)
    const outcome = expected(model, each, now)
    const refused = step(history, each, now)
    if (typeof outcome !== 'string') model = outcome

    const { order, returned, tracking } = history
    reached.add(`${order.status} ${order.payment.status}`)
    const shipped = told(tracking)['s1'] === undefined ? [] : SELLERS
    expect({
      refused,
      status: order.status,
      payment: order.payment.status,
      shipments: order.shipments.map(({ sellerId, status }) => [sellerId, status]),
      held: holdUntil(order, HOLD_MINUTES) !== null,
      told: told(tracking),
      returned,
    }).toEqual({
      refused: typeof outcome === 'string' ? outcome : undefined,
      status: statusIn(model),
      payment: paymentIn(model),
      shipments: shipped.map((sellerId, n) => [sellerId, SHIPMENT_STATUSES[model.steps[n] ?? 0]]),
      held: !model.cancelled && !model.paid,
      told: { order: order.status, ...Object.fromEntries(order.shipments.map((each) => [each.sellerId, each.status])) },
      returned: model.cancelled ? [order.lines.map(({ productId, quantity }) => ({ productId, quantity }))] : [],
    })
  }

  // In the end every charge is settled and every refund done, whatever was asked before.
  step(history, { kind: 'settle', attempt: 0, outcome: 'SUCCEEDED' }, now)
  step(history, { kind: 'refund' }, now)
  const { order, charged, refunded, returned } = history
  const total = totalCents(order)
  expect([0, total]).toContain(charged)
  expect(refunded).toBe(order.status === 'CANCELLED' ? charged : 0)
  expect(charged === total).toBe(['PAID', 'REFUNDED'].includes(order.payment.status))
  expect(order.status === 'PLACED').toBe(charged === 0 && returned.length === 0)
}

test('random commands never lead to a state that the model does not know, stock comes back once, and refunds are the charges of cancelled orders', () => {
  fc.assert(fc.property(commands, goesAsTheModelDoes), { numRuns: 300 })
  expect([...reached].sort()).toHaveLength(12) // every state that there is: the commands do meet each other
})
