import fc from 'fast-check'
import type { Node } from './nodes'

// Values that have broken other servers: what a string, a number or a header may be, but nobody expects.

// prettier-ignore
const TEXTS = [
  '', ' ', '\t', '\u0000', 'a\u0000b', '\ud800', 'a\udc00', '\ufeff', '\u202eabc', '\u200b', 'e\u0301', '\ufdfa',
  'null', 'undefined', 'true', '0', '-1', '00', '+1', '1.0', '1e3', '0x10', '1_000', ' 1', '\u0663', 'NaN', 'Infinity', '-0',
  "' or '1'='1", "'; select pg_sleep(20); --", '$1', '%', '_', '\\', 'a & !b | (', '":*', "\\'",
  '<script>alert(1)</script>', '{{7*7}}', '${7*7}', '#{7*7}', '%s%n', '../../etc/passwd', '..', '.', '/', '//', '?', '#',
  '\r\nSet-Cookie: a=b', '\n', '\u2028', '%00', '%0d%0a', '%2e%2e%2f', '%zz', '%ff', '*', ';', ',', '"', 'a"b',
  '__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', '[object Object]', '$where', 'a[b]', 'a.b',
  '00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff', 'urn:uuid:01980000-0000-7000-8000-00000000c001',
  '{01980000-0000-7000-8000-00000000c001}', '0198000000007000800000000000c001', '01980000-0000-7000-8000-00000000C001',
  '2026-02-30', '0000-00-00', '0000-01-01', '9999-12-31', '+275760-09-13', '-000001-01-01', '2026-12-31T23:59:60Z', '2026-1-1',
  'a@b', `a@${'b'.repeat(250)}.com`, '"a b"@example.com', 'a@example.com\n', '\u00e4@example.com', 'A'.repeat(32), 'a-'.repeat(40),
]
// prettier-ignore
const LONG = [
  'a'.repeat(257), 'a '.repeat(2_600), '\u{1f600}'.repeat(1_100), 'a'.repeat(99_500), '\u00e9'.repeat(60_000), 'a'.repeat(140_000),
]

// prettier-ignore
const NUMBERS = [
  '-0', '0.1', '-1', '1.0', '1E2', '0.1e1', '1e-400', '1e308', '-1e308', '1e400', '-1e400', '4294967296', '2147483648',
  '-2147483649', '9007199254740992', '9007199254740993', '9223372036854775807', '9223372036854775808', '1'.repeat(400),
].map((verbatim): Node => ({ verbatim }))

const deep = (levels: number): Node[] => [
  { verbatim: '['.repeat(levels) + ']'.repeat(levels) },
  { verbatim: '{"a":'.repeat(levels) + '0' + '}'.repeat(levels) },
]
const nested = (name: string, value: Node): Node => ({ fields: [[name, value]] })

const STRUCTURES: Node[] = [
  ...[null, true, false, [], { fields: [] }, [[]], [null], [''], [[], []]],
  nested('__proto__', nested('admin', true)),
  nested('constructor', nested('prototype', nested('admin', true))),
  ...['toString', 'valueOf', 'toJSON', 'then', 'length', '$gt', '$ref', ''].map((name) => nested(name, 1)),
  Array.from({ length: 101 }, () => null),
  Array.from({ length: 9_000 }, () => 0),
  ...deep(20),
  ...deep(5_000),
]

const anyText = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...TEXTS) },
  { weight: 1, arbitrary: fc.constantFrom(...LONG) },
  { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }) },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme', maxLength: 200 }) },
)

/** A value for a place in a JSON body. */
export const hostileNode: fc.Arbitrary<Node> = fc.oneof(
  { weight: 4, arbitrary: anyText },
  { weight: 2, arbitrary: fc.constantFrom(...NUMBERS) },
  { weight: 2, arbitrary: fc.constantFrom(...STRUCTURES) },
  {
    weight: 1,
    arbitrary: fc.double().map((number): Node => (Number.isFinite(number) ? number : { verbatim: String(number) })),
  },
)

/** A value for a place in a path or a query, where everything is text; what is long is cut to what a request line may have. */
export const hostileText: fc.Arbitrary<string> = fc.oneof(
  { weight: 5, arbitrary: anyText.map((text) => text.slice(0, 2_200)) },
  { weight: 1, arbitrary: fc.constantFrom(...NUMBERS).map((number) => (number as { verbatim: string }).verbatim) },
)

/** Names of fields, parameters and headers that nobody documented. */
export const hostileName: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    'hasOwnProperty',
    'valueOf',
    '',
    ' ',
    '$where',
    'a[b]',
    'a.b',
  ),
  fc.constantFrom(
    'id',
    'role',
    'status',
    'version',
    'admin',
    'sellerId',
    'userId',
    '\u0000',
    '\ud800',
    'a'.repeat(300),
  ),
  fc.string({ minLength: 1, maxLength: 12 }),
)

/** What Node's client agrees to send as the value of a header; the rest goes over a bare socket. */
export const hostileHeader: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    '',
    '"',
    '""',
    'W/',
    'W/"',
    '*',
    '*, *',
    ',',
    ',,,',
    '"a", "b"',
    '"a" "b"',
    '"\xff"',
    '\xff\xfe',
    '\t',
    ' x ',
  ),
  fc.constantFrom(
    'null',
    '0',
    '-1',
    'a'.repeat(255),
    'a'.repeat(256),
    'a'.repeat(3_000),
    '"a'.repeat(500),
    `"${'a'.repeat(254)}"`,
  ),
  fc.string({
    unit: fc
      .integer({ min: 0x20, max: 0xff })
      .filter((code) => code !== 0x7f)
      .map((code) => String.fromCharCode(code)),
    maxLength: 40,
  }),
)

