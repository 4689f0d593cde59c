import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { withSection } from '../../../scripts/src/readme'
import { ROOT, runTool, UserError } from '../../../scripts/src/terminal'
import { needTool, NGINX } from '../../../scripts/src/tools'
import { INTERRUPTED, interruption, isInterruption, names, readArguments, wholeNumber, WrongOption } from '../options'
import { progressOn } from '../report'
import { readMutants } from './mutant'
import { caught, finding, readmeSection, screen } from './report'
import { tryMutants, type Tried } from './run'

const USAGE = `npm run mutants -- [options]
  --only a,b   some of the mutants in tests/mutants (all); then nothing is written down
  --jobs n     mutants tried at the same time (1)

Puts one fault at a time into a copy of the working tree and runs the tests that have to notice. What noticed goes into README.md
and tests/mutants/results.json. Exit status: 0 when every mutant was caught, 1 when one was not, or nothing could be learnt because
a patch does not apply or the tests are red without any, 2 when the options are wrong.`

async function main(args: readonly string[]): Promise<number> {
  const values = readArguments(args, {
    only: { type: 'string' },
    jobs: { type: 'string', default: '1' },
    help: { type: 'boolean', default: false },
  })
  if (values.help) {
    console.log(USAGE)
    return 0
  }
  const all = readMutants(ROOT)
  const known = all.map(({ name }) => name)
  const wanted = values.only === undefined ? known : names('only', values.only, known)
  const mutants = all.filter(({ name }) => wanted.includes(name))
  const jobs = wholeNumber('jobs', values.jobs, { max: 64 })

  const { show, say, clear } = progressOn(process.stderr)
  const env = { [NGINX.variable]: await needTool(NGINX, process.env) }
  const begun = new Date()
  let done = 0
  const tried = await tryMutants(
    { root: ROOT, mutants, jobs, env, signal: interruption() },
    {
      doing: (what) => show(`${done}/${mutants.length} ${what}`),
      tried: (each) => {
        done++
        const mark = each.verdict.outcome === 'caught' ? '✓' : '✗'
        say(`${mark} ${each.name} (${(each.ms / 1000).toFixed(0)} s): ${finding(each)}`)
      },
    },
  ).finally(clear)
  console.log(`\n${screen(tried)}`)
  if (tried.length === all.length) await publish(tried, begun)
  return caught(tried).length === tried.length ? 0 : 1
}

async function publish(tried: readonly Tried[], begun: Date): Promise<void> {
  const [results, readme] = [join(ROOT, 'tests', 'mutants', 'results.json'), join(ROOT, 'README.md')]
  const seconds = Math.round((Date.now() - begun.getTime()) / 1000)
  const mutants = tried.map(({ name, fault, promise, verdict }) => ({ name, fault, promise, ...verdict }))
  writeFileSync(results, JSON.stringify({ triedAt: begun.toISOString(), seconds, mutants }))
  writeFileSync(readme, withSection(readFileSync(readme, 'utf8'), 'mutants', readmeSection(tried)))
  await runTool(join(ROOT, 'node_modules', '.bin', 'prettier'), ['--write', results, readme])
}

main(process.argv.slice(2)).then(
  (code) => (process.exitCode = code),
  (error: unknown) => {
    if (isInterruption(error)) console.error('Interrupted.')
    else if (error instanceof WrongOption) console.error(`${error.message}\n\n${USAGE}`)
    else console.error(error instanceof UserError ? error.message : error)
    process.exitCode = isInterruption(error) ? INTERRUPTED : error instanceof WrongOption ? 2 : 1
  },
)
