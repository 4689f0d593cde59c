import { INTERRUPTED, interruption, isInterruption, WrongOption } from '../options'
import { held, progressOn } from '../report'
import { memoryOf } from './memory'
import { optionsFrom, USAGE } from './options'
import { describe, planOf, runChaos } from './run'
import { summary } from './summary'

async function main(args: readonly string[]): Promise<number> {
  const options = optionsFrom(args)
  if (options === 'help') {
    console.log(USAGE)
    return 0
  }
  if (options.plan) {
    const { faults, faultsDigest, loadDigest } = planOf(options)
    console.log(
      [...faults.map(describe), '', `Seed ${options.seed}, faults ${faultsDigest}, load ${loadDigest}.`].join('\n'),
    )
    return 0
  }
  const { show, say, clear } = progressOn(process.stderr)
  const result = await runChaos({ ...options, show, say, signal: interruption() }).finally(clear)
  const memory = memoryOf(result.memory)
  if (options.json) console.log(JSON.stringify({ tool: 'chaos', ...result, memory }, undefined, 2))
  else console.log(`\n${summary(result)}`)
  return result.findings.every(held) ? 0 : 1
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    if (isInterruption(error)) console.error('Interrupted.')
    else console.error(error instanceof WrongOption ? `${error.message}\n\n${USAGE}` : error)
    process.exit(isInterruption(error) ? INTERRUPTED : error instanceof WrongOption ? 2 : 1)
  },
)
