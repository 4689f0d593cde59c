import type { Staged } from '../../src/chaos/faults'
import type { Charge, ShownOrder, StoredOrder } from '../../src/chaos/books'
import type { Call, Deed, Sighting, Wish } from '../../src/chaos/history'
import type { Evidence } from '../../src/chaos/judge/evidence'
import { judgeRun } from '../../src/chaos/judge/judge'
import { SERVICE_PROCESSES } from '../../src/chaos/plan'
import { PROBED } from '../../src/chaos/probes'
import type { Exit } from '../../src/chaos/watch'
import { held } from '../../src/report'

/** Evidence that can be tampered with. */
type Run = Omit<Evidence, 'faults' | 'exits' | 'running'> & { faults: Staged[]; exits: Exit[]; running: string[] }

const BEGAN = Date.parse('2026-01-01T00:00:00Z')
const [LAMP, MUG] = ['product-lamp', 'product-mug']
const aCall = (over: Partial<Call> = {}): Call => ({
  ...{ action: 'order', begunAt: 1_000, ms: 20, status: 201, outcome: 'ok' },
  ...over,
})
const REFUSED = aCall({ status: 409, code: 'insufficient-stock', outcome: 'refused' })
const UNKNOWN = aCall({ status: 0, outcome: 'unknown' })
const NO_GATEWAY = { status: 503, code: 'gateway-unavailable', outcome: 'unknown' } as const
const UNDER_WAY = aCall({ status: 409, code: 'payment-in-progress', outcome: 'unknown' })

function aDeed(mark: string, wish: Wish, over: Partial<Deed> = {}): Deed {
  return {
    mark,
    by: 'bea',
    wish,
    calls: [aCall({ action: wish.do })],
    told: [{ id: `id-of-${mark}`, digest: 'd' }],
    ...over,
  }
}
const orderOf = (...lines: [productId: string, quantity: number][]): Wish => ({
  do: 'order',
  lines: lines.map(([productId, quantity]) => ({ productId, quantity })),
})