/** Headers that no call documents, some of which proxies and frameworks obey. */
// prettier-ignore
const STRANGE_HEADERS = [
  ['accept', 'text/html'], ['accept', 'application/xml;q=0.9, */*;q=0'], ['accept', ''], ['accept-encoding', 'gzip'],
  ['accept-encoding', 'identity;q=0, *;q=0'], ['accept-language', 'xx-'.repeat(200)], ['cookie', 'a=b; __proto__=c; token=d'],
  ['content-encoding', 'gzip'], ['content-encoding', 'identity'], ['content-encoding', 'deflate, br'], ['content-language', 'xx'],
  ['x-http-method-override', 'DELETE'], ['x-method-override', 'DELETE'], ['x-original-url', '/'], ['x-rewrite-url', '/'],
  ['x-forwarded-for', '10.0.0.1'], ['x-forwarded-for', "'"], ['x-forwarded-host', 'evil.example'], ['x-forwarded-proto', 'gopher'],
  ['x-forwarded-prefix', '/evil'], ['forwarded', 'for="_x";host=evil.example'], ['x-real-ip', '127.0.0.1'],
  ['x-user-id', '01980000-0000-7000-8000-00000000a001'], ['x-user-role', 'ADMIN'], ['x-role', 'ADMIN'], ['x-request-id', 'short'],
  ['x-request-id', 'a'.repeat(65)], ['x-request-id', '<script>alert(1)</script>'], ['x-request-id', ''], ['x-request-id', 'abcdefgh\xff'],
  ['range', 'bytes=0-0'], ['range', 'bytes=-1'], ['if-range', '"a"'], ['te', 'trailers'], ['dnt', '\xff'], ['depth', '0'], ['date', 'x'],
  ['if-modified-since', 'Thu, 01 Jan 2037 00:00:00 GMT'], ['if-unmodified-since', 'Thu, 01 Jan 1970 00:00:00 GMT'],
  ['cache-control', 'only-if-cached'], ['cache-control', 'max-stale=9999'], ['pragma', 'x'], ['max-forwards', '0'],
  ['origin', 'https://evil.example'], ['access-control-request-method', 'PUT'], ['upgrade-insecure-requests', '1'],
  ['referer', 'javascript:alert(1)'], ['user-agent', '\'"><script>'], ['user-agent', ''], ['traceparent', '00-x'],
  ['prefer', 'respond-async, wait=1000'], ['proxy', 'http://evil.example'], ['destination', '/'],
] as const
export const strangeHeader: fc.Arbitrary<readonly [string, string]> = fc.constantFrom(...STRANGE_HEADERS)

// prettier-ignore
export const MEDIA_TYPES = [
  undefined, '', 'text/plain', 'application/json; charset=utf-8', 'application/json;charset="UTF-8"', 'APPLICATION/JSON',
  'application/json;', 'application/json; charset=utf-16', 'application/json; charset=bogus', 'application/json; charset=',
  'application/json;;x', 'application/json, text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x',
  'application/x-www-form-urlencoded; charset=iso-8859-1', 'multipart/form-data', 'application/merge-patch+json', '*/*',
  'application/problem+json', 'application/xml', 'application/octet-stream', 'json', '/', '\xff', `application/json; x=${'a'.repeat(1_000)}`,
] as const

const bytes = (text: string, encoding: BufferEncoding = 'utf8') => Buffer.from(text, encoding)

/** What can happen to the text of a body on its way: it is no JSON any more, or not the text that it was. */
export const MANGLED: Record<string, (text: string) => Buffer> = {
  empty: () => bytes(''),
  blank: () => bytes(' \n\t '),
  cut: (text) => bytes(text.slice(0, Math.max(1, text.length >> 1))),
  'trailing comma': (text) => bytes(text.replace(/([\]}])$/, ',$1')),
  'more after it': (text) => bytes(`${text}${text}`),
  comment: (text) => bytes(`/**/${text}`),
  'single quotes': (text) => bytes(text.replace(/"/g, "'")),
  'a byte order mark': (text) => bytes(`\ufeff${text}`),
  'UTF-16': (text) => bytes(text, 'utf16le'),
  'Latin-1': (text) => bytes(`${text.slice(0, -1)}\xff${text.slice(-1)}`, 'latin1'),
  'a cut character': (text) => Buffer.concat([bytes(text.slice(0, -1)), Buffer.of(0xf0, 0x9f), bytes(text.slice(-1))]),
  'a bare NUL': (text) => bytes(text.replace('"', '"\u0000')),
  'a bare line feed': (text) => bytes(text.replace('"', '"\n')),
  'NaN for a number': (text) => bytes(text.replace(/:-?\d+/, ':NaN')),
  'a zero before a number': (text) => bytes(text.replace(/:(\d)/, ':0$1')),
  'white space to 100 kB': (text) => bytes(text + ' '.repeat(Math.max(0, 100_000 - Buffer.byteLength(text)))),
  'white space over 100 kB': (text) => bytes(text + ' '.repeat(Math.max(0, 100_001 - Buffer.byteLength(text)))),
  'white space over 256 kB': (text) => bytes(text + ' '.repeat(262_145)),
  gzip: (text) => Buffer.concat([Buffer.of(0x1f, 0x8b, 8, 0), bytes(text)]),
}
