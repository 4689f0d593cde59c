import { EntityTags, ifMatch, matchesAny, weakTag } from '@shop/platform/conditional'

const isGood = (header: string) => EntityTags.safeParse(header).success

test.each([
  '*',
  '"7"',
  'W/"7"',
  '""',
  '"7-3", W/"8-1" ,"x"',
  '"a,b"', // a comma is a character of a tag as any other
  '"!#~\u0080\u00ff"',
  '"a",, "b"', // RFC 9110 §5.6.1.2: empty elements are ignored
  ', "a" ,',
])('%s is a list of entity tags', (header) => expect(isGood(header)).toBe(true))

test.each([
  '',
  ' ',
  ',',
  '7',
  "'7'",
  '"7',
  '7"',
  'w/"7"', // RFC 9110 §8.8.3: the prefix is case-sensitive
  'W/ "7"',
  '"a" "b"',
  '"a b"',
  '"a\u007f"',
  '*, "a"',
  '"a", *',
  '**',
  `"${'x'.repeat(1000)}"`,
])('%p is none', (header) => expect(isGood(header)).toBe(false))

test('a long header that is almost a list is refused at once', () => {
  const started = process.cpuUsage() // not by the clock, which goes on while others compute
  expect(matchesAny(`${'"a" , ,'.repeat(20_000)}"`, '"a"')).toBe(false)
  expect(matchesAny(`"a"${' ,'.repeat(50_000)}x`, '"a"')).toBe(false)
  const { user, system } = process.cpuUsage(started)
  expect((user + system) / 1_000).toBeLessThan(1_000)
})

test.each([
  ['"7-3"', '"7-3"', true],
  ['W/"7-3"', '"7-3"', true],
  ['"7-3"', 'W/"7-3"', true],
  ['"1", , W/"7-3"', '"7-3"', true],
  ['*', '"7-3"', true],
  ['"7"', '"7-3"', false],
  ['"7-30"', '"7-3"', false],
  ['7-3', '"7-3"', false],
  ['"7-3" or so', '"7-3"', false],
  ['"a b", "7-3"', '"7-3"', false],
  ['w/"7-3"', '"7-3"', false],
])('If-None-Match: %s against %s is %s: all of the tag counts, weakly compared', (header, etag, matches) =>
  expect(matchesAny(header, etag)).toBe(matches),
)

test.each([
  [undefined, 'missing'],
  ['*', 'current'],
  ['"7"', 'current'],
  ['"7-3"', 'current'],
  ['"7-99"', 'current'], // a sale in between is no conflict
  ['W/"7-3"', 'current'], // Nginx weakens tags when it compresses
  ['"6-3", "7-3"', 'current'],
  ['"6-7"', 'stale'],
  ['"70-3"', 'stale'],
  ['"07-3"', 'stale'],
  ['"-7"', 'stale'],
  ['""', 'stale'],
  ['"6", "8"', 'stale'],
])('If-Match: %s for version 7 is %s: only the version counts', (header, outcome) =>
  expect(ifMatch(header, 7)).toBe(outcome),
)

test('a weak tag is a tag, and differs when the bytes differ', () => {
  expect(isGood(weakTag('[]'))).toBe(true)
  expect(weakTag('[]')).toBe(weakTag('[]'))
  expect(weakTag('[]')).not.toBe(weakTag('[ ]'))
  expect(matchesAny(weakTag('[]'), weakTag('[]'))).toBe(true)
})
