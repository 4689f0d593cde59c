import { NoStart } from '../accounts'
import { INTERRUPTED, interruption, WrongOption } from '../options'
import { progressOn, Undecided } from '../report'
import { optionsFrom, USAGE } from './options'
import { run } from './run'
import { findingsIn, findingsText, summary } from './summary'

async function main(args: readonly string[]): Promise<number> {
  const options = optionsFrom(args)
  if (options === 'help') {
    console.log(USAGE)
    return 0
  }
  const { show, say, clear } = progressOn(process.stderr)
  say(`Fuzzing ${options.url} with --seed ${options.seed} --cases ${options.cases}`)
  const signal = interruption()
  const report = await run(options, show, signal).finally(clear)
  if (options.json)
    console.log(
      JSON.stringify(
        report,
        (_, value: unknown) => (value instanceof Map ? (Object.fromEntries(value) as unknown) : value),
        2,
      ),
    )
  else console.log(`\n${findingsText(report)}${summary(report)}`)
  if (signal.aborted) console.error('Interrupted: that was not all.')
  if (findingsIn(report) > 0) return 1
  return signal.aborted ? INTERRUPTED : 0
}

main(process.argv.slice(2)).then(
  (code) => (process.exitCode = code),
  (error: unknown) => {
    if (error instanceof WrongOption) console.error(`${error.message}\n\n${USAGE}`)
    else console.error(error instanceof NoStart || error instanceof Undecided ? error.message : error)
    process.exitCode = 2
  },
)
