import { WrongOption } from '../../proof/src/options'
import { parsePgbench } from '../src/baseline'
import { cpuPerAnswer } from '../src/cpu'
import { median, middleHalf, verdictsOn, type Cell, type Results } from '../src/figures'
import { parseWrk } from '../src/load'
import { optionsFrom } from '../src/options'
import { ordersPlot } from '../src/plot'
import { selfTimes } from '../src/profile'
import { readmeSection, screen, table } from '../src/report'

const cell = (subject: string, mode: string, connections: number, ...rates: number[]): Cell => ({
  section: 'placing',
  subject,
  mode,
  connections,
  samples: rates.map((perSecond) => ({ perSecond, p50Ms: 10, p99Ms: 60, cpu: { orders: 0.25, postgres: 0.125 } })),
})
const cells = [
  cell('batching', 'hot', 64, 4000, 4400, 5000),
  cell('pgbench', 'hot', 64, 800, 1100, 500),
  cell('plain', 'hot', 64, 400, 400, 400),
]
const results: Results = {
  measuredAt: '2026-11-21T08:30:00.000Z',
  machine: {
    cores: '2 cores',
    cpu: 'a processor',
    memory: '24 GB',
    system: 'Linux',
    node: 'Node 20',
    postgres: 'Postgres 18.4',
    nginx: 'Nginx 1.22',
    wrk: 'wrk 4.1',
    pgbench: 'pgbench 15',
  },
  settings: { seconds: 8, rounds: 3, logLevel: 'info', growth: { small: 1e4, large: 1e7 }, products: 1e5 },
  notes: ['A note.'],
  cells,
  verdicts: verdictsOn(cells),
}

test('a median is the middle value, or the mean of the middle two', () => {
  expect([median([3]), median([10, 9, 100]), median([1, 2, 3, 10])]).toEqual([3, 10, 2.5])
  expect(() => median([])).toThrow('no median')
})

test('half of the values lie within the middle half', () => {
  expect([middleHalf([5, 1, 4, 2, 3]), middleHalf([4, 1, 3, 2]), middleHalf([7])]).toEqual([
    [2, 4],
    [1.5, 3.5],
    [7, 7],
  ])
})

test('ratios are taken round by round, and held to what is wanted', () => {
  const measured = 'each round'
  expect(verdictsOn(cells)).toEqual([
    {
      title: 'hot, 64 clients: orders/s ÷ pgbench',
      value: 5,
      spread: [4, 10],
      measured,
      wanted: '≥ 4',
      outcome: 'holds',
    },
    { title: 'hot, 64 clients: batching ÷ plain', value: 11, spread: [10, 12.5], measured },
    { title: 'hot, 64 clients: p99 ÷ p50', value: 6, spread: [6, 6], measured, wanted: '≤ 5', outcome: 'missed' },
  ])
})

test.each([
  [[4, 5, 9], 'holds'],
  [[3.9, 5, 9], 'undecided'],
  [[1, 2, 4], 'undecided'],
  [[1, 2, 3.9], 'missed'],
])('at least 4 is wanted and rounds are %j: %s', (ratios, outcome) => {
  const rates = ratios.map((each) => each * 100)
  const ones = rates.map(() => 100)
  const of = [cell('batching', 'hot', 64, ...rates), cell('pgbench', 'hot', 64, ...ones)]
  expect(verdictsOn(of)[0]).toMatchObject({ wanted: '≥ 4', outcome })
})

test('at most is held by the highest round, and missed by the lowest', () => {
  const outcomes = [
    [4, 5],
    [4, 5.1],
    [5.1, 6],
  ].map((p99s) => {
    const samples = p99s.map((p99Ms) => ({ perSecond: 1, p50Ms: 1, p99Ms }))
    return verdictsOn([{ ...cell('batching', 'hot', 64), samples }]).map(({ outcome }) => outcome)
  })
  expect(outcomes).toEqual([['holds'], ['undecided'], ['missed']])
})

test('where all rounds of the one side came before those of the other, each is compared with each', () => {
  const grown = (subject: string, ...rates: number[]) => ({ ...cell(subject, 'hot', 64, ...rates), section: 'growth' })
  const [, time] = verdictsOn([grown('small', 100, 110, 120), grown('large', 100, 80, 96)])
  expect(time).toEqual({
    title: 'growth, hot: time per order, large ÷ small',
    value: 1.2,
    spread: [1, 1.5],
    measured: 'apart',
    wanted: '≤ 1.2',
    outcome: 'undecided',
  })
})

