/** What one round of one cell showed. Times are milliseconds. */
export type Sample = {
  perSecond: number
  p50Ms?: number
  p99Ms?: number
  /** Medians of the short turns that the round was made of, the other subject's turns in between. */
  turnsMs?: number[]
  /** Answers that were not what the cell is about. */
  others?: number
  /** CPU milliseconds per answer by process; the same number is CPU seconds per 1,000. */
  cpu?: Record<string, number>
}

/** Who did what, with how many clients: `batching` placing `hot` orders over 64 connections. */
export type CellKey = { section: string; subject: string; mode: string; connections: number }
export type Cell = CellKey & { samples: Sample[] }

export type Machine = Record<
  'cpu' | 'cores' | 'memory' | 'system' | 'node' | 'postgres' | 'nginx' | 'wrk' | 'pgbench',
  string
>
export type Results = {
  measuredAt: string
  machine: Machine
  settings: {
    seconds: number
    rounds: number
    logLevel: string
    growth: { small: number; large: number }
    products: number
  }
  notes: string[]
  cells: Cell[]
  verdicts: Verdict[]
}

/**
 * A ratio of two cells, or a time, by its median. Undecided is what the rounds disagree about: the limit lies within their spread.
 * `wanted` is absent where it is only reported.
 */
export type Verdict = {
  title: string
  value: number
  spread: readonly [number, number]
  measured: Measured
  wanted?: string
  outcome?: 'holds' | 'missed' | 'undecided'
}
/** A figure of every round, with both of its sides; or one side came after all rounds of the other, minutes later. */
export type Measured = 'each round' | 'apart'

export function median(values: readonly number[]): number {
  if (values.length === 0) throw new Error('no values, no median')
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2
}

export const spread = (values: readonly number[]): readonly [number, number] => [
  Math.min(...values),
  Math.max(...values),
]

/** From the first quartile to the third. */
export function middleHalf(values: readonly number[]): readonly [number, number] {
  const sorted = values.toSorted((a, b) => a - b)
  const half = Math.ceil(sorted.length / 2)
  return [median(sorted.slice(0, half)), median(sorted.slice(-half))]
}

export const totalCpu = (sample: Sample): number | undefined =>
  sample.cpu && Object.values(sample.cpu).reduce((sum, each) => sum + each, 0)

export type Measure = (sample: Sample) => number | undefined
export const rate: Measure = (sample) => sample.perSecond
export const p50: Measure = (sample) => sample.p50Ms
export const p99: Measure = (sample) => sample.p99Ms

/** The median of one measure over a cell's rounds; undefined where it was not taken. */
export function typical(cell: Cell | undefined, measure: Measure): number | undefined {
  const values = (cell?.samples ?? []).map(measure).filter((value) => value !== undefined)
  return values.length > 0 ? median(values) : undefined
}

export const cellsBy =
  (cells: readonly Cell[]) => (section: string, subject: string, mode: string, connections: number) =>
    cells.find(
      (cell) =>
        cell.section === section && cell.subject === subject && cell.mode === mode && cell.connections === connections,
    )

const ratio = (a: number | undefined, b: number | undefined): number[] =>
  a !== undefined && b !== undefined && b > 0 ? [a / b] : []

/** Turn by turn, for a median of a round whose times are of two kinds, a fast disk's and a slow one's, says little. */
export const turnRatios = (above: Sample, below: Sample | undefined): number[] =>
  (above.turnsMs ?? []).flatMap((each, i) => ratio(each, below?.turnsMs?.[i]))

/**
 * Round by round, so that what slows both down for a while counts for neither. Where no round has both, each of the one with
 * each of the other.
 */
function ratios({ of: above, to: below, by, byBelow = by, measured = 'each round' }: Claim): number[] {
  if (!above || !below) return []
  return above.samples.flatMap((sample, i) => {
    const others = measured === 'apart' ? below.samples : below.samples.slice(i, i + 1)
    return others.flatMap((other) => {
      const turns = by === p50 && byBelow === p50 ? turnRatios(sample, other) : []
      return turns.length > 0 ? [median(turns)] : ratio(by(sample), byBelow(other))
    })
  })
}

type Claim = {
  title: string
  of: Cell | undefined
  to: Cell | undefined
  by: Measure
  byBelow?: Measure
  measured?: Measured
} & ({ atLeast: number } | { atMost: number } | { reported: true })

/** `holds` and `missed` only when all rounds agree. */
function judge([from, to]: readonly [number, number], claim: { atLeast: number } | { atMost: number }) {
  const [holds, missed] =
    'atLeast' in claim ? [from >= claim.atLeast, to < claim.atLeast] : [to <= claim.atMost, from > claim.atMost]
  const wanted = 'atLeast' in claim ? `≥ ${claim.atLeast}` : `≤ ${claim.atMost}`
  return { wanted, outcome: holds ? 'holds' : missed ? 'missed' : 'undecided' } as const
}

