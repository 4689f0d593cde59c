import { NoStart } from '../accounts'
import { INTERRUPTED, interruption, isInterruption, WrongOption } from '../options'
import { grouped, held, progressOn, table, Undecided, type Finding } from '../report'
import { optionsFrom, USAGE, type Options } from './options'
import { prove, type Progress, type Report } from './run'

async function main(args: readonly string[]): Promise<number> {
  const options = optionsFrom(args)
  if (options === 'help') {
    console.log(USAGE)
    return 0
  }
  const { progress, clear } = watch(options)
  const report = await prove(options, progress, interruption()).finally(clear)
  console.log(options.json ? JSON.stringify(report, undefined, 2) : `\n${table(report.promises)}\n${ending(report)}`)
  return report.ok ? 0 : 1
}

/** What is going on, on stderr: stdout is the result's. */
function watch({ url, seed, size, only }: Options): { progress: Progress; clear: () => void } {
  const { show, say, clear } = progressOn(process.stderr)
  let ticker: NodeJS.Timeout | undefined
  const ticking = (line: () => string) => {
    clearInterval(ticker)
    show(line())
    ticker = setInterval(() => show(line()), 200)
  }
  const timed = () => {
    const begun = performance.now()
    return () => `${((performance.now() - begun) / 1000).toFixed(0)} s`
  }

  say(`Proving ${url} with --seed ${seed} --size ${size}`)
  const opening = timed()
  ticking(() => `opening accounts, ${opening()}`)
  let looked = 0
  return {
    progress: {
      opened: (accounts) => say(`  ${accounts} accounts opened in ${opening()}`),
      begin: ({ name }, round, calls) => {
        const looking = timed()
        ticking(() => {
          const at = `${round > 0 ? `round ${round + 1}, ` : ''}${looked + 1} of ${only.length}`
          const waits = calls.limited + calls.unavailable
          const waited = waits > 0 ? `, told to wait ${grouped(waits)} times` : ''
          return `${at}: ${name}, ${looking()}, ${grouped(calls.calls)} calls${waited}`
        })
      },
      end: (finding) => {
        looked = (looked + 1) % only.length
        say(`${held(finding) ? '✓' : '✗'} ${finding.name}: ${grouped(finding.checks)} checks in ${seconds(finding)} s`)
      },
    },
    clear: () => {
      clearInterval(ticker)
      clear()
    },
  }
}

const seconds = ({ ms }: Finding): string => (ms / 1000).toFixed(1)

function ending({ promises, skipped, calls, rounds, seconds, seed }: Report): string {
  const checks = promises.reduce((sum, finding) => sum + finding.checks, 0)
  const good = promises.filter((finding) => finding.held).length
  const waits = calls.limited + calls.unavailable
  return [
    ...skipped.map(({ promise, reason }) => `Not looked at: ${promise} (${reason})`),
    '',
    `${good} of ${promises.length} promises held in ${grouped(checks)} checks and ${grouped(calls.calls)} calls, ` +
      `${rounds === 1 ? '' : `${rounds} rounds, `}${seconds} s; told to wait: ${grouped(waits)}. Seed ${seed}.`,
  ].join('\n')
}

main(process.argv.slice(2)).then(
  (status) => process.exit(status),
  (error: unknown) => {
    if (isInterruption(error)) console.error('Interrupted.')
    else if (error instanceof WrongOption) console.error(`${error.message}\n\n${USAGE}`)
    else console.error(error instanceof NoStart || error instanceof Undecided ? error.message : error)
    process.exit(isInterruption(error) ? INTERRUPTED : 2) // also when a look goes on that nobody waits for
  },
)