const alone = (subject: string, ...rounds: number[][]): Cell => ({
  section: 'one-client',
  subject,
  mode: 'hot',
  connections: 1,
  samples: rounds.map((turnsMs) => ({ perSecond: 1, p50Ms: 100, p99Ms: 100, turnsMs })),
})
// The disk is three times as slow in some turns as in others.
const turns = [alone('batching', [1, 3, 3.3], [1.1, 1.1, 3.6]), alone('plain', [1, 3, 3], [1, 1, 3])]

test('the stores are compared for one client turn by turn, and not by what came in other turns', () => {
  expect(verdictsOn(turns)).toEqual([
    {
      title: 'hot, one client: p50 batching ÷ plain',
      value: 1.05,
      spread: [1, 1.1],
      measured: 'each round',
      wanted: '≤ 1.05',
      outcome: 'undecided',
    },
  ])
  expect(verdictsOn([{ ...cell('batching', 'hot', 1, 1) }, { ...cell('plain', 'hot', 1, 1) }])).toEqual([])
  const section = readmeSection({ ...results, cells: turns, verdicts: verdictsOn(turns) })
  expect(section).toContain('| hot, one client: p50 batching ÷ plain | 1.05 | 1–1.1 | each round | ≤ 1.05, undecided |')
  expect(section).toContain('by 6 short turns of each;')
  expect(section).toContain('Half of the turns’ ratios: hot 1–1.1.')
})

test('of searches alone the slowest kind counts, round by round', () => {
  const kind = (mode: string, connections: number, ...p99s: number[]): Cell => ({
    section: 'search',
    subject: 'service',
    mode,
    connections,
    samples: p99s.map((p99Ms) => ({ perSecond: 1, p50Ms: 1, p99Ms })),
  })
  const searched = [kind('a word', 1, 10, 20, 30), kind('two words', 1, 40, 5, 60), kind('a word', 16, 500, 500, 500)]
  expect(verdictsOn(searched)).toEqual([
    {
      title: 'search, one client: p99 of the slowest kind, ms',
      value: 40,
      spread: [20, 60],
      measured: 'each round',
      wanted: '≤ 50',
      outcome: 'undecided',
    },
  ])
  const section = readmeSection({ ...results, settings: { ...results.settings, products: 100_000 }, cells: searched })
  expect(section).toContain('over 100,000 products')
  expect(section).toContain('| a word | 1 | 20 | 1 | 500 |')
  expect(readmeSection(results)).not.toContain('searches')
})

test('the README says what was wanted, and what was missed', () => {
  const section = readmeSection(results)
  expect(section).toContain('| hot, 64 clients: orders/s ÷ pgbench | 5 | 4–10 | each round | ≥ 4 |')
  expect(section).toContain('| hot, 64 clients: p99 ÷ p50 | 6 | 6–6 | each round | ≤ 5, missed |')
})

test('wrk’s last line counts; without it the run is an error', () => {
  const output =
    'Running 2s test @ http://127.0.0.1:8080\n\n{"requests":3000,"microseconds":2000000,"p50":1500,"p99":9250,"refused":7,"broken":1}\n'
  expect(parseWrk(output)).toEqual({
    perSecond: 1500,
    answers: 3000,
    refused: 7,
    broken: 1,
    p50Ms: 1.5,
    p99Ms: 9.25,
  })
  expect(() => parseWrk('Running 2s test\n')).toThrow('without a summary')
})

test('pgbench’s rate excludes its connecting, and a failed or aborted client is an error', () => {
  const good = `pgbench (15.18, server 18.4)
number of transactions actually processed: 1340
number of failed transactions: 0 (0.000%)
latency average = 95.123 ms
initial connection time = 61.2 ms
tps = 672.811234 (without initial connection time)
`
  expect(parsePgbench(good)).toEqual({ perSecond: 672.811234, meanMs: 95.123 })
  expect(() => parsePgbench(good.replace('transactions: 0', 'transactions: 3'))).toThrow('did not do')
  expect(() => parsePgbench(`${good}pgbench: error: client 3 script 0 aborted in command 2`)).toThrow('did not do')
  expect(() => parsePgbench('connection refused')).toThrow('did not do')
})

