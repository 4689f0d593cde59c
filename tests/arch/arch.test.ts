import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import type { ICruiseResult } from 'dependency-cruiser'
import { fixture, marks, root, run, sourceFiles } from './marks'

type End = { path?: string | string[]; pathNot?: string | string[] }
const { forbidden } = createRequire(__filename)('../../.dependency-cruiser.cjs') as {
  forbidden: { name: string; severity: string; from: End; to: End }[]
}
const services = ['users', 'products', 'orders', 'swagger', 'gateway']
const folders = ['platform', ...services, 'nginx', 'scripts', 'bench', 'proof', 'tests']

async function cruise(cwd: string, where: string[]): Promise<ICruiseResult> {
  const args = ['--config', path.join(root, '.dependency-cruiser.cjs'), '--output-type', 'json', ...where]
  const { stdout, stderr } = await run('dependency-cruiser/bin/dependency-cruise.mjs', args, cwd)
  try {
    return JSON.parse(stdout) as ICruiseResult
  } catch {
    throw new Error(`dependency-cruiser gave no result: ${stderr}`)
  }
}

const broken = (result: ICruiseResult) =>
  result.modules.flatMap(({ source, dependencies }) =>
    dependencies.flatMap(({ module, rules }) =>
      (rules ?? []).map(({ name }) => `${source} imports ${module}: ${name}`),
    ),
  )

describe('the rules, over a tree of planted violations', () => {
  let result: ICruiseResult
  beforeAll(async () => {
    result = await cruise(fixture, ['.'])
  })

  const planted = marks('breaks').map(({ file, text, name }) => ({
    name,
    violation: `${file} imports ${/'([^']+)'\)?[^']*$/.exec(text.split(' // ')[0] ?? '')?.[1]?.replace('node:', '') ?? '?'}: ${name}`,
  }))

  test('every planted import is refused by exactly the rules it breaks, and nothing else is refused', () => {
    const found = [...new Set(broken(result))].sort()
    expect(found).toEqual(planted.map(({ violation }) => violation).sort())
  })

  test('every rule is an error and has a planted violation', () => {
    expect(forbidden.filter(({ severity }) => severity !== 'error')).toEqual([])
    const names = forbidden.map(({ name }) => name)
    expect(names.filter((name) => !planted.some((plant) => plant.name === name))).toEqual([])
  })

  test('the command fails on violations', async () => {
    const args = ['--config', path.join(root, '.dependency-cruiser.cjs'), '.']
    const { code } = await run('dependency-cruiser/bin/dependency-cruise.mjs', args, fixture)
    expect(code).toBeGreaterThan(0)
  })
})

describe('the rules, over the shop', () => {
  let result: ICruiseResult
  beforeAll(async () => {
    result = await cruise(root, folders)
  })

  const ours = () =>
    folders.flatMap((folder) =>
      sourceFiles(path.join(root, folder))
        .map((file) => `${folder}/${file}`)
        .filter((file) => !file.startsWith('tests/arch/fixture/')),
    )

  test('no import is refused', () => {
    expect(broken(result)).toEqual([])
  })

  test('every source file was read', () => {
    const read = new Set(result.modules.map(({ source }) => source))
    expect(ours().filter((file) => !read.has(file))).toEqual([])
    expect(services.map((name) => `${name}/src/main.ts`).filter((file) => !read.has(file))).toEqual([])
  })

  test('every import was seen, type-only ones too', () => {
    const seen = new Set(
      result.modules.flatMap(({ source, dependencies }) =>
        dependencies.map(({ module }) => `${source} imports ${module}`),
      ),
    )
    const written = ours().flatMap((file) => {
      const text = readFileSync(path.join(root, file), 'utf8')
      return [...text.matchAll(/^(?:import|export)\s[^'"`;=]*?from '([^']+)'/gm)].map(([statement, module]) => ({
        typeOnly: /^(?:import|export) type/.test(statement),
        import: `${file} imports ${module?.replace('node:', '')}`, // the tool's own spelling
      }))
    })
    expect(written.filter(({ import: statement }) => !seen.has(statement))).toEqual([])
    expect(written.filter(({ typeOnly }) => typeOnly).length).toBeGreaterThan(20)
  })

  test('the platform’s alias leads to its sources', () => {
    const aliased = result.modules
      .flatMap(({ dependencies }) => dependencies)
      .filter(({ module }) => module.startsWith('@shop/platform/'))
    expect(aliased.length).toBeGreaterThan(5)
    const astray = aliased.filter(({ resolved }) => !resolved.startsWith('platform/src/'))
    expect(astray.map(({ module, resolved }) => `${module} is ${resolved}`)).toEqual([])
  })

  test('every path that a rule names exists', () => {
    const packages = path.join(root, 'node_modules')
    const installed = readdirSync(packages).map((name) => `node_modules/${name}/package.json`)
    const existing = [...ours(), ...installed.filter((file) => existsSync(path.join(root, file)))]
    const named = forbidden.flatMap(({ from, to }) =>
      [from, to].flatMap((end) => [end.path ?? [], end.pathNot ?? []].flat(2)),
    )
    const each = [...new Set(named.flatMap(alternatives))]
    expect(each.filter((pattern) => !existing.some((file) => new RegExp(pattern).test(file)))).toEqual([])
    expect(each.length).toBeGreaterThan(30)
  })
})

/** `^(a|b)/src/` as `^a/src/` and `^b/src/`. Groups of another end match any folder; what is built need not be there. */
function alternatives(pattern: string): string[] {
  const plain = pattern.replace('$1', '[^/]+').replace('/dist/', '/')
  const [whole, group] = /\(([^()]+)\)/.exec(plain) ?? []
  if (whole === undefined || group === undefined) return [plain]
  return group.split('|').flatMap((choice) => alternatives(plain.replace(whole, () => choice)))
}
