import type { Answer } from '../client'
import type { Resolve, Schema } from './values'
import type { Operation } from './operations'
import { nodeOf, type Lookup, type Node } from './nodes'

/** `productId`, `product_id` and `Product-Id` are one name. */
const wordsOf = (name: string): string[] =>
  name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter(Boolean)

const singular = (word: string): string =>
  word
    .replace(/ies$/, 'y')
    .replace(/(ss|x|ch|sh)es$/, '$1')
    .replace(/([^s])s$/, '$1')

/** What a parameter of a path stands for: the `{id}` after `products` is a product id, as in a field of that name. */
export function nameInPath(path: string, parameter: string): string {
  if (wordsOf(parameter).join() !== 'id') return parameter
  const before = path
    .slice(0, path.indexOf(`{${parameter}}`))
    .split('/')
    .filter((segment) => segment && !segment.startsWith('{'))
  return `${singular(before.at(-1) ?? '')}-id`
}

/** Of each name and owner. */
const KEPT = 40

type Entry = { value: Node; text: string; by: string | undefined }

/** What answers have told: ids, names, cursors, tags. From it requests are made that get further than to a 404. */
export function openKnowledge(operations: readonly Operation[], resolve: Resolve) {
  const entries = new Map<string, Entry[]>()
  const tags = new Map<string, string>()
  const templates = [...new Set(operations.map(({ path }) => path))].sort().map((path) => ({
    path,
    pattern: new RegExp(`^${path.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`),
  }))

  /** `by`: whoever it belongs to, when nobody else was told. */
  function learn(name: string, value: string | number, by?: string): void {
    const key = wordsOf(name).join(' ')
    const text = String(value)
    const others = (entries.get(key) ?? []).filter((entry) => entry.text !== text || entry.by !== by)
    const ofThisOne = others.filter((entry) => entry.by === by)
    const dropped = ofThisOne.length >= KEPT ? ofThisOne[0] : undefined
    entries.set(key, [...others.filter((entry) => entry !== dropped), { value: nodeOf(value), text, by }])
  }

  function learnLocation(location: string, by: string | undefined): void {
    const template = templates.find(({ pattern }) => pattern.test(location)) // `{` comes after whatever a segment begins with
    for (const [parameter, value] of Object.entries(template?.pattern.exec(location)?.groups ?? {}))
      learn(nameInPath(template?.path ?? '', parameter), decodeURIComponent(value), by)
  }

  /** Fields by their name, and what a component calls `id` by the component's. */
  function learnBody(value: unknown, given: unknown, by: string | undefined, component = ''): void {
    if (typeof value !== 'object' || value === null || given === undefined) return
    const pointer = (given as { $ref?: string }).$ref
    const name = pointer?.split('/').at(-1) ?? component
    const schema = resolve<Schema>(given)
    for (const part of ['oneOf', 'anyOf', 'allOf'].flatMap((keyword) => (schema[keyword] ?? []) as unknown[]))
      learnBody(value, part, by, name)
    if (Array.isArray(value)) return value.forEach((each) => learnBody(each, schema['items'], by))
    const properties = (schema['properties'] ?? {}) as Record<string, unknown>
    for (const [field, each] of Object.entries(value)) {
      if (typeof each === 'string' || typeof each === 'number') {
        if (field !== 'id') learn(field, each, by)
        else if (name !== '') learn(`${name}-id`, each, by)
      } else learnBody(each, properties[field], by)
    }
  }

  return {
    learn,
    /** From an answer that was no refusal. */
    learnFrom(
      operation: Operation,
      path: string,
      caller: string,
      answer: Pick<Answer, 'status' | 'headers' | 'body'>,
    ): void {
      const by = operation.token === 'needed' ? caller : undefined
      const { location, etag } = answer.headers
      if (typeof location === 'string') learnLocation(location, caller)
      if (typeof etag === 'string') tags.set(typeof location === 'string' ? location : path, etag)
      const content = (resolve<Schema>(operation.responses[String(answer.status)] ?? {})['content'] ?? {}) as Record<
        string,
        { schema?: Schema }
      >
      learnBody(answer.body, content['application/json']?.schema, by)
      for (const [field, value] of Object.entries(answer.body ?? {})) {
        const [next, ...rest] = wordsOf(field)
        if (next === 'next' && typeof value === 'string') learn(`${operation.id}-${rest.join('-')}`, value, by)
      }
    },
    /** As it is now, whatever is learnt later. */
    view: () => viewOf(new Map(entries), new Map(tags)),
    /** The last few values under a name. */
    latest: (name: string, count: number, by?: string): string[] => {
      const all = entries.get(wordsOf(name).join(' ')) ?? []
      return all
        .filter((entry) => by === undefined || entry.by === by)
        .slice(-count)
        .map(({ text }) => text)
    },
  }
}
export type Knowledge = ReturnType<typeof openKnowledge>

function viewOf(entries: ReadonlyMap<string, readonly Entry[]>, tags: ReadonlyMap<string, string>) {
  /** A `token` may be a refresh token, too. */
  const endingIn = (words: readonly string[]): Entry[] =>
    [...entries].filter(([key]) => key.endsWith(` ${words.join(' ')}`)).flatMap(([, values]) => values)

  return {
    /** The version of a resource that was seen last. */
    tagOf: (path: string) => tags.get(path),
    /**
     * What fits a name: of all that is known under it, else under its last words (`currentPassword` is a password). Three times
     * out of four it is the caller's own.
     */
    lookupFor:
      (caller: string): Lookup =>
      (name, pick) => {
        for (let words = wordsOf(name); words.length > 0 && words.join() !== 'id'; words = words.slice(1)) {
          const all = entries.get(words.join(' ')) ?? endingIn(words)
          const own = all.filter(({ by }) => by === caller)
          const from = pick % 4 !== 0 && own.length > 0 ? own : all
          if (from.length > 0) return from[from.length - 1 - (Math.floor(pick / 4) % from.length)]?.value
        }
        return undefined
      },
  }
}
export type View = ReturnType<typeof viewOf>
