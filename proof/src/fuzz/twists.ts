import fc from 'fast-check'
import { hostileHeader, hostileName, hostileNode, hostileText, MANGLED, MEDIA_TYPES, strangeHeader } from './hostile'
import { changedAt, jsonText, placesIn, type Field, type Fields, type Node } from './nodes'

/** The parts of a request that are made of named values; a body is the one field of its part. */
export type Parts = { path: Fields; query: Fields; header: Fields; body: Fields }
export type Part = keyof Parts

const SPOILT = ['cut', 'longer', 'one character', 'case', 'doubled', 'reversed'] as const
type Spoilt = (typeof SPOILT)[number]
/** One of them anywhere in a text has been enough, above all the first two. */
export const POISONS = [
  '\u0000',
  '\ud800',
  '\udc00',
  '\r\n',
  '\u001b',
  '\u007f',
  '\ufffe',
  "'",
  '"',
  '\\',
  '\u{1f600}',
  '\u202e',
] as const

type Change =
  | { put: Node }
  | { drop: true }
  | { twice: Node }
  | { beside: Field }
  | { spoil: Spoilt; at: number }
  | { poison: string; at: number }
  | { wrap: 'list' | 'object' | 'text' }
  | { rename: 'case' | 'space' }

/** One thing that is wrong with a request, or at least unusual. */
export type Twist =
  | { part: Part; at: number; change: Change }
  | { mangle: keyof typeof MANGLED }
  | { mediaType: string | undefined }
  /** `{token}` stands for the caller's. */
  | { authorization: readonly string[] }
  | { header: readonly [name: string, value: string] }
  /** Is put at the end of the target as it is. */
  | { target: string }

/** A token whose claims say ADMIN and whose algorithm is none, and one with another signature. */
const UNSIGNED = [
  '{"alg":"none","typ":"JWT"}',
  '{"sub":"01980000-0000-7000-8000-00000000a001","role":"ADMIN","exp":4102444800}',
  '',
]
  .map((part) => Buffer.from(part).toString('base64url'))
  .join('.')
export const BAD_AUTHORIZATIONS: readonly (readonly string[])[] = [
  ['Bearer'], ['Bearer '], ['Bearer x'], ['Bearer a.b.c'], ['Bearer ..'], [`Bearer ${UNSIGNED}`], ['Bearer {token}x'], ['Bearer {token} {token}'],
  ['{token}'], ['Token {token}'], ['Basic dXNlci0xOnBhc3N3b3Jk'], ['Bearer {token}', 'Bearer {token}'], ['Bearer x', 'Bearer {token}'], ['Bearer {token}', 'Bearer x'],
  ['Bearer {token}, Bearer {token}'], ['Bearer\t{token}.'], [`Bearer ${'a'.repeat(4_000)}`], ['Bearer \xff'], ['Bearer null'], ['Digest username="a"'],
] // prettier-ignore

const SUFFIXES = ['/', '//', '?', '??', '&', '?a', '?=', '?&&&', '?%', '?%zz=1', '?a=%ff', '?a=%00', '?a=%ed%a0%80', '?a=%c0%80', '%', '%zz', '%ff', '%00', '%20', '%2f', '%2e', ';a=b', '/.', '/..', '/%2e%2e', '#a', '?a[b]=c', '?a[]=b&a[]=c', '?__proto__=1', '?__proto__[a]=b', `?${'a=b&'.repeat(1_000)}`, `?a=${'b'.repeat(4_500)}`] // prettier-ignore

const at = fc.nat(200)
const spoilt = fc.record({ spoil: fc.constantFrom(...SPOILT), at: fc.nat(4_000) })

const poisoned = fc.record({ poison: fc.constantFrom(...POISONS), at: fc.nat(40) })

const changes = (value: fc.Arbitrary<Node>, field: fc.Arbitrary<Field>): fc.Arbitrary<Change> =>
  fc.oneof(
    { weight: 8, arbitrary: fc.record({ put: value }) },
    { weight: 2, arbitrary: fc.constant<Change>({ drop: true }) },
    { weight: 2, arbitrary: fc.record({ twice: value }) },
    { weight: 2, arbitrary: fc.record({ beside: field }) },
    { weight: 3, arbitrary: spoilt },
    { weight: 4, arbitrary: poisoned },
    { weight: 1, arbitrary: fc.constantFrom<Change[]>({ wrap: 'list' }, { wrap: 'object' }, { wrap: 'text' }) },
    { weight: 1, arbitrary: fc.constantFrom<Change[]>({ rename: 'case' }, { rename: 'space' }) },
  )

