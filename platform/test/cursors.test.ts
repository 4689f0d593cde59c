import { z } from 'zod'
import { cursors, page } from '@shop/platform/cursors'
import { ProblemError } from '@shop/platform/problems'
import { pageQuery } from '@shop/platform/schemas'

const ID = '01980000-0000-7000-8000-000000000001'
const byName = (list: unknown) => cursors(list, z.tuple([z.string(), z.uuid()]))
const refusal = (decode: () => unknown) => {
  try {
    decode()
  } catch (error) {
    if (error instanceof ProblemError) return error.reply
    throw error
  }
  throw new Error('it was not refused')
}

test('a cursor gives back the key that it was made of', () => {
  const { encode, decode } = byName(['products', 'name'])
  const key: [string, string] = ['Ünïcode “name” \u0001 🎧', ID]
  expect(decode(encode(key))).toEqual(key)
  expect(decode(undefined)).toBeUndefined()
})

test('the longest cursor of a list with the longest filters is one that the list takes', () => {
  const filters = ['products', 'name', '語'.repeat(100), 'x'.repeat(60), ID]
  for (const name of ['\u0001'.repeat(200), '語'.repeat(200), '🎧'.repeat(100)]) {
    const cursor = byName(filters).encode([name, ID])
    expect(pageQuery.cursor.parse(cursor)).toBe(cursor)
    expect(cursor).toMatch(/^[\w-]+$/)
  }
})

test.each([
  ['of another list', byName(['products', 'price']).encode(['a', ID])],
  ['with a key of another shape', cursors(['products', 'name'], z.tuple([z.number(), z.uuid()])).encode([1, ID])],
  ['with a part that its schema refuses', byName(['products', 'name']).encode(['a', 'no id'])],
  ['that is cut short', byName(['products', 'name']).encode(['a', ID]).slice(0, -5)],
  ['that was never one', 'eyJhIjoxfQ'],
  ['that is not even base64', '%%%'],
])('a cursor %s is refused as a violation of the query', (_name, cursor) => {
  expect(refusal(() => byName(['products', 'name']).decode(cursor))).toEqual({
    problem: 'validation-failed',
    members: { errors: [{ in: 'query', path: 'cursor', message: 'is not a cursor of this list, sort and filter' }] },
  })
})

test('the row beyond the limit says that there is a next page, and is not on this one', () => {
  const cut = (rows: number[]) =>
    page(
      rows,
      2,
      (row) => `item ${row}`,
      (last) => `after ${last}`,
    )
  expect(cut([1, 2, 3])).toEqual({ items: ['item 1', 'item 2'], nextCursor: 'after 2' })
  expect(cut([1, 2])).toEqual({ items: ['item 1', 'item 2'], nextCursor: null })
  expect(cut([])).toEqual({ items: [], nextCursor: null })
})
