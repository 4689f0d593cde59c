import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { drift, FILES, lint } from '../src/openapi-documents'
import { ROOT } from '../src/terminal'

const committed = path.join(ROOT, 'swagger')
let folder: string

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'shop-openapi-test-'))
  for (const file of FILES) cpSync(path.join(committed, file), path.join(folder, file))
})
afterEach(() => rmSync(folder, { recursive: true }))

const change = (file: string, from: string, to: string) => {
  const text = readFileSync(path.join(folder, file), 'utf8')
  expect(text).toContain(from)
  writeFileSync(path.join(folder, file), text.replace(from, to))
}

test('what is committed does not differ from itself', async () => {
  expect(await drift(committed, folder)).toEqual([])
})

test('a drifted document is named, with the lines that differ', async () => {
  change('products.openapi.json', '"operationId": "readProduct"', '"operationId": "fetchProduct"')
  const [told, ...others] = await drift(committed, folder)
  expect(others).toEqual([])
  expect(told).toMatch(/^swagger\/products\.openapi\.json is not what the services declare:/)
  expect(told).toMatch(/^- .*readProduct/m)
  expect(told).toMatch(/^\+ .*fetchProduct/m)
})

test('a long difference is cut and a missing document is told', async () => {
  writeFileSync(path.join(folder, 'users.openapi.json'), '{}\n')
  const [told] = await drift(committed, folder)
  expect(told?.split('\n').length).toBeLessThan(40)
  expect(told).toMatch(/… \d+ more lines$/)

  rmSync(path.join(folder, 'openapi.json'))
  expect(await drift(folder, committed)).toContain('swagger/openapi.json is missing')
})

type Document = {
  tags: { description?: string }[]
  paths: Record<string, Record<string, { operationId: string; parameters?: { description?: string }[] }>>
  components: { schemas: Record<string, { example: unknown; properties: Record<string, unknown> }> }
}

test.each<[string, (document: Document) => unknown, RegExp]>([
  [
    'an operation named twice',
    ({ paths }) => (paths['/orders']!['get']!.operationId = 'placeOrder'),
    /operationId-unique/,
  ],
  ['a tag without a word', ({ tags }) => delete tags[0]?.description, /tag-description/],
  [
    'a parameter without a word',
    ({ paths }) => delete paths['/orders']?.['get']?.parameters?.[0]?.description,
    /parameter-description/,
  ],
  [
    'an example that breaks its schema',
    ({ components }) => (components.schemas['Order']!.example = {}),
    /no-invalid-schema-examples/,
  ],
  [
    'a reference to nothing',
    ({ components }) => (components.schemas['Order']!.properties['status'] = { $ref: '#/components/schemas/Ordr' }),
    /no-unresolved-refs/,
  ],
  [
    'a nullable of OpenAPI 3.0',
    ({ components }) => (components.schemas['Order']!.properties['notes'] = { type: 'string', nullable: true }),
    /struct/,
  ],
])('the linter finds %s', async (_name, spoil, rule) => {
  const file = path.join(folder, 'orders.openapi.json')
  const document = JSON.parse(readFileSync(file, 'utf8')) as Document
  spoil(document)
  writeFileSync(file, JSON.stringify(document))
  await expect(lint([file])).rejects.toThrow(rule)
})