test('CPU is divided by the answers, and idle processes are left out', () => {
  const [before, after] = [
    { orders: 100, swagger: 5 },
    { orders: 350, swagger: 5, postgres: 40 },
  ]
  expect(cpuPerAnswer(before, after, 1000)).toEqual({ orders: 0.25, postgres: 0.04 })
  expect(cpuPerAnswer(before, after, 0)).toBeUndefined()
})

test('a profile says where time went by package and by function, without idle time and loading', () => {
  const frame = (functionName: string, url = '', lineNumber = 0) => ({ functionName, url, lineNumber })
  const profile = {
    nodes: [
      { id: 1, callFrame: frame('(root)'), children: [2, 3, 5, 6] },
      { id: 2, callFrame: frame('(idle)') },
      { id: 3, callFrame: frame('log', 'file:///shop/node_modules/pino/lib/log.js', 9), children: [4] },
      { id: 4, callFrame: frame('writeString') },
      { id: 5, callFrame: frame('place', 'file:///shop/orders/dist/place.js', 4) },
      { id: 6, callFrame: frame('wrapSafe', 'node:internal/modules/cjs/loader', 1421), children: [7] },
      { id: 7, callFrame: frame('main', 'file:///shop/orders/dist/main.js', 1) },
    ],
    samples: [2, 3, 4, 5, 7],
    timeDeltas: [500, 10, 30, 60, 300],
  }
  expect(selfTimes(JSON.stringify(profile), '/shop', 9)).toEqual([
    ' 60.0 %  orders/dist/place.js',
    ' 40.0 %  pino',
    '',
    ' 60.0 %  place  orders/dist/place.js:5',
    ' 30.0 %  writeString',
    ' 10.0 %  log  node_modules/pino/lib/log.js:10',
  ])
})

test('options have sizes for every purpose, and a wrong one is named', () => {
  expect(optionsFrom([])).toMatchObject({
    rounds: 3,
    turns: 100,
    connections: [1, 16, 64, 256],
    growth: { small: 1e4, large: 1e7 },
  })
  expect(optionsFrom([])).toMatchObject({ sections: expect.not.arrayContaining(['profile']) })
  expect(optionsFrom(['--quick', '--only', 'hot, reads', '--growth', '2e4'])).toMatchObject({
    sections: ['hot', 'reads'],
    rounds: 1,
    growth: { large: 20000 },
  })
  expect(() => optionsFrom(['--only', 'cold'])).toThrow('--only: there is no cold; there are hot, spread')
  expect(() => optionsFrom(['--rounds', '0'])).toThrow('--rounds: 0')
  expect(() => optionsFrom(['--fast'])).toThrow(WrongOption)
})

test('tables line up', () => {
  expect(
    table([
      ['', 'rate'],
      ['hot', '1,000'],
      ['spread', '9'],
    ]),
  ).toEqual(['         rate', 'hot     1,000', 'spread      9'])
})

test('the screen shows every cell and says what misses', () => {
  const text = screen(results)
  expect(text).toMatch(/placing, hot, batching +64 +4,400 +4,000 +5,000 +10 +60 +0.38/)
  expect(text).toMatch(/p99 ÷ p50 +6 +6–6 +each round +≤ 5 +MISSED/)
  expect(text).toMatch(/placing, hot, batching +orders 0.25, postgres 0.13/)
})

test('the README’s section has the figures and names the machine', () => {
  const section = readmeSection(results)
  expect(section).toContain('| one product | 64 | 800 | 400 | 4,400 | 10 | 60 |')
  expect(section).toContain('on 2026-11-21: 2 cores, a processor')
})

test('the plot has a line for everybody who placed orders, and is well-formed', () => {
  const svg = ordersPlot(cells)
  expect(svg.match(/<polyline points="[^"]+"/g)).toHaveLength(3)
  expect(svg.match(/<circle /g)).toHaveLength(3)
  expect(svg).not.toMatch(/NaN|undefined|Infinity/)
  const opened = svg.match(/<(?!\/)\w+(?=[ >])[^>]*(?<!\/)>/g) ?? []
  expect(svg.match(/<\/\w+>/g)).toHaveLength(opened.length)
})
