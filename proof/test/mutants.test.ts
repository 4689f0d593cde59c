import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { ROOT } from '../../scripts/src/terminal'
import { readMutants, type Mutant } from '../src/mutants/mutant'
import { readmeSection, screen } from '../src/mutants/report'
import { confirmed, tryMutants, verdictOf, type Tried, type Verdict } from '../src/mutants/run'
import { checkPatches } from '../src/mutants/scratch'

const STOCK = `export const taken = (available: number, wanted: number): number => {
  if (wanted > available) throw new Error('short')
  return available - wanted
}
`
// The second one leaves a server behind when it fails, as tests do.
const SUITE = `import { taken } from '@toy/stock/stock'; import { createServer } from 'node:http'
test('what is there can be taken', () => expect(taken(2, 1)).toBe(1))
test('what is not there cannot', () => {
  const server = createServer().listen(0)
  expect(() => taken(1, 2)).toThrow('short')
  server.close()
})
`
const FILES = {
  'package.json': '{}',
  'tsconfig.json': JSON.stringify({
    compilerOptions: {
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      types: ['jest', 'node'],
      paths: { '@toy/stock/*': ['./stock/src/*.ts'] },
    },
    include: ['stock'],
  }),
  'jest.config.cjs': `module.exports = { testMatch: ['**/*.test.ts'], transform: { '.ts$': ['@swc/jest', { jsc: { parser: { syntax: 'typescript' } } }] } }`,
  'stock/package.json': JSON.stringify({ name: '@toy/stock', exports: { './*': './src/*.ts' } }),
  'stock/src/stock.ts': STOCK,
  'stock/test/stock.test.ts': SUITE,
  // What a copy must not bring along.
  'dist/stock.js': '',
  '.env': 'SECRET=1',
}

let folder: string
let toy: string
const temporary = process.env['TMPDIR']
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'shop mutants '))
  process.env['TMPDIR'] = folder
  toy = join(folder, 'toy')
  for (const [file, text] of Object.entries(FILES)) write(file, text)
  const installed = join(ROOT, 'node_modules')
  mkdirSync(join(toy, 'node_modules', '@toy'), { recursive: true })
  for (const name of readdirSync(installed)) symlinkSync(join(installed, name), join(toy, 'node_modules', name))
  // A workspace, linked as npm does it.
  symlinkSync('../../stock', join(toy, 'node_modules', '@toy', 'stock'))
})
afterEach(() => {
  if (temporary === undefined) delete process.env['TMPDIR']
  else process.env['TMPDIR'] = temporary
  rmSync(folder, { recursive: true })
})

function write(file: string, text: string): void {
  mkdirSync(dirname(join(toy, file)), { recursive: true })
  writeFileSync(join(toy, file), text)
}

const HEAD = 'fault: it is broken\npromise: it works\nsuites: stock/test/stock.test.ts\n'
/** A patch without context that puts one line of the source in the place of another. */
const aPatch = (old: string, line: string): string =>
  `${HEAD}\n--- a/stock/src/stock.ts\n+++ b/stock/src/stock.ts\n@@ -7 +7 @@\n-${old}\n+${line}\n`
const CONDITION = `  if (wanted > available) throw new Error('short')`

const QUIET = { doing: () => undefined, tried: () => undefined }
const tryAll = (options: { jobs?: number } = {}) =>
  tryMutants({ root: toy, mutants: readMutants(toy), jobs: 1, ...options }, QUIET)

test('a fault that a test notices is caught, one that none notices survives, and what proves nothing is unfit', async () => {
  write('tests/mutants/caught.patch', aPatch(CONDITION, `  if (wanted > available + 1) throw new Error('short')`))
  write('tests/mutants/does-not-compile.patch', aPatch(CONDITION, `  if (wanted > stock) throw new Error('short')`))
  write('tests/mutants/nothing-works.patch', aPatch(CONDITION, `  if (wanted > 0) throw new Error('broken')`))
  write('tests/mutants/survivor.patch', aPatch(CONDITION, `  if (wanted - available > 0) throw new Error('short')`))
  const tried = await tryAll({ jobs: 2 })
  expect(tried.map(({ name, verdict }) => [name, verdict])).toEqual([
    ['caught', { outcome: 'caught', suite: 'stock/test/stock.test.ts', tests: ['what is not there cannot'] }],
    ['does-not-compile', { outcome: 'unfit', reason: expect.stringContaining(`Cannot find name 'stock'`) }],
    ['nothing-works', { outcome: 'unfit', reason: expect.stringContaining('fails as a whole') }],
    ['survivor', { outcome: 'survived' }],
  ])
  expect(readFileSync(join(toy, 'stock/src/stock.ts'), 'utf8')).toBe(STOCK)
  expect(readdirSync(folder)).toEqual(['toy'])
}, 180_000)

