import { UserError } from '../../../scripts/src/terminal'
import type { Mutant } from './mutant'
import { asMutant, checkPatches, makeScratch, removeScratch, runSuites, typeErrors, type SuiteRun } from './scratch'

/** `unfit`: it does not compile, or a suite does not run with it at all, so that nothing is shown by what fails. */
export type Verdict =
  | { outcome: 'caught'; suite: string; tests: readonly string[] }
  | { outcome: 'survived' }
  | { outcome: 'unfit'; reason: string }
export type Tried = Mutant & { verdict: Verdict; ms: number }

export type Progress = {
  /** What is under way now. */
  doing: (what: string) => void
  tried: (mutant: Tried) => void
}

type Options = {
  root: string
  mutants: readonly Mutant[]
  /** Mutants that are tried at the same time, each in a copy of its own. */
  jobs: number
  /** For the suites, besides what there is. */
  env?: NodeJS.ProcessEnv
  signal?: AbortSignal
}

/**
 * Puts one fault at a time into a copy of the working tree and looks whether a test fails. Raises UserError when there is
 * nothing to be learnt: a patch does not apply, or the suites are not green without any.
 */
export async function tryMutants(
  { root, mutants, jobs, env = {}, signal }: Options,
  progress: Progress,
): Promise<Tried[]> {
  const scratches: string[] = []
  const scratch = (): string => {
    const made = makeScratch(root)
    scratches.push(made)
    return made
  }
  try {
    const first = scratch()
    await checkPatches(first, mutants)
    progress.doing('the suites as they are')
    await allGreen(first, [...new Set(mutants.flatMap(({ suites }) => suites))], env, signal)

    const waiting = [...mutants]
    const tried: Tried[] = []
    const work = async (where: string): Promise<void> => {
      for (let mutant = waiting.shift(); mutant; mutant = waiting.shift()) {
        progress.doing(mutant.name)
        const begun = performance.now()
        const verdict = await tryMutant(where, mutant, env, signal)
        const result = { ...mutant, verdict, ms: Math.round(performance.now() - begun) }
        tried.push(result)
        progress.tried(result)
      }
    }
    const others = Math.min(jobs, mutants.length) - 1
    await Promise.all([first, ...Array.from({ length: others }, scratch)].map(work))
    return mutants.flatMap(({ name }) => tried.filter((each) => each.name === name))
  } finally {
    for (const each of scratches) removeScratch(each)
  }
}

/** A test that is red anyway could not be told from one that catches something. */
async function allGreen(
  scratch: string,
  suites: readonly string[],
  env: NodeJS.ProcessEnv,
  signal: AbortSignal | undefined,
): Promise<void> {
  const complaint = await typeErrors(scratch, signal)
  if (complaint !== undefined) throw new UserError(`Without any mutant it does not compile.\n${complaint}`)
  const red = (await runSuites(scratch, suites, env, signal)).flatMap(({ suite, failed, outOfTime, trouble }) => [
    ...[...failed, ...outOfTime].map((test) => `${suite}: ${test}`),
    ...(trouble === undefined ? [] : [`${suite}: ${trouble}`]),
  ])
  if (red.length > 0) throw new UserError(`Without any mutant the suites are not green:\n${red.join('\n')}`)
}

const tryMutant = (
  scratch: string,
  mutant: Mutant,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal | undefined,
): Promise<Verdict> =>
  asMutant(scratch, mutant, async () => {
    const complaint = await typeErrors(scratch, signal)
    if (complaint !== undefined) return { outcome: 'unfit', reason: `it does not compile: ${complaint}` }
    for (const suite of mutant.suites) {
      const verdict = await confirmed(async () => {
        const [run] = await runSuites(scratch, [suite], env, signal)
        return run && verdictOf(run)
      })
      if (verdict) return verdict
    }
    return { outcome: 'survived' }
  })

/** What fails once may fail by chance, on a busy machine for one: a test has noticed what it notices twice. */
export async function confirmed(look: () => Promise<Verdict | undefined>): Promise<Verdict | undefined> {
  const once = await look()
  if (once?.outcome !== 'caught') return once
  const again = await look()
  if (again?.outcome !== 'caught') return again
  const tests = once.tests.filter((test) => again.tests.includes(test))
  return tests.length > 0 ? { ...once, tests } : undefined
}

/** Nothing when the suite has noticed nothing. One in which no test passes any more may not have started at all. */
export function verdictOf({ suite, passed, failed, outOfTime, trouble }: SuiteRun): Verdict | undefined {
  if (trouble !== undefined) return { outcome: 'unfit', reason: `${suite} fails outside of its tests: ${trouble}` }
  if (failed.length + outOfTime.length === 0) return undefined
  if (passed.length === 0) return { outcome: 'unfit', reason: `${suite} fails as a whole, as if it had not started` }
  if (failed.length === 0) return { outcome: 'unfit', reason: `${suite} only ran out of time: ${outOfTime.join(', ')}` }
  return { outcome: 'caught', suite, tests: failed }
}
