import {
  cellsBy,
  middleHalf,
  p50,
  p99,
  rate,
  spread,
  totalCpu,
  turnRatios,
  typical,
  type Cell,
  type CellKey,
  type Results,
  type Sample,
} from './figures'

const number = (value: number | undefined): string =>
  value === undefined
    ? '–'
    : value.toLocaleString('en', { maximumFractionDigits: value < 10 ? 2 : value < 100 ? 1 : 0 })

/** One line as a cell's round ends. */
export function progressLine({ section, subject, mode, connections }: CellKey, sample: Sample): string {
  const { perSecond, p50Ms, p99Ms, others } = sample
  const name = `${section}, ${mode}, ${subject}`.padEnd(44)
  const times = p50Ms === undefined ? '' : `   p50 ${number(p50Ms)} ms   p99 ${number(p99Ms)} ms`
  const cpu = totalCpu(sample)
  return `  ${name} ${String(connections).padStart(4)}  ${number(perSecond).padStart(8)}/s${times}${
    cpu === undefined ? '' : `   CPU ${number(cpu)} ms`
  }${others ? `   others ${others}` : ''}`
}

/** Columns as wide as what is in them, the first one to the left. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  ')
      .trimEnd(),
  )
}

const CELL_HEAD = ['', 'clients', 'per second', 'from', 'to', 'p50 ms', 'p99 ms', 'CPU ms', 'others']

function cellRow(cell: Cell): string[] {
  const [from, to] = spread(cell.samples.map((sample) => sample.perSecond))
  const others = cell.samples.reduce((sum, sample) => sum + (sample.others ?? 0), 0)
  return [
    `${cell.section}, ${cell.mode}, ${cell.subject}`,
    String(cell.connections),
    ...[typical(cell, rate), from, to, typical(cell, p50), typical(cell, p99), typical(cell, totalCpu)].map(number),
    others === 0 ? '' : String(others),
  ]
}

function cpuRows(cells: readonly Cell[]): string[][] {
  return cells.flatMap((cell) => {
    const names = [...new Set(cell.samples.flatMap(({ cpu }) => Object.keys(cpu ?? {})))]
    const parts = names
      .map((name) => ({ name, ms: typical(cell, ({ cpu }) => cpu?.[name] ?? 0) ?? 0 }))
      .filter(({ ms }) => ms >= 0.005)
      .sort((a, b) => b.ms - a.ms)
    if (cell.connections !== 64 || parts.length === 0) return []
    return [
      [
        `${cell.section}, ${cell.mode}, ${cell.subject}`,
        parts.map(({ name, ms }) => `${name} ${number(ms)}`).join(', '),
      ],
    ]
  })
}

const range = ([from, to]: readonly [number, number]): string => `${number(from)}–${number(to)}`

/** All figures, for a screen. */
export function screen({ cells, verdicts, machine, notes }: Results): string {
  return [
    Object.values(machine).join(' · '),
    ...notes,
    '',
    ...table([CELL_HEAD, ...cells.map(cellRow)]),
    '',
    'CPU seconds per 1,000 answers, 64 clients',
    ...cpuRows(cells).map(([name = '', parts = '']) => `  ${name.padEnd(36)} ${parts}`),
    '',
    ...table([
      ['figure', 'median', 'rounds', 'measured', 'wanted', ''],
      ...verdicts.map(({ title, value, spread: each, measured, wanted = '', outcome = '' }) => [
        title,
        number(value),
        range(each),
        measured,
        wanted,
        outcome === 'missed' ? 'MISSED' : outcome,
      ]),
    ]),
    ...turnLines(cells),
  ].join('\n')
}

const markdown = (head: readonly string[], rows: readonly (readonly string[])[]): string[] => [
  `| ${head.join(' | ')} |`,
  `| ${head.map((_, i) => (i === 0 ? '---' : '--:')).join(' | ')} |`,
  ...rows.map((row) => `| ${row.join(' | ')} |`),
]

