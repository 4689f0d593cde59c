import { inLines, names, readArguments, seconds, seedOption, urlOption, wholeNumber, WrongOption } from '../src/options'

test.each([
  ['45', 45],
  ['45s', 45],
  ['10m', 600],
  ['1h', 3600],
])('%s are %d seconds', (text, expected) => {
  expect(seconds('duration', text)).toBe(expected)
})

test.each<[string, () => unknown]>([
  ['a duration without a unit known', () => seconds('duration', '10d')],
  ['no duration at all', () => seconds('duration', '0')],
  ['a number with a fraction', () => wholeNumber('size', '1.5')],
  ['a number too large', () => wholeNumber('size', '11', { max: 10 })],
  ['a name that is not known', () => names('only', 'a,x', ['a', 'b'])],
  ['an address of another scheme', () => urlOption('url', 'ftp://shop.example')],
  ['no address', () => urlOption('url', 'localhost')],
  ['an option nobody knows', () => readArguments(['--fast'], { slow: { type: 'boolean' } })],
  ['an option without its value', () => readArguments(['--seed'], { seed: { type: 'string' } })],
  ['a word that is no option', () => readArguments(['http://localhost'], { url: { type: 'string' } })],
])('%s is refused', (_what, read) => {
  expect(read).toThrow(WrongOption)
})

test('what is understood comes back', () => {
  expect(readArguments(['--seed', 'x', '--json'], { seed: { type: 'string' }, json: { type: 'boolean' } })).toEqual({
    seed: 'x',
    json: true,
  })
  expect(wholeNumber('size', '10', { max: 10 })).toBe(10)
  expect(names('only', 'b, a', ['a', 'b'])).toEqual(['b', 'a'])
  expect(urlOption('url', 'http://localhost:8080/')).toBe('http://localhost:8080')
})

test('a seed that is not given is drawn', () => {
  expect(seedOption('given')).toBe('given')
  expect(seedOption(undefined)).not.toBe(seedOption(undefined))
})

test('names for a usage text begin at one column, and no line is too long', () => {
  expect(inLines(['a'.repeat(40), 'b'.repeat(40), 'c'.repeat(40)], 2)).toBe(
    `${'a'.repeat(40)}, ${'b'.repeat(40)},\n  ${'c'.repeat(40)}`,
  )
})
