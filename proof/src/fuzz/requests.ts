import fc from 'fast-check'
import { BAD_AUTHORIZATIONS, POISONS, twisted, twistsOf, type Part, type Parts, type Twist } from './twists'
import { MANGLED } from './hostile'
import { nameInPath, type View } from './known'
import { filledIn, isFields, jsonText, placesIn, plainText, type Field, type Fields } from './nodes'
import type { Operation, Parameter } from './operations'
import { valuesOf, type Resolve } from './values'

/** A request with what is not known yet left open: the same seed draws the same ones, whatever the shop has. */
export type Case = {
  caller: string
  /** GET's other half. */
  head: boolean
  mediaType: string | undefined
  parts: Parts
  twists: readonly Twist[]
}

export type Caller = {
  name: string
  /** Undefined: whoever has no account. */
  role: string | undefined
  token: () => Promise<string>
}

/** A request as it goes out, and what is to be remembered of how it was made. */
export type Request = {
  operation: Operation
  caller: Caller
  method: string
  target: string
  headers: readonly (readonly [name: string, value: string])[]
  body: Buffer | undefined
  /** What stands where, for holding it to the schemas; undefined where the target was twisted as a whole. */
  values: { path: Fields; query: Fields } | undefined
  /** Whether Authorization was made bad on purpose. */
  badToken: boolean
}

const parametersIn = (operation: Operation, part: Parameter['in']) =>
  operation.parameters.filter((each) => each.in === part)

/** Requests of one operation. `plain`: as documented, by who may call it, as the first thing that is asked of a shop. */
export function casesOf(
  operation: Operation,
  callers: readonly Caller[],
  resolve: Resolve,
  plain = false,
): fc.Arbitrary<Case> {
  const named = (part: Parameter['in']) => {
    const fields = parametersIn(operation, part).map(({ name, required, schema }) => {
      const known =
        part === 'path' ? nameInPath(operation.path, name) : part === 'query' ? `${operation.id}-${name}` : name
      const field = valuesOf(schema, resolve, known).map((value): Field[] => [[name, value]])
      const often = { weight: 2, arbitrary: field }
      return required ? field : fc.oneof({ weight: 3, arbitrary: fc.constant<Field[]>([]) }, often)
    })
    return fc.tuple(...fields).map((each): Fields => ({ fields: each.flat() }))
  }
  const mediaTypes = Object.keys(operation.body?.content ?? {})
  const bodies = Object.values(operation.body?.content ?? {}).slice(0, 1)
  const written = bodies.map((schema) => valuesOf(schema, resolve).map((body): Fields => ({ fields: [['', body]] })))
  const nothing = fc.constant<Fields>({ fields: [] })
  const unasked = fc.constantFrom<Fields[]>(
    { fields: [['', { fields: [] }]] },
    { fields: [['', { fields: [['a', 1]] }]] },
  )
  const may = callers.filter((caller) => admits(operation, caller.role))
  const usual = fc.constantFrom(...(may.length > 0 ? may : callers).map(({ name }) => name))
  const any = fc.constantFrom(...callers.map(({ name }) => name))
  const parts = (['path', 'query', 'header', 'body'] as const).filter(
    (part) =>
      part === 'query' ||
      part === 'header' ||
      (part === 'body' ? operation.body : parametersIn(operation, 'path').length > 0),
  )
  return fc.record({
    caller: plain ? usual : fc.oneof({ weight: 5, arbitrary: usual }, { weight: 2, arbitrary: any }),
    head: operation.method === 'GET' && !plain ? fc.nat(9).map((n) => n === 9) : fc.constant(false),
    mediaType: mediaTypes.length > 0 ? fc.constantFrom(...mediaTypes) : fc.constant(undefined),
    parts: fc.record({
      path: named('path'),
      query: named('query'),
      header: named('header'),
      body:
        written[0] ??
        (plain ? nothing : fc.oneof({ weight: 15, arbitrary: nothing }, { weight: 1, arbitrary: unasked })),
    }),
    twists: plain ? fc.constant([]) : fewOf(twistsOf(parts)),
  })
}

