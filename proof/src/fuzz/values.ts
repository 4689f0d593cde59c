import fc from 'fast-check'
import { nodeOf, type Field, type Node } from './nodes'

export type Schema = { readonly [keyword: string]: unknown }
export type Resolve = <T>(node: unknown) => T

/** Deeper than that a schema that contains itself ends. */
const DEPTH = 5

/**
 * Values as a schema describes them, its bounds and examples often among them, and once in a while one that is just outside. A
 * scalar with a name may be what the shop is known to have under that name.
 */
export function valuesOf(given: Schema, resolve: Resolve, name = '', depth = 0): fc.Arbitrary<Node> {
  const schema = resolve<Schema>(given)
  const inner = (part: unknown, partName = name) => valuesOf(part as Schema, resolve, partName, depth + 1)
  const alternatives = (schema['oneOf'] ?? schema['anyOf']) as Schema[] | undefined
  if (depth > DEPTH) return fc.constant(null)
  if (alternatives) return fc.oneof(...alternatives.map((each) => inner(each)))
  const examples = examplesOf(schema)
  const choices = schema['enum'] as unknown[] | undefined
  if ('const' in schema) return fc.constant(nodeOf(schema['const']))
  if (choices) return fc.constantFrom(...choices.map(nodeOf))
  const types = [schema['type'] ?? (schema['properties'] ? 'object' : 'string')].flat() as string[]
  const arbitraries = types.map((type) => ofType(type, schema, inner))
  const made = fc.oneof(...arbitraries)
  const isScalar = types.every((type) => type !== 'object' && type !== 'array')
  return fc.oneof(
    { weight: 4, arbitrary: made },
    ...(examples.length > 0 ? [{ weight: 2, arbitrary: fc.constantFrom(...examples) }] : []),
    ...(isScalar && name !== ''
      ? [
          {
            weight: refersTo(name, schema) ? 9 : 2,
            arbitrary: fc.record({ known: fc.constant(name), pick: fc.nat(1_000), otherwise: made }),
          },
        ]
      : []),
  )
}

/** What has to be somebody's or something's to be of use; anything else may be new. */
const refersTo = (name: string, { format }: Schema): boolean =>
  format === 'uuid' || format === 'password' || /(id|cursor|token|match)$/i.test(name)

const examplesOf = (schema: Schema): Node[] =>
  [
    ...('example' in schema ? [schema['example']] : []),
    ...((schema['examples'] as unknown[] | undefined) ?? []),
    ...('default' in schema ? [schema['default']] : []),
  ].map(nodeOf)

function ofType(
  type: string,
  schema: Schema,
  inner: (part: unknown, name?: string) => fc.Arbitrary<Node>,
): fc.Arbitrary<Node> {
  switch (type) {
    case 'object':
      return objects(schema, inner)
    case 'array':
      return arrays(schema, inner)
    case 'integer':
    case 'number':
      return numbers(schema)
    case 'boolean':
      return fc.boolean()
    case 'null':
      return fc.constant(null)
    default:
      return texts(schema)
  }
}

function objects(schema: Schema, inner: (part: unknown, name?: string) => fc.Arbitrary<Node>): fc.Arbitrary<Node> {
  const properties = Object.entries((schema['properties'] ?? {}) as Record<string, Schema>)
  const required = new Set(schema['required'] as string[] | undefined)
  const fields = properties.map(([name, part]) => {
    const field = inner(part, name).map((value): Field[] => [[name, value]])
    return required.has(name) ? field : fc.oneof(field, fc.constant<Field[]>([]))
  })
  return fc.tuple(...fields).map((each) => ({ fields: each.flat() }))
}

function arrays(schema: Schema, inner: (part: unknown) => fc.Arbitrary<Node>): fc.Arbitrary<Node> {
  const { minItems = 0, maxItems = 100 } = schema as { minItems?: number; maxItems?: number }
  const items = inner(schema['items'] ?? {})
  const list = (from: number, to: number) => fc.array(items, { minLength: from, maxLength: to })
  return fc.oneof(
    { weight: 8, arbitrary: list(minItems, Math.min(maxItems, minItems + 3)) },
    { weight: 1, arbitrary: items.map((item) => Array.from({ length: maxItems }, () => item)) },
    { weight: 1, arbitrary: items.map((item) => Array.from({ length: maxItems + 1 }, () => item)) },
  )
}

function numbers(schema: Schema): fc.Arbitrary<Node> {
  const { minimum: min = -1_000, maximum: max = 1_000_000 } = schema as { minimum?: number; maximum?: number }
  return fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min, max: Math.min(max, min + 20) }) },
    { weight: 2, arbitrary: fc.integer({ min, max }) },
    { weight: 3, arbitrary: fc.constantFrom(min, max) },
    { weight: 1, arbitrary: fc.constantFrom(min - 1, max + 1) },
  )
}

function texts(schema: Schema): fc.Arbitrary<Node> {
  const {
    minLength: min = 0,
    maxLength = 300,
    pattern,
    format,
  } = schema as {
    minLength?: number
    maxLength?: number
    pattern?: string
    format?: string
  }
  const max = Math.max(min, maxLength)
  const plain = fc.oneof(
    { weight: 4, arbitrary: fc.string({ minLength: min, maxLength: Math.min(max, min + 20) }) },
    { weight: 2, arbitrary: fc.string({ unit: 'grapheme', minLength: min, maxLength: Math.min(max, min + 10) }) },
    // in code points, as JSON Schema counts; 𝄞 is two UTF-16 units and four bytes
    {
      weight: 1,
      arbitrary: fc
        .constantFrom('a', ' ', '\u00e9', '\u{1d11e}')
        .chain((unit) => lengths(min, max).map((n) => unit.repeat(n))),
    },
  )
  const shaped = FORMATS[format ?? ''] ?? matching(pattern)
  if (!shaped) return plain
  return fc.oneof({ weight: 5, arbitrary: shaped }, { weight: 1, arbitrary: plain })
}

const lengths = (min: number, max: number) => fc.constantFrom(min, max, Math.max(0, min - 1), max + 1)

const days = (between: { min?: Date; max?: Date }) =>
  fc.date({ noInvalidDate: true, ...between }).map((date) => date.toISOString().slice(0, 10))

const FORMATS: Record<string, fc.Arbitrary<string>> = {
  uuid: fc.uuid(),
  email: fc.oneof(
    { weight: 3, arbitrary: fc.stringMatching(/^[a-z]{3,12}@example\.(com|org)$/) },
    { weight: 1, arbitrary: fc.emailAddress() },
  ),
  uri: fc.webUrl(),
  date: fc.oneof(days({ min: new Date('2020-01-01'), max: new Date('2040-01-01') }), days({})),
  'date-time': fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
}

function matching(pattern: string | undefined): fc.Arbitrary<string> | undefined {
  if (pattern === undefined) return undefined
  try {
    return fc.stringMatching(new RegExp(pattern, 'u'))
  } catch {
    return undefined // fast-check knows no text for a pattern with a look-ahead
  }
}
