import { NoStart } from '../accounts'
import { WrongOption } from '../options'
import { grouped, held, progressOn, table, type Finding } from '../report'
import { optionsFrom, USAGE } from './options'
import { prove, type Report } from './run'

async function main(args: readonly string[]): Promise<number> {
  const options = optionsFrom(args)
  if (options === 'help') {
    console.log(USAGE)
    return 0
  }
  const { show, say, clear } = progressOn(process.stderr)
  say(`Proving ${options.url} with --seed ${options.seed} --size ${options.size}`)
  show('opening accounts …')
  let [looked, ticker]: [number, NodeJS.Timeout | undefined] = [0, undefined]
  const progress: Parameters<typeof prove>[1] = {
    begin: ({ name }, round) => {
      const begun = performance.now()
      const line = () => {
        const { calls, limited, unavailable } = progress!.calls!
        const waits = limited + unavailable > 0 ? `, told to wait ${grouped(limited + unavailable)} times` : ''
        show(
          `${round > 0 ? `round ${round + 1}: ` : ''}${looked + 1}/${options.only.length} ${name}, ` +
            `${((performance.now() - begun) / 1000).toFixed(0)} s, ${grouped(calls)} calls${waits}`,
        )
      }
      line()
      ticker = setInterval(line, 200)
    },
    end: (finding) => {
      clearInterval(ticker)
      looked = (looked + 1) % options.only.length
      say(`${held(finding) ? '✓' : '✗'} ${finding.name}: ${grouped(finding.checks)} checks, ${seconds(finding)} s`)
    },
  }
  const report = await prove(options, progress).finally(() => {
    clearInterval(ticker)
    clear()
  })
  if (options.json) console.log(JSON.stringify(report, undefined, 2))
  else console.log(`\n${table(report.promises)}\n${ending(report)}`)
  return report.ok ? 0 : 1
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
      `${rounds === 1 ? '' : `${rounds} rounds, `}${seconds} s, ${grouped(waits)} times told to wait. Seed ${seed}.`,
  ].join('\n')
}

main(process.argv.slice(2)).then(
  (code) => (process.exitCode = code),
  (error: unknown) => {
    if (error instanceof WrongOption) console.error(`${error.message}\n\n${USAGE}`)
    else if (error instanceof NoStart) console.error(error.message)
    else throw error
    process.exitCode = 2
  },
)