/** How long a search takes the products service. */
function searchLines({ cells, settings }: Results): string[] {
  const cell = cellsBy(cells)
  const modes = [...new Set(cells.filter(({ section }) => section === 'search').map(({ mode }) => mode))]
  if (modes.length === 0) return []
  const times = (mode: string, clients: number) => {
    const found = cell('search', 'service', mode, clients)
    return [typical(found, p50), typical(found, p99)].map(number)
  }
  return [
    `Lists and searches of the products service over ${number(settings.products)} products, without a cache, each kind a hundred different ones:`,
    '',
    ...markdown(
      ['asked for', 'alone: p50, ms', 'p99, ms', '16 clients: p50, ms', 'p99, ms'],
      modes.map((mode) => [mode, ...times(mode, 1), ...times(mode, 16)]),
    ),
    '',
  ]
}

/** How the two stores were compared for one client, and how far their turns differ. */
function turnLines(cells: readonly Cell[]): string[] {
  const cell = cellsBy(cells)
  const found = (['hot', 'spread'] as const).flatMap((mode) => {
    const [batching, plain] = [cell('one-client', 'batching', mode, 1), cell('one-client', 'plain', mode, 1)]
    const all = (batching?.samples ?? []).flatMap((sample, i) => turnRatios(sample, plain?.samples[i]))
    return all.length > 0 ? [{ turns: all.length, half: `${mode} ${range(middleHalf(all))}` }] : []
  })
  if (found.length === 0) return []
  return [
    `One client orders from two shops that are up at once, by ${number(found[0]?.turns)} short turns of each; ` +
      `the rates of one client further up are of starts that were minutes apart. Half of the turns’ ratios: ${found.map(({ half }) => half).join(', ')}.`,
  ]
}

/** The README's section on performance. */
export function readmeSection(results: Results): string {
  const { cells, verdicts, machine, settings, measuredAt, notes } = results
  const cell = cellsBy(cells)
  const connections = [...new Set(cells.filter(({ section }) => section === 'placing').map((each) => each.connections))]
  const placing = (['hot', 'spread'] as const).flatMap((mode) =>
    connections.flatMap((clients) => {
      const of = (subject: string) => cell('placing', subject, mode, clients)
      const batching = of('batching')
      if (!batching) return []
      const name = mode === 'hot' ? 'one product' : '1,000 products'
      const rates = ['pgbench', 'plain', 'batching'].map((subject) => number(typical(of(subject), rate)))
      return [[name, String(clients), ...rates, number(typical(batching, p50)), number(typical(batching, p99))]]
    }),
  )
  return [
    `Measured by \`npm run bench\` on ${measuredAt.slice(0, 10)}: ${Object.values(machine).join(', ')}; ` +
      `load generator, Nginx, Node and Postgres share the machine, durability on. Medians of ${settings.rounds} rounds of ${settings.seconds} s.`,
    '',
    ...(placing.length > 0 ? ['Orders a second:', ''] : []),
    ...(placing.length > 0
      ? markdown(['everybody buys', 'clients', 'pgbench', 'plain', 'batching', 'its p50, ms', 'its p99, ms'], placing)
      : []),
    '',
    'pgbench does nothing but the same writes, one order a transaction, on the same server and tables. ' +
      notes.join(' '),
    '',
    '![Orders a second by clients](bench/results/orders.svg)',
    '',
    ...searchLines(results),
    ...markdown(
      ['figure', 'median', 'rounds', 'measured', 'wanted'],
      verdicts.map(({ title, value, spread: each, measured, wanted = '', outcome }) => [
        title,
        number(value),
        range(each),
        measured,
        outcome === undefined || outcome === 'holds' ? wanted : `${wanted}, ${outcome}`,
      ]),
    ),
    '',
    'What is measured in each round gives one value a round; apart are all rounds of the one side and then all of the other, minutes ' +
      'later, and each gives a value with each. Undecided: the limit lies within the spread of these.',
    '',
    ...turnLines(cells).flatMap((line) => [line, '']),
    `Growth is from ${number(settings.growth.small)} to ${number(settings.growth.large)} orders. All figures are in [latest.json](bench/results/latest.json).`,
  ].join('\n')
}
