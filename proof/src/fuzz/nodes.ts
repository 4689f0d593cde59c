/** JSON that is not sent yet. Objects are lists of fields, so that a field can stand twice or be called `__proto__`. */
export type Node = null | boolean | number | string | readonly Node[] | Fields | Known | Verbatim

export type Field = readonly [name: string, value: Node]
export type Fields = { readonly fields: readonly Field[] }
/** What the shop is known to have under a name, chosen by `pick`; `otherwise` while nothing is known. */
export type Known = { readonly known: string; readonly pick: number; readonly otherwise: Node }
/** JSON text that `JSON.stringify` never writes: `1e400`, `-0`, `01`. */
export type Verbatim = { readonly verbatim: string }

const isObject = (node: Node): node is Fields | Known | Verbatim =>
  typeof node === 'object' && node !== null && !Array.isArray(node)
export const isFields = (node: Node): node is Fields => isObject(node) && 'fields' in node
const isKnown = (node: Node): node is Known => isObject(node) && 'known' in node
const isVerbatim = (node: Node): node is Verbatim => isObject(node) && 'verbatim' in node
const isList = (node: Node): node is readonly Node[] => Array.isArray(node)

export const nodeOf = (json: unknown): Node => {
  if (Array.isArray(json)) return json.map(nodeOf)
  if (typeof json === 'object' && json !== null)
    return { fields: Object.entries(json).map(([name, value]) => [name, nodeOf(value)] as const) }
  return json as Node
}

/** `lookup` answers undefined for what is not known. */
export type Lookup = (name: string, pick: number) => Node | undefined

export function filledIn(node: Node, lookup: Lookup): Node {
  if (isKnown(node)) return lookup(node.known, node.pick) ?? filledIn(node.otherwise, lookup)
  if (isList(node)) return node.map((each) => filledIn(each, lookup))
  if (isFields(node)) return { fields: node.fields.map(([name, value]) => [name, filledIn(value, lookup)] as const) }
  return node
}

export function jsonText(node: Node): string {
  if (isVerbatim(node)) return node.verbatim
  if (isKnown(node)) return jsonText(node.otherwise)
  if (isList(node)) return `[${node.map(jsonText).join(',')}]`
  if (isFields(node))
    return `{${node.fields.map(([name, value]) => `${JSON.stringify(name)}:${jsonText(value)}`).join(',')}}`
  return JSON.stringify(node)
}

/** How a value stands in a path, a query, a header or a form: a text as it is, anything else as JSON. */
export const plainText = (node: Node): string => (typeof node === 'string' ? node : jsonText(node))

const childrenOf = (node: Node): readonly Node[] => {
  if (isFields(node)) return node.fields.map(([, value]) => value)
  return isList(node) ? node : []
}

/** The number of fields and list items in a node, at any depth. */
export const placesIn = (node: Node): number =>
  childrenOf(node).reduce<number>((count, child) => count + 1 + placesIn(child), 0)

/** Puts what `change` makes of one field or list item, counted depth first, in its place: none, one or more. */
export function changedAt(node: Node, place: number, change: (field: Field) => readonly Field[]): Node {
  let left = place
  const within = (at: Node): Node => {
    if (!isFields(at) && !isList(at)) return at
    const fields: readonly Field[] = isFields(at) ? at.fields : at.map((item): Field => ['', item])
    const changed = fields.flatMap(([name, value]): readonly Field[] =>
      left-- === 0 ? change([name, value]) : [[name, within(value)]],
    )
    return isFields(at) ? { fields: changed } : changed.map(([, value]) => value)
  }
  return within(node)
}
