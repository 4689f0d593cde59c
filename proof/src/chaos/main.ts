import { WrongOption } from '../options'
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
  const interrupted = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => interrupted.abort())
  const result = await runChaos({ ...options, show, say, signal: interrupted.signal }).finally(clear)
  const memory = memoryOf(result.memory)
  if (options.json) console.log(JSON.stringify({ tool: 'chaos', ...result, memory }, undefined, 2))
  else console.log(`\n${summary(result)}`)
  return result.findings.every(held) ? 0 : 1
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    if (error instanceof WrongOption) console.error(`${error.message}\n\n${USAGE}`)
    else console.error(error)
    process.exit(error instanceof WrongOption ? 2 : 1)
  },
)