/** A run in which every promise held: two products; an order paid and packed, one cancelled and refunded while it was not known that it was paid, two that are held; a refusal; one kill of orders. */
function aRun(): Run {
  const deeds = [
    aDeed('lamp', { do: 'list product', stock: 10, priceCents: 500 }, { by: 'sam', told: [{ id: LAMP, digest: 'd' }] }),
    aDeed('mug', { do: 'list product', stock: 20, priceCents: 100 }, { by: 'sam', told: [{ id: MUG, digest: 'd' }] }),
    aDeed('more', { do: 'change stock', productId: LAMP, delta: 5, reason: 'RECEIVED' }, { by: 'sam' }),
    aDeed('dearer', { do: 'edit', productId: MUG, version: 1, priceCents: 120 }, { by: 'sam' }),
    aDeed('zoe', { do: 'register', role: 'BUYER' }, { by: 'zoe' }),
    aDeed('one', orderOf([LAMP, 2], [MUG, 1]), { key: 'key-one' }),
    aDeed('two', orderOf([MUG, 3])),
    aDeed('three', orderOf([LAMP, 1])),
    aDeed('four', { do: 'check out', lines: [{ productId: MUG, quantity: 1 }] }, { key: 'key-four' }),
    aDeed('undo', { do: 'cancel', orderId: 'id-of-two' }),
    aDeed('plastic', { do: 'pay', orderId: 'id-of-one', card: 'succeeds' }, { key: 'key-plastic' }),
    aDeed('mistake', { do: 'pay', orderId: 'id-of-two', card: 'succeeds' }, { calls: [UNDER_WAY, REFUSED], told: [] }),
    aDeed('parcel', { do: 'ship', orderId: 'id-of-one', to: 'PACKED' }, { by: 'sam' }),
    aDeed('greedy', orderOf([LAMP, 100]), { calls: [REFUSED], told: [] }),
  ]
  const lines = (...all: [string, number, number][]) =>
    all.map(([productId, quantity, unitPriceCents]) => ({ productId, sellerId: 'sam', quantity, unitPriceCents }))
  const anOrder = (
    notes: string,
    status: string,
    paymentStatus: string,
    ...all: [string, number, number][]
  ): StoredOrder => ({
    ...{ id: `id-of-${notes}`, buyerId: 'bea', notes, status, paymentStatus, lines: lines(...all) },
    totalCents: all.reduce((sum, [, quantity, price]) => sum + quantity * price, 0),
    createdAt: new Date(BEGAN + 1_000).toISOString(),
  })
  const orders = [
    anOrder('one', 'PACKED', 'PAID', [LAMP, 2, 500], [MUG, 1, 120]),
    anOrder('two', 'CANCELLED', 'REFUNDED', [MUG, 3, 100]),
    anOrder('three', 'PLACED', 'FAILED', [LAMP, 1, 500]),
    anOrder('four', 'PLACED', 'UNPAID', [MUG, 1, 120]),
  ]
  const aCharge = (reference: string, amountCents: number, refunded: boolean): Charge => ({
    ...{ paymentId: `charge-of-${reference}`, reference, amountCents, refunded, status: 'SUCCEEDED' },
  })
  const row = (
    productId: string,
    delta: number,
    reason: string,
    orderId: string | null,
    note: string | null = null,
  ) => ({
    ...{ productId, delta, reason, orderId, note },
  })
  const probes = [900, 4_000, 6_500].flatMap((begunAt) =>
    PROBED.map((action) => aCall({ action, begunAt, probe: true })),
  )
  return {
    history: {
      deeds,
      // The card that fails at first is refused as if the gateway were away.
      calls: [
        ...deeds.flatMap(({ calls }) => calls),
        ...probes,
        aCall({ action: 'pay at the second try', begunAt: 100, ...NO_GATEWAY }),
      ],
      sightings: [aSighting({ orderId: 'id-of-two', orderStatus: 'CANCELLED' })],
    },
    books: {
      orders,
      products: [
        { id: LAMP, name: 'Thing lamp', priceCents: 500, version: 1, available: 12 },
        { id: MUG, name: 'Thing dearer', priceCents: 120, version: 2, available: 18 },
      ],
      movements: [
        row(LAMP, 10, 'RECEIVED', null),
        row(MUG, 20, 'RECEIVED', null),
        row(LAMP, 5, 'RECEIVED', null, 'more'),
        row(LAMP, -2, 'ORDERED', 'id-of-one'),
        row(MUG, -1, 'ORDERED', 'id-of-one'),
        row(MUG, -3, 'ORDERED', 'id-of-two'),
        row(MUG, 3, 'CANCELLED', 'id-of-two'),
        row(LAMP, -1, 'ORDERED', 'id-of-three'),
        row(MUG, -1, 'ORDERED', 'id-of-four'),
      ],
      usernames: ['zoe'],
      shipments: [{ orderId: 'id-of-one', sellerId: 'sam', status: 'PACKED' }],
      charges: [aCharge('id-of-one', 1_120, false), aCharge('id-of-two', 300, true)],
      shown: {
        orders: orders.map(shownOf),
        products: [
          { id: LAMP, available: 12, ledger: 12 },
          { id: MUG, available: 18, ledger: 18 },
        ],
        unread: [],
      },
    },
    faults: [
      { kind: 'rolling-restart', processes: ['orders'], begunAt: 500, endedAt: 700, strikes: 1, ended: ['orders'] },
      { kind: 'kill', process: 'orders', begunAt: 3_000, endedAt: 3_000, strikes: 1, ended: ['orders'] },
    ],
    exits: [
      { process: 'orders', pid: 6, at: 600 },
      { process: 'orders', pid: 7, at: 3_020 },
    ],
    running: ['postgres', 'nginx', ...SERVICE_PROCESSES],
    ...{ endedAt: 9_000, readAt: 10_000, began: BEGAN, holdMs: 60_000 },
    allowed: { callMs: 10_000, recoveryMs: 5_000, refusalMs: 10_000 },
  }
}
const shownOf = ({ id, buyerId, status, paymentStatus, totalCents }: StoredOrder): ShownOrder => ({
  ...{ id, buyerId, status, paymentStatus, totalCents },
})
const aSighting = (over: Partial<Sighting>): Sighting => ({
  orderId: 'id-of-two',
  begunAt: 1_500,
  ms: 10,
  status: 200,
  ...over,
})