/** `parts` are those that the operation has. */
export function twistsOf(parts: readonly Part[]): fc.Arbitrary<Twist> {
  const changed: Record<Part, fc.Arbitrary<Change>> = {
    path: changes(hostileText, fc.tuple(fc.constant(''), hostileText)),
    query: changes(hostileText, fc.tuple(hostileName, hostileText)),
    header: changes(hostileHeader, strangeHeader),
    body: changes(hostileNode, fc.tuple(hostileName, hostileNode)),
  }
  const weights: Record<Part, number> = { path: 3, query: 6, header: 3, body: 14 }
  const hasBody = parts.includes('body')
  return fc.oneof(
    ...parts.map((part) => ({
      weight: weights[part],
      arbitrary: fc.record({ part: fc.constant(part), at, change: changed[part] }),
    })),
    ...(hasBody
      ? [
          { weight: 3, arbitrary: fc.record({ mangle: fc.constantFrom(...Object.keys(MANGLED)) }) },
          { weight: 2, arbitrary: fc.record({ mediaType: fc.constantFrom(...MEDIA_TYPES) }) },
        ]
      : []),
    { weight: 2, arbitrary: fc.record({ authorization: fc.constantFrom(...BAD_AUTHORIZATIONS) }) },
    { weight: 2, arbitrary: fc.record({ header: strangeHeader }) },
    { weight: 1, arbitrary: fc.record({ target: fc.constantFrom(...SUFFIXES) }) },
  )
}

/** The parts with one of their values changed; a place beyond the last one counts from the first again. */
export function twisted(parts: Parts, { part, at: place, change }: Extract<Twist, { part: Part }>): Parts {
  const places = placesIn(parts[part])
  if (places === 0) {
    // a path has no room for more; a query or a header without any has
    return 'beside' in change && part !== 'path' && part !== 'body'
      ? { ...parts, [part]: { fields: [change.beside] } }
      : parts
  }
  return { ...parts, [part]: changedAt(parts[part], place % places, (field) => applied(change, field)) as Fields }
}

function applied(change: Change, [name, value]: Field): readonly Field[] {
  if ('put' in change) return [[name, change.put]]
  if ('drop' in change) return []
  if ('twice' in change) return [[name, value], [name, change.twice]] // prettier-ignore
  if ('beside' in change) return [[name, value], change.beside]
  if ('wrap' in change) return [[name, wrapped(change.wrap, value)]]
  if ('rename' in change) return [[change.rename === 'case' ? swappedCase(name) : `${name} `, value]]
  if (typeof value !== 'string') return [[name, 'poison' in change ? change.poison : value]]
  return [
    [name, 'poison' in change ? inserted(change.poison, change.at, value) : spoiled(change.spoil, change.at, value)],
  ]
}

function wrapped(how: 'list' | 'object' | 'text', value: Node): Node {
  if (how === 'list') return [value]
  return how === 'object' ? { fields: [['value', value]] } : jsonText(value)
}

const swappedCase = (text: string): string =>
  text.replace(/[a-zA-Z]/g, (letter) => (letter < 'a' ? letter.toLowerCase() : letter.toUpperCase()))

const inserted = (poison: string, place: number, text: string): string => {
  const index = place % (text.length + 1)
  return text.slice(0, index) + poison + text.slice(index)
}

function spoiled(how: Spoilt, place: number, text: string): string {
  const index = text.length === 0 ? 0 : place % text.length
  switch (how) {
    case 'cut':
      return text.slice(0, index)
    case 'longer':
      return `${text}A`
    case 'one character':
      return `${text.slice(0, index)}${text[index] === 'A' ? 'B' : 'A'}${text.slice(index + 1)}`
    case 'case':
      return swappedCase(text)
    case 'doubled':
      return text + text
    case 'reversed':
      return [...text].reverse().join('')
  }
}
