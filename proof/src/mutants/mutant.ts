import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { UserError } from '../../../scripts/src/terminal'

/** Where the patches are kept, one file a mutant. */
const FOLDER = 'tests/mutants'

/** A fault that somebody could make: a small patch, the promise that it breaks, and who has to notice. */
export type Mutant = {
  name: string
  /** The patch, below the project's folder. */
  file: string
  fault: string
  promise: string
  /** Test files, tried in this order until one of them fails. */
  suites: readonly string[]
  /** What the patch changes. */
  files: readonly string[]
}

/** Raises UserError for one that does not say what it is. */
export const readMutants = (root: string): Mutant[] =>
  readdirSync(join(root, FOLDER))
    .filter((name) => name.endsWith('.patch'))
    .sort()
    .map((name) => readMutant(root, `${FOLDER}/${name}`))

function readMutant(root: string, file: string): Mutant {
  const text = readFileSync(join(root, file), 'utf8')
  const [head = ''] = text.split(/^--- /m, 1)
  const field = (name: string): string => {
    const value = new RegExp(`^${name}: (.+)$`, 'm').exec(head)?.[1]
    if (value === undefined) throw new UserError(`${file}: no line "${name}: …" stands above the diff`)
    return value
  }
  const suites = field('suites').split(' ')
  const missing = suites.filter((suite) => !existsSync(join(root, suite)))
  if (missing.length > 0) throw new UserError(`${file}: there is no ${missing.join(', no ')}`)
  const files = [...text.matchAll(/^\+\+\+ b\/(.+)$/gm)].flatMap(([, changed]) => changed ?? [])
  return { name: basename(file, '.patch'), file, fault: field('fault'), promise: field('promise'), suites, files }
}
