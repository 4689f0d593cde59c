import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { runTool, UserError } from '../../../scripts/src/terminal'
import type { Mutant } from './mutant'

/** Not for a copy: what is large, secret or somebody's data, and `dist`, which would be the build of the unharmed sources. */
const LEFT_BEHIND = new Set(['.git', '.data', '.env', '.tools', 'artifacts', 'coverage', 'node_modules'])

/** The working tree as it is, edits included, in a temporary folder, with the installed packages. */
export function makeScratch(root: string): string {
  const scratch = mkdtempSync(join(tmpdir(), 'shop-mutants-'))
  cpSync(root, scratch, {
    recursive: true,
    filter: (path) => !LEFT_BEHIND.has(relative(root, path)) && basename(path) !== 'dist',
  })
  linkPackages(join(root, 'node_modules'), join(scratch, 'node_modules'))
  return scratch
}

export const removeScratch = (scratch: string): void => rmSync(scratch, { recursive: true, force: true })

/** Packages are links to the installed ones. npm's own links, to workspaces, are relative: as they are, they lead into the copy. */
function linkPackages(from: string, to: string): void {
  mkdirSync(to)
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)]
    if (entry.isSymbolicLink()) symlinkSync(readlinkSync(source), target)
    else if (entry.name.startsWith('@')) linkPackages(source, target)
    else symlinkSync(source, target)
  }
}

/** Raises UserError when the patch does not fit. Its hunks may have moved, and need no lines around them. */
async function apply(scratch: string, { file }: Mutant, options: readonly string[] = []): Promise<void> {
  await runTool('git', ['apply', '--unidiff-zero', ...options, file], {
    cwd: scratch,
    // Inside of a repository git would leave out what is not below its folder, without a word.
    env: { ...process.env, GIT_CEILING_DIRECTORIES: dirname(resolve(scratch)) },
  })
}

/** Raises UserError, naming every patch that does not fit. */
export async function checkPatches(scratch: string, mutants: readonly Mutant[]): Promise<void> {
  const complaints: string[] = []
  for (const mutant of mutants)
    await apply(scratch, mutant, ['--check']).catch((error: Error) =>
      complaints.push(`${mutant.file} does not apply: ${error.message}`),
    )
  if (complaints.length > 0) throw new UserError(complaints.join('\n'))
}

/** Works on the mutant. Afterwards the files are what they were: a patch without context would not know where to undo itself. */
export async function asMutant<T>(scratch: string, mutant: Mutant, work: () => Promise<T>): Promise<T> {
  const paths = mutant.files.map((file) => join(scratch, file))
  const before = paths.map((path) => [path, readFileSync(path)] as const)
  await apply(scratch, mutant)
  try {
    return await work()
  } finally {
    for (const [path, content] of before) writeFileSync(path, content)
  }
}

/** What the compiler has to say, if anything. Names that a mutant no longer uses are not held against it. */
export async function typeErrors(scratch: string, signal?: AbortSignal): Promise<string | undefined> {
  const tsc = join(scratch, 'node_modules', 'typescript', 'bin', 'tsc')
  const options = ['--incremental', '--tsBuildInfoFile', join(scratch, '.tsbuildinfo')]
  const lenient = ['--noUnusedLocals', 'false', '--noUnusedParameters', 'false']
  try {
    await runTool(process.execPath, [tsc, '-p', 'tsconfig.json', ...options, ...lenient], { cwd: scratch, signal })
    return undefined
  } catch (error) {
    if (error instanceof UserError && !signal?.aborted) return error.message
    throw error
  }
}

/** What became of the tests of one file. `trouble` is why it failed although no test did: before them, or after. */
export type SuiteRun = { suite: string; passed: string[]; failed: string[]; outOfTime: string[]; trouble?: string }

/** What is read of jest's JSON result. */
type JestResult = {
  testResults: {
    name: string
    status: string
    message: string
    assertionResults: { fullName: string; status: string; failureMessages: string[] }[]
  }[]
}

const OUT_OF_TIME = /Exceeded timeout of [\d.]+ ?m?s for a (test|hook)/

export async function runSuites(
  scratch: string,
  suites: readonly string[],
  env: NodeJS.ProcessEnv,
  signal?: AbortSignal,
): Promise<SuiteRun[]> {
  const outputFile = join(scratch, '.jest.json')
  rmSync(outputFile, { force: true })
  const jest = join(scratch, 'node_modules', 'jest', 'bin', 'jest.js')
  // Forced: a test that fails may leave a server behind, for which jest would wait for ever.
  const jestOptions = [
    '--forceExit',
    '--json',
    `--outputFile=${outputFile}`,
    `--cacheDirectory=${join(scratch, '.jest-cache')}`,
  ]
  // It fails when a test does, which is what we are here for.
  const words = await runTool(process.execPath, [jest, ...jestOptions, '--runTestsByPath', ...suites], {
    cwd: scratch,
    env: { ...process.env, ...env },
    signal,
  }).catch((error: Error) => error.message)
  signal?.throwIfAborted()
  const { testResults }: JestResult = existsSync(outputFile)
    ? (JSON.parse(readFileSync(outputFile, 'utf8')) as JestResult)
    : { testResults: [] }
  return suites.map((suite): SuiteRun => {
    const result = testResults.find(({ name }) => name.endsWith(`/${suite}`))
    const tests = result?.assertionResults ?? []
    const late = tests.filter(({ failureMessages }) => failureMessages.some((message) => OUT_OF_TIME.test(message)))
    const names = (some: typeof tests) => some.map(({ fullName }) => fullName)
    const failed = tests.filter(({ status }) => status === 'failed')
    const troubled = tests.length === 0 || (result?.status === 'failed' && failed.length === 0)
    return {
      suite,
      passed: names(tests.filter(({ status }) => status === 'passed')),
      failed: names(failed.filter((test) => !late.includes(test))),
      outOfTime: names(late),
      ...(troubled && { trouble: result?.message || words }),
    }
  })
}
