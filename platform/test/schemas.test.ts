import { z } from 'zod'
import {
  Cents,
  Day,
  Id,
  Timestamp,
  booleanParameter,
  integerParameter,
  pageOf,
  pageQuery,
  text,
} from '@shop/platform/schemas'

const accepts = (schema: z.ZodType, value: unknown) => schema.safeParse(value).success

test.each(['a', 'ab', 'ü', '👍', '\u202eabc', "'; drop table x; --", '\u0001', 'x'.repeat(5)])(
  'text %p comes back as it went in',
  (value) => expect(text(1, 5 + 20).parse(value)).toBe(value),
)

test.each([
  ['a NUL, which Postgres refuses', 'a\u0000b'],
  ['half of a surrogate pair, which would come back as another character', 'a\ud83d'],
  ['the other half', '\udc4da'],
  ['too little', ''],
  ['too much', '123456'],
  ['a number', 7],
  ['nothing', undefined],
])('text refuses %s', (_name, value) => expect(accepts(text(1, 5), value)).toBe(false))

test('lengths are in code points, as JSON Schema counts them', () => {
  expect(accepts(text(5, 5), '👍'.repeat(5))).toBe(true)
  expect(accepts(text(1, 5), '👍'.repeat(6))).toBe(false)
  expect(accepts(text(4, 9), '👍'.repeat(3))).toBe(false)
})

test('an id is the same in either case', () => {
  expect(Id.parse('01980000-0000-7000-8000-00000000C0FE')).toBe('01980000-0000-7000-8000-00000000c0fe')
})

test.each(['2026-11-21', '2024-02-29', '2000-02-29', '0001-01-01', '9999-12-31'])('%p is a day', (day) =>
  expect(Day.parse(day)).toBe(day),
)

test.each([
  '2026-02-29',
  '1900-02-29',
  '2026-04-31',
  '2026-13-01',
  '2026-00-10',
  '0000-01-01', // to Postgres, no year
  '10000-01-01',
  '2026-1-1',
  '20261121',
  '2026-11-21T00:00:00Z',
  '2026-11-21 ',
  'infinity',
  '',
  20261121,
])('%p is no day', (value) => expect(accepts(Day, value)).toBe(false))

test.each([
  ['1', 1],
  ['100', 100],
  ['007', 7],
])('the integer parameter %p is %p', (value, integer) => expect(integerParameter(1, 100).parse(value)).toBe(integer))

test.each([
  '',
  ' ',
  '0',
  '101',
  '-1',
  '+1',
  '1.0',
  '1.5',
  '1e2',
  '0x1',
  'NaN',
  '１',
  '1 ',
  '1\n',
  '99999999999999999999',
])('the integer parameter %p is refused', (value) => expect(accepts(integerParameter(1, 100), value)).toBe(false))

test('an integer parameter given twice is refused', () =>
  expect(accepts(integerParameter(1, 100), ['1', '2'])).toBe(false))

test('a boolean parameter is true, false or a violation', () => {
  expect([booleanParameter.parse('true'), booleanParameter.parse('false')]).toEqual([true, false])
  for (const value of ['', '1', '0', 'TRUE', 'yes', ['true']]) expect(accepts(booleanParameter, value)).toBe(false)
})

test.each(['01980000-0000-7000-8000-000000000001', '01980000-0000-7000-8000-00000000000A'])('%s is an id', (value) =>
  expect(accepts(Id, value)).toBe(true),
)

test.each([
  '',
  '1',
  '01980000-0000-7000-8000-00000000000',
  '01980000-0000-7000-8000-000000000001\n',
  '{01980000-0000-7000-8000-000000000001}',
  '019800000000700080000000000000001',
])('%p is no id', (value) => expect(accepts(Id, value)).toBe(false))

test('a timestamp is in UTC', () => {
  expect(accepts(Timestamp, '2026-11-21T08:30:00.000Z')).toBe(true)
  for (const value of ['2026-11-21T08:30:00+01:00', '2026-11-21 08:30:00Z', '2026-02-30T08:30:00Z', '2026-11-21'])
    expect(accepts(Timestamp, value)).toBe(false)
})

test('cents are whole, not negative and exact', () => {
  for (const value of [0, 1, Number.MAX_SAFE_INTEGER]) expect(accepts(Cents, value)).toBe(true)
  for (const value of [-1, 0.5, '1', NaN, Infinity, 2 ** 53]) expect(accepts(Cents, value)).toBe(false)
})

test('a page has 20 items unless asked for another number, from 1 to 100', () => {
  const query = z.strictObject(pageQuery)
  expect(query.parse({})).toEqual({ limit: 20 })
  expect(query.parse({ limit: '100', cursor: 'abc' })).toEqual({ limit: 100, cursor: 'abc' })
  for (const value of [{ limit: '0' }, { limit: '101' }, { cursor: '' }, { cursor: 'x'.repeat(2001) }, { page: '2' }])
    expect(accepts(query, value)).toBe(false)
})

test('a page of items has a cursor or null, and nothing that its items do not declare', () => {
  const page = pageOf(z.object({ id: z.string() }))
  expect(page.parse({ items: [{ id: 'a', password: 'x' }], nextCursor: null })).toEqual({
    items: [{ id: 'a' }],
    nextCursor: null,
  })
  expect(accepts(page, { items: [] })).toBe(false)
})
