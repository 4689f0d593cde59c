import { z } from 'zod'

/** What is kept of a card, and all that is. */
export type CardFace = { brand: string; last4: string }

/** Payment cards end in a check digit (ISO/IEC 7812-1, annex B). */
function hasCheckDigit(number: string): boolean {
  const sum = [...number].reduceRight((total, digit, i) => {
    const doubled = Number(digit) * ((number.length - i) % 2 === 0 ? 2 : 1)
    return total + (doubled > 9 ? doubled - 9 : doubled)
  }, 0)
  return sum % 10 === 0
}

export const Card = z
  .strictObject({
    number: z
      .string()
      .regex(/^\d{12,19}$/, { error: 'must be 12 to 19 digits', abort: true })
      .refine(hasCheckDigit, 'is no card number'),
    expMonth: z.int().min(1).max(12),
    expYear: z.int().min(2000).max(2999),
    cvc: z.string().regex(/^\d{3,4}$/, 'must be 3 or 4 digits'),
  })
  .meta({ id: 'Card', description: 'Never written and never logged: brand and last four digits are all that is kept.' })
type Card = z.infer<typeof Card>

/** The leading digits that card networks have been given. */
const BRANDS: readonly (readonly [brand: string, pattern: RegExp])[] = [
  ['visa', /^4/],
  ['mastercard', /^(5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)/],
  ['amex', /^3[47]/],
  ['discover', /^(6011|64[4-9]|65)/],
]

export const faceOf = ({ number }: Card): CardFace => ({
  brand: BRANDS.find(([, pattern]) => pattern.test(number))?.[0] ?? 'unknown',
  last4: number.slice(-4),
})

/** What comes of a charge. `FAILS_AT_FIRST`: nothing is charged at the first attempt of an order, the next one succeeds. */
export type Verdict =
  | { status: 'SUCCEEDED' }
  | { status: 'DECLINED'; declineReason: string }
  | { status: 'NOT_CHARGED' }
  | { status: 'FAILS_AT_FIRST' }

const TEST_CARDS: Readonly<Record<string, Verdict>> = {
  '4242424242424242': { status: 'SUCCEEDED' },
  '4000000000000002': { status: 'DECLINED', declineReason: 'card-declined' },
  '4000000000000119': { status: 'FAILS_AT_FIRST' },
}

/** By rule and never by chance. A card is good until the end of its month, in UTC. No real card is ever charged. */
export function verdictOn({ number, expMonth, expYear }: Card, now: Date): Verdict {
  if (Date.UTC(expYear, expMonth) <= now.getTime()) return { status: 'DECLINED', declineReason: 'card-expired' }
  return TEST_CARDS[number] ?? { status: 'DECLINED', declineReason: 'not-a-test-card' }
}