/** What the judge says is broken, with the first complaint of each. */
async function brokenIn(run: Run): Promise<Record<string, string | undefined>> {
  const findings = await judgeRun(run)
  return Object.fromEntries(
    findings
      .filter((finding) => !held(finding))
      .map(({ name, failures, unfinished }) => [name, failures[0] ?? unfinished]),
  )
}
const find = <T>(list: T[], wanted: (each: T) => boolean): T => {
  const found = list.find(wanted)
  if (!found) throw new Error('not there')
  return found
}
const deedOf = ({ history }: Run, mark: string) => find(history.deeds, (deed) => deed.mark === mark)
const chargeOf = ({ books }: Run, orderId: string) => find(books.charges, ({ reference }) => reference === orderId)
/** As it is stored, and as it is shown. */
function setOrder({ books }: Run, orderId: string, over: Partial<Pick<StoredOrder, 'status' | 'paymentStatus'>>): void {
  for (const orders of [books.orders, books.shown.orders] as ShownOrder[][])
    Object.assign(
      find(orders, ({ id }) => id === orderId),
      over,
    )
}
const productOf = ({ books }: Run, id: string) => find(books.products, (product) => product.id === id)
const removeOrder = ({ books }: Run, id: string) => {
  books.orders = books.orders.filter((order) => order.id !== id)
  books.shown.orders = books.shown.orders.filter((order) => order.id !== id)
  books.movements = books.movements.filter(({ orderId }) => orderId !== id)
}

test('a run in which everything held is found to be so, each promise by at least one check', async () => {
  const findings = await judgeRun(aRun())
  expect(findings.flatMap(({ failures }) => failures)).toEqual([])
  expect(findings.filter(({ checks }) => checks === 0)).toEqual([])
})

