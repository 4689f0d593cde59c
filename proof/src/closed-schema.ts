type Schema = Record<string, unknown>

const COMPONENT = /^#\/components\/schemas\//
const closedId = (name: string) => `closed:/${name}`
const openId = (name: string) => `open:/${name}`

const isSchema = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * Every component twice, by the ids that closed schemas refer to: closed where it is a value of its own, open where it is
 * only a part (`allOf`) of one, whose other parts would break a closed one.
 */
export function closedComponents(components: Record<string, Schema>): [id: string, schema: Schema][] {
  return Object.entries(components).flatMap(([name, schema]): [string, Schema][] => [
    [closedId(name), closedSchema(schema)],
    [openId(name), openSchema(schema)],
  ])
}

/** A schema whose objects, at any depth, have no properties but those that it names (JSON Schema 2020-12 §11.3). */
export function closedSchema(schema: Schema): Schema {
  const { $ref, ...rest } = schema
  const isWhole = 'properties' in schema || 'allOf' in schema
  const parts = mapped(rest, isWhole ? openSchema : closedSchema)
  return {
    ...parts,
    ...(typeof $ref === 'string' && { $ref: $ref.replace(COMPONENT, isWhole ? openId('') : closedId('')) }),
    ...(isWhole && { unevaluatedProperties: false }),
  }
}

function openSchema(schema: Schema): Schema {
  const { $ref, ...rest } = schema
  return { ...mapped(rest, openSchema), ...(typeof $ref === 'string' && { $ref: $ref.replace(COMPONENT, openId('')) }) }
}

/** Values of their own are closed in any case; the alternatives and parts of this one become what the caller says. */
function mapped(schema: Schema, part: (schema: Schema) => Schema): Schema {
  const of = (value: unknown, map: (schema: Schema) => Schema) => (isSchema(value) ? map(value) : value)
  const list = (value: unknown, map: (schema: Schema) => Schema) =>
    Array.isArray(value) ? value.map((each) => of(each, map)) : of(value, map)
  const table = (value: unknown) =>
    Object.fromEntries(Object.entries(value as Schema).map(([name, each]) => [name, of(each, closedSchema)]))
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([keyword]) => !keyword.startsWith('x-'))
      .map(([keyword, value]) => {
        if (keyword === 'properties' || keyword === 'patternProperties') return [keyword, table(value)]
        if (keyword === 'items' || keyword === 'additionalProperties') return [keyword, list(value, closedSchema)]
        if (keyword === 'prefixItems') return [keyword, list(value, closedSchema)]
        if (keyword === 'anyOf' || keyword === 'oneOf') return [keyword, list(value, part)]
        if (keyword === 'allOf') return [keyword, list(value, openSchema)]
        return [keyword, value]
      }),
  )
}