const LARGEST_SWEEP = 30

/** Every place of a request in turn with the worst that a text can have, in the fullest of a few plain cases. */
export function sweepOf(operation: Operation, callers: readonly Caller[], resolve: Resolve, seed: number): Case[] {
  const plain = fc.sample(casesOf(operation, callers, resolve, true), { seed, numRuns: 30 })
  const size = ({ parts }: Case) => Object.values(parts).reduce((sum, part) => sum + placesIn(part), 0)
  const fullest = plain.reduce((most, each) => (size(each) > size(most) && size(each) <= LARGEST_SWEEP ? each : most))
  return (['path', 'query', 'header', 'body'] as const).flatMap((part) =>
    Array.from({ length: placesIn(fullest.parts[part]) }, (_, at) =>
      POISONS.slice(0, 2).map((poison): Case => ({ ...fullest, twists: [{ part, at, change: { poison, at: 1 } }] })),
    ).flat(),
  )
}

const fewOf = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T[]> =>
  fc.oneof(
    { withCrossShrink: true },
    { weight: 4, arbitrary: fc.constant<T[]>([]) },
    { weight: 4, arbitrary: fc.array(one, { minLength: 1, maxLength: 1 }) },
    { weight: 2, arbitrary: fc.array(one, { minLength: 2, maxLength: 3 }) },
  )

/** Whether a caller of this role passes 401 and 403. */
export const admits = (operation: Operation, role: string | undefined): boolean =>
  operation.token !== 'needed' || (role !== undefined && (operation.roles?.includes(role) ?? true))

const isPart = (twist: Twist): twist is Extract<Twist, { part: Part }> => 'part' in twist

/** The request that a case is by now: what it leaves open is filled in with what is known. */
export async function requestOf(
  given: Case,
  operation: Operation,
  callers: readonly Caller[],
  known: View,
  requestId: string,
): Promise<Request> {
  const caller = callers.find(({ name }) => name === given.caller)
  if (!caller) throw new Error(`there is no caller ${given.caller}`)
  const { twists } = given
  const lookup = known.lookupFor(caller.name)
  const fill = (part: Fields) => filledIn(part, lookup) as Fields
  const { path, query, header, body } = given.parts
  const pathFilled = fill(path)
  const tag = known.tagOf(pathOf(operation, pathFilled))
  const tagged = filledIn(header, (name, pick) => (/^if-/i.test(name) ? tag : lookup(name, pick))) as Fields
  const filled: Parts = { path: pathFilled, query: fill(query), header: tagged, body: fill(body) }
  const parts = twists.filter(isPart).reduce(twisted, filled)
  const authorizations = twists.flatMap((twist) => ('authorization' in twist ? [twist.authorization] : []))
  const mediaTypes = twists.flatMap((twist) => ('mediaType' in twist ? [twist.mediaType] : []))
  const suffixes = twists.flatMap((twist) => ('target' in twist ? [twist.target] : []))
  const content = bodyOf(parts.body, given.mediaType, twists)
  const mediaType = mediaTypes.length > 0 ? mediaTypes.at(-1) : (given.mediaType ?? 'application/json')
  const token = caller.role === undefined ? undefined : await caller.token()
  const authorization =
    authorizations.at(-1)?.map((text) => text.replaceAll('{token}', token ?? 'none')) ??
    (token === undefined ? [] : [`Bearer ${token}`])
  return {
    operation,
    caller,
    method: given.head ? 'HEAD' : operation.method,
    target: pathOf(operation, parts.path) + queryOf(parts.query) + suffixes.join(''),
    headers: [
      ['x-request-id', requestId],
      ...authorization.map((value) => ['authorization', value] as const),
      ...(content === undefined || mediaType === undefined ? [] : [['content-type', mediaType] as const]),
      ...parts.header.fields.flatMap(([name, value]) =>
        isSendable(name, plainText(value)) ? [[name.toLowerCase(), plainText(value)] as const] : [],
      ),
      ...twists.flatMap((twist) => ('header' in twist ? [twist.header] : [])),
    ],
    body: content,
    values: suffixes.length > 0 ? undefined : { path: parts.path, query: parts.query },
    badToken: authorizations.length > 0 && BAD_AUTHORIZATIONS.includes(authorizations.at(-1) ?? []),
  }
}

