import { z } from 'zod'

// Postgres refuses U+0000 (22021), and a lone surrogate would come back as U+FFFD.
const isStorable = (text: string) => !text.includes('\u0000') && text.isWellFormed()

/** Text that Postgres stores and returns unchanged. Lengths are in code points, as JSON Schema counts them. */
export const text = (min: number, max: number) =>
  z.string().min(min).max(max).refine(isStorable, 'must not contain U+0000 or lone surrogates')

/** Either case is one id (RFC 9562 §4); in lower case it is what Postgres returns, so that ids can be compared as text. */
export const Id = z.uuid().toLowerCase().meta({ description: 'UUID' })

/** RFC 3339 in UTC. */
export const Timestamp = z.iso.datetime().meta({ example: '2026-11-21T08:30:00.000Z' })

/** A day of the calendar that Postgres has too: it writes what was before the year 1 in another way. */
export const Day = z.iso
  .date('must be a day as YYYY-MM-DD')
  .refine((day) => day >= '0001', 'must not be before the year 1')
  .meta({ example: '2026-11-21' })

/** `priceCents` and totals: integer minor units. */
export const Cents = z.int().min(0)

/** A query parameter that is an integer; anything else than plain digits is a violation. */
export const integerParameter = (min: number, max: number) =>
  z
    .string()
    .regex(/^-?\d{1,12}$/, 'must be an integer')
    .transform(Number)
    .pipe(z.int().min(min).max(max))
    .meta({ type: 'integer', minimum: min, maximum: max })

export const booleanParameter = z
  .enum(['true', 'false'])
  .transform((value) => value === 'true')
  .meta({ type: 'boolean' })

/** `?limit` and `?cursor` of every list. */
export const pageQuery = {
  limit: integerParameter(1, 100).default(20).meta({ description: 'Items a page, 1–100.', default: 20 }),
  cursor: z.string().min(1).max(2000).optional().meta({ description: '`nextCursor` of the page before.' }),
}

export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({
    items: z.array(item),
    nextCursor: z.string().nullable().meta({ description: 'Cursor of the next page, `null` at the end.' }),
  })
