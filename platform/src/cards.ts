import { z } from 'zod'

/** Payment cards end in a check digit (ISO/IEC 7812-1, annex B). */
function hasCheckDigit(number: string): boolean {
  const sum = [...number].reduceRight((total, digit, i) => {
    const doubled = Number(digit) * ((number.length - i) % 2 === 0 ? 2 : 1)
    return total + (doubled > 9 ? doubled - 9 : doubled)
  }, 0)
  return sum % 10 === 0
}

/** Digits, written in groups or not; parsed to the digits alone. No message repeats what was sent. */
export const CardNumber = z
  .string()
  .max(40)
  .transform((text) => text.replace(/[ -]/g, ''))
  .pipe(
    z
      .string()
      .regex(/^\d{12,19}$/, { error: 'must be 12 to 19 digits', abort: true })
      .refine(hasCheckDigit, 'is no card number'),
  )
  .meta({ type: 'string', minLength: 12, maxLength: 40 })
export const ExpMonth = z.int().min(1).max(12)
export const ExpYear = z.int().min(2000).max(2999)
export const Cvc = z.string().regex(/^\d{3,4}$/, 'must be 3 or 4 digits')

/** A card is good until the end of its month, in UTC. */
export const isExpired = ({ expMonth, expYear }: { expMonth: number; expYear: number }, now: Date): boolean =>
  Date.UTC(expYear, expMonth) <= now.getTime()

/** What may be kept of a card, and all that may. */
export type CardFace = { brand: string; last4: string }

/** The leading digits that card networks have been given. */
const BRANDS: readonly (readonly [brand: string, pattern: RegExp])[] = [
  ['visa', /^4/],
  ['mastercard', /^(5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)/],
  ['amex', /^3[47]/],
  ['discover', /^(6011|64[4-9]|65)/],
]

export const faceOf = (number: string): CardFace => ({
  brand: BRANDS.find(([, pattern]) => pattern.test(number))?.[0] ?? 'unknown',
  last4: number.slice(-4),
})
