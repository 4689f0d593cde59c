import { readFileSync } from 'node:fs'
import path from 'node:path'
import { bodyChecker, type Contract } from '../../proof/src/contract'

type Node = Record<string, unknown>
type Operation = {
  operationId: string
  'x-access': string | string[]
  parameters?: { name: string; in: string; required: boolean; schema: Node }[]
  requestBody?: { content: Record<string, { schema: { $ref?: string } }> }
  responses: Record<string, unknown>
}
type Document = Contract & {
  paths: Record<string, Record<string, Operation>>
  components: {
    schemas: Record<string, Node & { properties?: { code?: { enum?: string[] } } }>
    examples: Record<string, { value: Node }>
    securitySchemes: Node
  }
  'x-problems': Record<string, { status: number; title: string }>
}
const read = (name: string) =>
  JSON.parse(readFileSync(path.join(__dirname, '../../swagger', `${name}.json`), 'utf8')) as Document

const everything = read('openapi')
const parts = ['users', 'products', 'orders'].map((service) => read(`${service}.openapi`))
const operations = Object.values(everything.paths).flatMap((item) => Object.values(item))
const violationsOf = bodyChecker(everything)

test('the joined document has every operation, schema and problem of the services, and no other', () => {
  const merged = (pick: (document: Document) => object) => Object.assign({}, ...parts.map(pick)) as object
  expect(everything.paths).toEqual(merged((document) => document.paths))
  expect(everything.components.schemas).toEqual(merged((document) => document.components.schemas))
  expect(everything['x-problems']).toEqual(merged((document) => document['x-problems']))
})

test('one login is good for every document, and is in the document itself', () => {
  const schemes = [everything, ...parts].map((document) => document.components.securitySchemes)
  expect(schemes).toEqual(Array(4).fill({ shop: expect.objectContaining({ type: 'oauth2' }) }))
  expect(everything.components.securitySchemes['shop']).toMatchObject({
    flows: { password: { tokenUrl: '/users/token' } },
  })
  expect(everything.paths['/users/token']).toHaveProperty('post')
})

test('every operation says who may call it, and lists its answers by number', () => {
  for (const { operationId, 'x-access': access, responses } of operations) {
    const roles = typeof access === 'string' ? [] : access
    expect([operationId, roles.filter((role) => !['BUYER', 'SELLER', 'ADMIN'].includes(role))]).toEqual([
      operationId,
      [],
    ])
    if (typeof access === 'string') expect(['public', 'authenticated', 'credentials']).toContain(access)
    expect([operationId, Object.keys(responses).filter((status) => !/^[2-5]\d\d$/.test(status))]).toEqual([
      operationId,
      [],
    ])
  }
})

test('what has to be sent has an example that is accepted, so that Execute works untyped', () => {
  const wrong = operations.flatMap(({ operationId, parameters = [], requestBody }) => [
    ...parameters
      .filter(({ required, schema }) => required && violationsOf(schema, schema['example']).length > 0)
      .map(({ name }) => `${operationId}: ${name}`),
    ...Object.values(requestBody?.content ?? {}).flatMap(({ schema }) => {
      const component = everything.components.schemas[schema.$ref?.split('/').at(-1) ?? '']
      if (component?.['example'] === undefined) return [`${operationId}: no example of the body`]
      return violationsOf(schema, component['example']).map((violation) => `${operationId}: ${violation}`)
    }),
  ])
  expect(wrong).toEqual([])
})

test('every problem has an example that is one', () => {
  const problems = Object.entries(everything.components.schemas).filter(([name]) => name.endsWith('Problem'))
  expect(problems.length).toBeGreaterThan(25)
  const wrong = problems.flatMap(([name, schema]) => {
    const code = schema.properties?.code?.enum?.[0] ?? ''
    const example = everything.components.examples[code]?.value
    return example ? violationsOf(schema, example).map((violation) => `${name}: ${violation}`) : [`${name}: none`]
  })
  expect(wrong).toEqual([])
})

test('what the services answer is described by schemas whose examples are answers', () => {
  const wrong = Object.entries(everything.components.schemas)
    .filter(([, schema]) => schema['example'] !== undefined)
    .flatMap(([name, schema]) => violationsOf(schema, schema['example']).map((violation) => `${name}: ${violation}`))
  expect(wrong).toEqual([])
})