/** What the cells that there are say about what the shop promises. */
export function verdictsOn(cells: readonly Cell[]): Verdict[] {
  const cell = cellsBy(cells)
  const placed = (mode: string) => cell('placing', 'batching', mode, 64)
  const keyed = (mode: string) => cell('keys', 'batching', mode, 64)
  const read = (subject: string, mode: string) => cell('reads', subject, mode, 64)
  const grown = (size: string, mode: string, connections: number) => cell('growth', size, mode, connections)
  const claims: Claim[] = [
    {
      title: 'hot, 64 clients: orders/s ÷ pgbench',
      of: placed('hot'),
      to: cell('placing', 'pgbench', 'hot', 64),
      by: rate,
      atLeast: 4,
    },
    {
      title: 'spread, 64 clients: orders/s ÷ pgbench',
      of: placed('spread'),
      to: cell('placing', 'pgbench', 'spread', 64),
      by: rate,
      atLeast: 0.7,
    },
    {
      title: 'hot, with keys: orders/s ÷ pgbench',
      of: keyed('hot'),
      to: cell('keys', 'pgbench', 'hot', 64),
      by: rate,
      reported: true,
    },
    {
      title: 'spread, with keys: orders/s ÷ pgbench',
      of: keyed('spread'),
      to: cell('keys', 'pgbench', 'spread', 64),
      by: rate,
      reported: true,
    },
    {
      title: 'hot, 64 clients: batching ÷ plain',
      of: placed('hot'),
      to: cell('placing', 'plain', 'hot', 64),
      by: rate,
      reported: true,
    },
    {
      title: 'spread, 64 clients: batching ÷ plain',
      of: placed('spread'),
      to: cell('placing', 'plain', 'spread', 64),
      by: rate,
      reported: true,
    },
    {
      title: 'sold out: refusals/s ÷ successes/s',
      of: cell('sold-out', 'batching', 'refused', 64),
      to: cell('sold-out', 'batching', 'placed', 64),
      by: rate,
      atLeast: 1,
    },
    ...['hot', 'spread'].flatMap((mode): Claim[] => [
      {
        title: `${mode}, one client: p50 batching ÷ plain`,
        of: cell('one-client', 'batching', mode, 1),
        to: cell('one-client', 'plain', mode, 1),
        by: p50,
        atMost: 1.05,
      },
      { title: `${mode}, 64 clients: p99 ÷ p50`, of: placed(mode), to: placed(mode), by: p99, byBelow: p50, atMost: 5 },
    ]),
    {
      title: 'product page, cached ÷ constant answer',
      of: read('cached', 'product'),
      to: read('constant', 'answer'),
      by: rate,
      atLeast: 0.5,
    },
    {
      title: 'list, cached ÷ constant answer',
      of: read('cached', 'list'),
      to: read('constant', 'answer'),
      by: rate,
      atLeast: 0.5,
    },
    {
      title: 'list, uncached ÷ Prisma findMany',
      of: read('service', 'list'),
      to: read('prisma', 'list'),
      by: rate,
      atLeast: 2,
    },
    ...['hot', 'spread'].map((mode): Claim => ({
      title: `growth, ${mode}: CPU per order, large ÷ small`,
      of: grown('large', mode, 64),
      to: grown('small', mode, 64),
      by: totalCpu,
      measured: 'apart',
      atMost: 1.2,
    })),
    ...['hot', 'spread'].map((mode): Claim => ({
      title: `growth, ${mode}: time per order, large ÷ small`,
      of: grown('small', mode, 64),
      to: grown('large', mode, 64),
      by: rate,
      measured: 'apart',
      atMost: 1.2,
    })),
    ...['orders, first page', 'orders, next page', 'products, first page'].map((mode): Claim => ({
      title: `growth, ${mode}: time, large ÷ small`,
      of: grown('large', mode, 1),
      to: grown('small', mode, 1),
      by: p50,
      measured: 'apart',
      atMost: 1.2,
    })),
    ...['hot', 'spread'].map((mode): Claim => ({
      title: `two orders processes, ${mode}: orders/s ÷ one`,
      of: cell('two-processes', 'batching', mode, 64),
      to: placed(mode),
      by: rate,
      measured: 'apart',
      reported: true,
    })),
  ]
  const compared = claims.flatMap((claim): Verdict[] => {
    const { title, measured = 'each round' } = claim
    const values = ratios(claim)
    if (values.length === 0) return []
    const found = { title, value: median(values), spread: spread(values), measured }
    return ['reported' in claim ? found : { ...found, ...judge(found.spread, claim) }]
  })
  return [...compared, ...slowestOf(cells)]
}

/** What is said of a search for which nobody waits in front of one: its slowest kind, round by round. */
function slowestOf(cells: readonly Cell[]): Verdict[] {
  const alone = cells.filter(({ section, connections }) => section === 'search' && connections === 1)
  const rounds = Math.max(0, ...alone.map(({ samples }) => samples.length))
  const slowest = Array.from({ length: rounds }, (_, i) =>
    Math.max(...alone.map(({ samples }) => samples[i]?.p99Ms ?? 0)),
  )
  if (slowest.length === 0) return []
  const found = { value: median(slowest), spread: spread(slowest), measured: 'each round' } as const
  return [
    { title: 'search, one client: p99 of the slowest kind, ms', ...found, ...judge(found.spread, { atMost: 50 }) },
  ]
}
