import { z } from 'zod'
import { CardNumber, Cvc, ExpMonth, ExpYear, isExpired } from '@shop/platform/cards'

export const Card = z
  .strictObject({ number: CardNumber, expMonth: ExpMonth, expYear: ExpYear, cvc: Cvc })
  .meta({ id: 'Card', description: 'Never written and never logged: brand and last four digits are all that is kept.' })
type Card = z.infer<typeof Card>

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

/** By rule and never by chance. No real card is ever charged. */
export function verdictOn(card: Card, now: Date): Verdict {
  if (isExpired(card, now)) return { status: 'DECLINED', declineReason: 'card-expired' }
  return TEST_CARDS[card.number] ?? { status: 'DECLINED', declineReason: 'not-a-test-card' }
}