/** What Node's client takes for a header; the rest goes over a bare socket. */
const isSendable = (name: string, value: string) => /^[\w-]+$/.test(name) && /^[\t\x20-\x7e\x80-\xff]*$/.test(value)

/** Escaped whatever it is: a lone surrogate becomes the three bytes that UTF-8 forbids. */
const escaped = (text: string): string =>
  text.replace(/[^A-Za-z0-9_.~-]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0
    if (code < 0xd800 || code > 0xdfff)
      return encodeURIComponent(character).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16)}`)
    return [0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f)]
      .map((byte) => `%${byte.toString(16)}`)
      .join('')
  })

/** Where a value is missing its segment is empty, and where there are two they are one. */
export const pathOf = (operation: Operation, { fields }: Fields): string =>
  operation.path.replace(/\{(\w+)\}/g, (_, name: string) => textsInPath({ fields }, name).map(escaped).join(''))

/** What stands in the place of a path's parameter, one behind the other: a path cannot repeat one, as a query can. */
export const textsInPath = ({ fields }: Fields, name: string): string[] =>
  fields.filter(([each]) => each === name || each === '').map(([, value]) => plainText(value))

export const queryOf = ({ fields }: Fields): string =>
  fields.length === 0
    ? ''
    : `?${fields.map(([name, value]) => `${escaped(name)}=${escaped(plainText(value))}`).join('&')}`

function bodyOf(
  { fields: [field] }: Fields,
  mediaType: string | undefined,
  twists: readonly Twist[],
): Buffer | undefined {
  const mangles = twists.flatMap((twist) => ('mangle' in twist ? [MANGLED[twist.mangle]] : []))
  const mangle = mangles.at(-1)
  if (field === undefined) return undefined
  const [, node] = field
  const text =
    mediaType === 'application/x-www-form-urlencoded' && isFields(node) ? queryOf(node).slice(1) : jsonText(node)
  return mangle ? mangle(text) : Buffer.from(text)
}

/** A text for a shell that sends a request again. Tokens stand as `$name`, since they expire. */
export function curlOf(
  url: string,
  {
    method,
    target,
    headers,
    body,
    caller,
  }: Pick<Request, 'method' | 'target' | 'headers' | 'body'> & { caller: Pick<Caller, 'name'> },
  token: string | undefined,
): string {
  const parts = [
    'curl -sS -i --path-as-is --globoff',
    method === 'HEAD' ? '--head' : `-X ${method}`,
    ...headers
      .filter(([name]) => name !== 'x-request-id')
      .map(([name, value]) => {
        const shown = quoted(value === '' ? `${name};` : `${name}: ${value}`)
        return `-H ${token ? shown.replaceAll(token, `'"$${variableOf(caller)}"'`) : shown}`
      }),
    ...(body === undefined ? [] : [`--data-binary ${quoted(body.toString('latin1'))}`]),
    ...(body !== undefined && !headers.some(([name]) => name === 'content-type') ? ["-H 'content-type:'"] : []),
    quoted(url + target),
  ]
  return parts.join(' ')
}
const variableOf = (caller: Pick<Caller, 'name'>): string => caller.name.replace(/\W/g, '_')

/** One word for bash, any byte of it. */
function quoted(text: string): string {
  if (/^[\x20-\x7e]*$/.test(text)) return `'${text.replaceAll("'", "'\\''")}'`
  const escapes = text.replace(/[^\x20-\x7e]|['\\]/g, (c) =>
    c === "'" || c === '\\' ? `\\${c}` : `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
  return `$'${escapes}'`
}
