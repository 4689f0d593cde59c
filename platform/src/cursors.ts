import { createHash } from 'node:crypto'
import { z } from 'zod'
import { ProblemError } from './problems'

const Cursor = z.tuple([z.string(), z.array(z.union([z.string(), z.number()]))])

/**
 * Opaque keyset cursors. `list` names the sort and the filters that a cursor belongs to (any JSON value);
 * `encode` takes the sort key of the last row, `decode` returns it and raises `validation-failed` for a cursor of
 * another list or one that was never issued.
 */
export function cursors<Key extends z.ZodType<readonly (string | number)[]>>(list: unknown, key: Key) {
  // A digest: filters may be long, and a cursor has to fit into a query string.
  const name = createHash('sha256').update(JSON.stringify(list)).digest('base64url').slice(0, 16)
  return {
    encode: (values: z.input<Key>): string => Buffer.from(JSON.stringify([name, values])).toString('base64url'),
    decode: (cursor: string | undefined): z.output<Key> | undefined => {
      if (cursor === undefined) return undefined
      const parsed = Cursor.safeParse(parseJson(Buffer.from(cursor, 'base64url').toString()))
      const values = parsed.success && parsed.data[0] === name ? key.safeParse(parsed.data[1]) : undefined
      if (values?.success) return values.data
      throw new ProblemError('validation-failed', {
        members: {
          errors: [{ in: 'query', path: 'cursor', message: 'is not a cursor of this list, sort and filter' }],
        },
      })
    },
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined // not a cursor; the schema says so
  }
}

/** Sorts after every UUIDv7: where newest-first lists begin. */
export const LAST_ID = 'ffffffff-ffff-7fff-bfff-ffffffffffff'

export type Page<Item> = { items: Item[]; nextCursor: string | null }

/** Cuts `limit + 1` rows into a page: the extra row says that there is a next one. */
export function page<Row, Item>(
  rows: readonly Row[],
  limit: number,
  toItem: (row: Row) => Item,
  encode: (last: Row) => string,
): Page<Item> {
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  return { items: shown.map(toItem), nextCursor: rows.length > limit && last !== undefined ? encode(last) : null }
}