test.each([
  ['a test', `test('two are three', () => expect(2).toBe(3))`, 'two are three'],
  ['what comes after the tests', `afterAll(() => expect(2).toBe(3))`, 'Expected: 3'],
])(
  'suites in which %s is red without any mutant catch nothing',
  async (_what, line, complaint) => {
    write('tests/mutants/any.patch', aPatch(CONDITION, '  '))
    write('stock/test/stock.test.ts', `${SUITE}${line}\n`)
    const { message } = await tryAll().then(
      () => new Error('green'),
      (error: Error) => error,
    )
    expect(message).toMatch(/^Without any mutant the suites are not green:\nstock\/test\/stock.test.ts: /)
    expect(message).toContain(complaint)
  },
  180_000,
)

test('a patch that does not apply is named, before anything is tried', async () => {
  write('tests/mutants/good.patch', aPatch(CONDITION, '  '))
  write('tests/mutants/stale.patch', aPatch('  if (there is none) return', '  '))
  await expect(tryAll()).rejects.toThrow(/^tests\/mutants\/stale.patch does not apply: [^]*stock.ts/)
})

test.each([
  ['does not say what is wrong', HEAD.replace('fault', 'fualt'), 'no line "fault: …"'],
  ['names a suite that is not there', HEAD.replace('.test', ''), 'there is no stock/test/stock.ts'],
])('a patch that %s is refused', (_what, head, complaint) => {
  write('tests/mutants/odd.patch', aPatch(CONDITION, '  ').replace(HEAD, head))
  expect(() => readMutants(toy)).toThrow(`tests/mutants/odd.patch: ${complaint}`)
})

test('what only runs out of time, or does not run, is no catch', () => {
  const run = { suite: 's', passed: ['a'], failed: [], outOfTime: [] }
  expect(verdictOf(run)).toBeUndefined()
  expect(verdictOf({ ...run, outOfTime: ['b'] })).toMatchObject({ outcome: 'unfit' })
  expect(verdictOf({ ...run, failed: ['b'], outOfTime: ['c'] })).toEqual({
    outcome: 'caught',
    suite: 's',
    tests: ['b'],
  })
  expect(verdictOf({ ...run, passed: [], trouble: 'SyntaxError' })).toEqual({
    outcome: 'unfit',
    reason: 's fails outside of its tests: SyntaxError',
  })
})

test('what fails by chance is no catch', async () => {
  const caught = (...tests: string[]): Verdict => ({ outcome: 'caught', suite: 's', tests })
  const judged = (...looks: (Verdict | undefined)[]) => confirmed(() => Promise.resolve(looks.shift()))
  expect(await judged(caught('a', 'b'), caught('b', 'c'))).toEqual(caught('b'))
  expect(await judged(caught('a'), caught('b'))).toBeUndefined()
  expect(await judged(caught('a'), undefined)).toBeUndefined()
  expect(await judged(undefined)).toBeUndefined()
})

test('the table says what caught each mutant, and whatever did not', () => {
  const mutant: Mutant = {
    name: 'm',
    file: 'tests/mutants/m.patch',
    fault: 'a | b',
    promise: 'p',
    suites: [],
    files: [],
  }
  const tried: Tried[] = [
    { ...mutant, ms: 1, verdict: { outcome: 'caught', suite: 's.test.ts', tests: ['one', 'two', 'three'] } },
    { ...mutant, ms: 1, verdict: { outcome: 'survived' } },
    { ...mutant, ms: 1, verdict: { outcome: 'unfit', reason: 'because\nof this' } },
  ]
  expect(readmeSection(tried).match(/^\| p .*$/gm)).toEqual([
    '| p | [a \\| b](tests/mutants/m.patch) | s.test.ts: “one” and 2 more |',
    '| p | [a \\| b](tests/mutants/m.patch) | NOTHING: it survived |',
    '| p | [a \\| b](tests/mutants/m.patch) | UNFIT: because |',
  ])
  expect(screen(tried)).toMatch(
    /^✓ m: a \| b \(p\)\n {4}s.test.ts: “one”, “two” and 1 more\n✗ [^]*1 of 3 mutants caught\.$/,
  )
})

test('every mutant of the shop applies to it as it is', async () => {
  const mutants = readMutants(ROOT)
  await checkPatches(ROOT, mutants)
  expect(mutants.length).toBeGreaterThan(13)
})