const violations: [what: string, plant: (run: Run) => void, found: Record<string, RegExp>][] = [
  [
    'an acknowledged order that is lost, with its stock given back',
    (run) => {
      removeOrder(run, 'id-of-three')
      productOf(run, LAMP).available = 13
      run.books.shown.products[0] = { id: LAMP, available: 13, ledger: 13 }
    },
    { acknowledged: /acknowledged and not stored: order three id-of-three/ },
  ],
  [
    'an order with another quantity than was asked for',
    (run) => {
      const [line] = find(run.books.orders, ({ id }) => id === 'id-of-three').lines
      if (line) line.quantity = 2
    },
    {
      acknowledged: /order three/,
      conserved: /15 received − 12 available ≠ 4 in live orders/,
      'all-or-nothing': /the lines of order id-of-three/,
      'legal-states': /the total of order id-of-three/,
    },
  ],
  [
    'a refused order that is stored',
    (run) => (deedOf(run, 'three').calls = [REFUSED]),
    { refused: /refused \(insufficient-stock\) and stored all the same: order three/ },
  ],
  [
    'an order that the database outage was said to have undone',
    (run) => (deedOf(run, 'three').calls = [{ ...REFUSED, status: 503, code: 'database-unavailable' }]),
    { refused: /refused \(database-unavailable\) and stored/ },
  ],
  [
    'one key, two orders',
    (run) => {
      const first = find(run.books.orders, ({ id }) => id === 'id-of-one')
      const again: StoredOrder = { ...first, id: 'id-of-one-again', status: 'PLACED', paymentStatus: 'UNPAID' }
      run.books.orders.push(again)
      run.books.shown.orders.push(shownOf(again))
      run.books.movements.push(
        { productId: LAMP, delta: -2, reason: 'ORDERED', orderId: 'id-of-one-again', note: null },
        { productId: MUG, delta: -1, reason: 'ORDERED', orderId: 'id-of-one-again', note: null },
      )
      productOf(run, LAMP).available = 10
      productOf(run, MUG).available = 17
      run.books.shown.products = [
        { id: LAMP, available: 10, ledger: 10 },
        { id: MUG, available: 17, ledger: 17 },
      ]
    },
    { once: /stored 2 times: order one id-of-one with key-one/ },
  ],
  [
    'one key, two answers',
    (run) => {
      const deed = deedOf(run, 'one')
      deed.told.push({ id: 'id-of-one', digest: 'another' })
    },
    { once: /2 different answers to one key/ },
  ],
  [
    'an order that nobody placed',
    (run) => (run.history.deeds = run.history.deeds.filter(({ mark }) => mark !== 'three')),
    { 'asked-for': /order id-of-three \(three\) was never placed/ },
  ],
  [
    'an order that is cancelled, and nobody has',
    (run) => (run.history.deeds = run.history.deeds.filter(({ mark }) => mark !== 'undo')),
    { holds: /order id-of-two is cancelled, nobody has, and its hold is not over/ },
  ],
  [
    'an acknowledged cancellation that is lost',
    (run) => {
      setOrder(run, 'id-of-two', { status: 'PLACED', paymentStatus: 'FAILED' })
      run.books.movements = run.books.movements.filter(({ reason }) => reason !== 'CANCELLED')
      productOf(run, MUG).available = 15
      run.books.shown.products[1] = { id: MUG, available: 15, ledger: 15 }
    },
    { acknowledged: /acknowledged and not stored: cancel id-of-two/ },
  ],
  [
    'an outcome with a key that nobody could find out',
    (run) => Object.assign(deedOf(run, 'one'), { calls: [UNKNOWN, UNKNOWN], told: [] }),
    { decided: /still undecided \(0, 0\): order one/ },
  ],
  [
    'more sold than there was',
    (run) => {
      run.books.movements = run.books.movements.filter(
        ({ note, productId, orderId }) => note === null && (productId !== LAMP || orderId !== null),
      )
      run.history.deeds = run.history.deeds.filter(({ mark }) => mark !== 'more')
      productOf(run, LAMP).available = -3
      run.books.shown.products[0] = { id: LAMP, available: -3, ledger: -3 }
    },
    { 'never-oversold': /oversold: 3 units of product product-lamp are in live orders, and 0 were received/ },
  ],
  [
    'a ledger row that is missing',
    (run) => (run.books.movements = run.books.movements.filter(({ delta }) => delta !== -1)),
    {
      conserved: /the ledger of product product-lamp sums to 13, and 12 are available/,
      'all-or-nothing': /order id-of-one lacks the ledger row product-mug ORDERED -1/,
    },
  ],
  [
    'stock taken without an order',
    (run) => {
      run.books.movements.push({ productId: LAMP, delta: -4, reason: 'ORDERED', orderId: 'nowhere', note: null })
      productOf(run, LAMP).available = 8
      run.books.shown.products[0] = { id: LAMP, available: 8, ledger: 8 }
    },
    {
      conserved: /15 received − 8 available ≠ 3 in live orders/,
      'all-or-nothing': /stock was taken for order nowhere, which does not exist/,
    },
  ],
  [
    'an order with half of its lines',
    (run) => {
      const order = find(run.books.orders, ({ id }) => id === 'id-of-one')
      order.lines.pop()
      order.totalCents = 1_000
      chargeOf(run, 'id-of-one').amountCents = 1_000
      find(run.books.shown.orders, ({ id }) => id === 'id-of-one').totalCents = 1_000
      run.books.movements = run.books.movements.filter(
        ({ productId, orderId }) => productId !== MUG || orderId !== 'id-of-one',
      )
      productOf(run, MUG).available = 19
      run.books.shown.products[1] = { id: MUG, available: 19, ledger: 19 }
    },
    { acknowledged: /order one/, 'all-or-nothing': /the lines of order id-of-one/ },
  ],
  [
    'a ledger row that nobody asked for',
    (run) => (deedOf(run, 'more').mark = 'something else'),
    { acknowledged: /change stock something else/, 'ledger-asked-for': /the ledger row more .* was never asked for/ },
  ],
  [
    'a status that does not exist',
    (run) => setOrder(run, 'id-of-three', { status: 'LOST' }),
    {
      'legal-states': /order id-of-three is LOST/,
      'shipped-by-steps': /whose shipments order id-of-three has/,
    },
  ],
  [
    'a price that was never asked',
    (run) => (deedOf(run, 'lamp').wish = { do: 'list product', stock: 10, priceCents: 499 }),
    { 'legal-states': /product product-lamp at 500, which it never cost/ },
  ],
  [
    'an order that came back after its cancellation',
    (run) => run.history.sightings.push(aSighting({ begunAt: 2_000, orderStatus: 'PLACED' })),
    { 'legal-states': /order id-of-two was seen PLACED after its cancellation had been acknowledged/ },
  ],
  [
    'an acknowledged order that was away for a while',
    (run) => run.history.sightings.push(aSighting({ orderId: 'id-of-three', begunAt: 2_000, status: 404 })),
    { 'legal-states': /order id-of-three was acknowledged and not found at 2000 ms/ },
  ],
  [
    'an edit that another one has undone',
    (run) => (productOf(run, MUG).priceCents = 100),
    { edits: /product product-mug costs 100 instead of 120/ },
  ],
  [
    'a list that leaves an order out',
    (run) => (run.books.shown.orders = run.books.shown.orders.filter(({ id }) => id !== 'id-of-one')),
    { shown: /order id-of-one as its buyer sees it/ },
  ],
  [
    'a product that cannot be read',
    (run) => run.books.shown.unread.push('GET /products/product-lamp answered 500'),
    { shown: /GET \/products\/product-lamp answered 500/ },
  ],
  [
    'a call that took too long',
    (run) =>
      run.history.calls.push(
        aCall({ ms: 10_001, begunAt: 1_000, status: 504, code: 'gateway-timeout', outcome: 'refused' }),
      ),
    { bounded: /order at 1.0 s took 10.0 s \(504\)/ },
  ],
  [
    'a recovery that took too long',
    (run) =>
      run.history.calls.push(
        aCall({ begunAt: 8_100, status: 503, code: 'database-unavailable', outcome: 'refused', probe: true }),
        aCall({ begunAt: 8_300, probe: true }),
      ),
    { recovery: /after kill at 3.0 s: order was well after 5.3 s only \(order: 503 database-unavailable\)/ },
  ],
  [
    'a shop that never recovered',
    (run) => {
      run.history.calls = run.history.calls.filter(({ action, begunAt }) => action !== 'log in' || begunAt < 3_000)
      run.history.calls.push(aCall({ action: 'log in', begunAt: 8_000, status: 0, outcome: 'unknown', probe: true }))
    },
    { recovery: /after kill at 3.0 s: log in never went well \(log in: 0\)/ },
  ],
  [
    'a failure in a run without faults',
    (run) => {
      ;[run.faults, run.exits] = [[], []]
      run.history.calls.push(aCall({ begunAt: 8_000, status: 502, code: 'bad-gateway', outcome: 'unknown' }))
    },
    { recovery: /before any fault: order at 8.0 s failed \(order: 502 bad-gateway\)/ },
  ],
  [
    'a failure before the first fault',
    (run) => run.history.calls.push(aCall({ action: 'pay', begunAt: 200, ...NO_GATEWAY })),
    { recovery: /before any fault: pay at 0.2 s failed \(pay: 503 gateway-unavailable\)/ },
  ],
  [
    'a call that was turned away before the first fault',
    (run) => {
      const late = { begunAt: 100, ms: 300, status: 503, code: 'database-unavailable', outcome: 'refused' } as const
      run.history.calls.push(aCall(late))
    },
    { recovery: /before any fault: order at 0.1 s failed \(order: 503 database-unavailable\)/ },
  ],
  [
    'a call that a restart in order has cut off',
    (run) => {
      const cut = aCall({ begunAt: 550, status: 502, code: 'bad-gateway', outcome: 'unknown' })
      deedOf(run, 'one').calls = [cut, aCall({ begunAt: 9_500, replayed: true })]
    },
    { drained: /order one at 0.6 s was done, and not answered \(502\)/ },
  ],
  [
    'a charge of an order that is not paid',
    (run) => (chargeOf(run, 'id-of-two').refunded = false),
    { 'charged-once': /order id-of-two is REFUNDED, and charged 1 times/ },
  ],
  [
    'an order that was charged twice',
    (run) => run.books.charges.push({ ...chargeOf(run, 'id-of-one'), paymentId: 'another' }),
    { 'charged-once': /order id-of-one is PAID, and charged 2 times/ },
  ],
  [
    'an order that was charged something else',
    (run) => (chargeOf(run, 'id-of-one').amountCents = 1),
    { 'charged-once': /order id-of-one of 1120 was charged 1/ },
  ],
  [
    'a charge after every payment was refused',
    (run) => Object.assign(deedOf(run, 'plastic'), { calls: [{ ...REFUSED, code: 'payment-declined' }], told: [] }),
    { 'charged-once': /order id-of-one was charged, and every payment was refused/ },
  ],
  [
    'a charge for nothing',
    (run) => run.books.charges.push({ ...chargeOf(run, 'id-of-one'), reference: 'nowhere' }),
    { 'charged-once': /nowhere was charged, and is no order/ },
  ],
  [
    'an acknowledged payment that is lost',
    (run) => {
      setOrder(run, 'id-of-one', { status: 'PLACED', paymentStatus: 'UNPAID' })
      run.books.shipments = []
      run.books.charges = run.books.charges.filter(({ reference }) => reference !== 'id-of-one')
      deedOf(run, 'parcel').calls = [REFUSED]
    },
    { acknowledged: /pay id-of-one/ },
  ],
  [
    'a charge of which nobody finds out',
    (run) => setOrder(run, 'id-of-three', { paymentStatus: 'PENDING' }),
    { 'payments-end': /order id-of-three is still PENDING/ },
  ],
  [
    'an order that expired before its time',
    (run) => {
      setOrder(run, 'id-of-three', { status: 'CANCELLED' })
      run.books.movements.push({ productId: LAMP, delta: 1, reason: 'CANCELLED', orderId: 'id-of-three', note: null })
      productOf(run, LAMP).available = 13
      run.books.shown.products[0] = { id: LAMP, available: 13, ledger: 13 }
    },
    { holds: /order id-of-three is cancelled, nobody has, and its hold is not over/ },
  ],
  [
    'an order that was seen cancelled before its time',
    (run) => run.history.sightings.push(aSighting({ orderId: 'id-of-three', orderStatus: 'CANCELLED' })),
    { holds: /order id-of-three was seen cancelled at 1500 ms; nobody had, and its hold was not over/ },
  ],
  [
    'an order that is held for ever',
    (run) =>
      (find(run.books.orders, ({ id }) => id === 'id-of-three').createdAt = new Date(BEGAN - 100_000).toISOString()),
    { holds: /order id-of-three is still held, although its hold is over/ },
  ],
  [
    'a shipment that is lost',
    (run) => (run.books.shipments = []),
    { acknowledged: /ship id-of-one/, 'shipped-by-steps': /whose shipments order id-of-one has/ },
  ],
  [
    'an order that is further than its shipments',
    (run) => setOrder(run, 'id-of-one', { status: 'DELIVERED' }),
    { 'shipped-by-steps': /how far order id-of-one is/ },
  ],
  [
    'an order that was cancelled after it had been packed',
    (run) => run.books.shipments.push({ orderId: 'id-of-two', sellerId: 'sam', status: 'PACKED' }),
    { 'shipped-by-steps': /order id-of-two was cancelled after it had been packed/ },
  ],
  [
    'a process that died by itself',
    (run) => run.exits.push({ process: 'products', pid: 8, at: 4_000 }),
    { survival: /products ended 1 times \(at 4.0 s\), and was ended 0 times/ },
  ],
  [
    'a process that stayed away',
    (run) => (run.running = run.running.filter((name) => name !== 'users')),
    { survival: /users does not run in the end/ },
  ],
  [
    'a kill that nobody died of',
    (run) => (run.exits = []),
    { survival: /orders was ended 2 times, and was seen to go 0 times/ },
  ],
  [
    'a fault of the shop',
    (run) => run.history.calls.push(aCall({ begunAt: 3_100, status: 500, code: 'internal-error', outcome: 'unknown' })),
    { answers: /order at 3.1 s was answered 500 internal-error/ },
  ],
  [
    'a refusal without a reason',
    (run) => run.history.calls.push(aCall({ status: 404, code: 'order-not-found', outcome: 'refused' })),
    { answers: /order at 1.0 s was answered 404 order-not-found/ },
  ],
  [
    'a fault that hit nothing',
    (run) => (find(run.faults, ({ kind }) => kind === 'kill').strikes = 0),
    { staged: /kill hit nothing in 1 times/ },
  ],
]

test.each(violations)('%s is named', async (_what, plant, found) => {
  const run = aRun()
  plant(run)
  const broken = await brokenIn(run)
  expect(Object.keys(broken).sort()).toEqual(Object.keys(found).sort())
  for (const [name, words] of Object.entries(found)) expect(broken[name]).toMatch(words)
})

test('where more time is allowed, what was late is forgiven and nothing else', async () => {
  const late = [
    'a call that took too long',
    'a recovery that took too long',
    'a call that was turned away before the first fault',
  ]
  for (const [what, plant, found] of violations) {
    const run = aRun()
    plant(run)
    run.allowed = { callMs: 15_000, recoveryMs: 15_000, refusalMs: 200 }
    const broken = Object.keys(await brokenIn(run)).sort()
    expect([what, broken]).toEqual([what, late.includes(what) ? [] : Object.keys(found).sort()])
  }
})

test('every promise has a violation planted against it', async () => {
  const names = (await judgeRun(aRun())).map(({ name }) => name)
  const planted = new Set(violations.flatMap(([, , found]) => Object.keys(found)))
  expect(names.filter((name) => !planted.has(name))).toEqual([])
})
