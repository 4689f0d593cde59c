import type { RequestedLine } from './order'

/** A line as its buyer set it, beside its product as it is now. */
export type CartLine = RequestedLine & {
  name: string
  unitPriceCents: number
  /** What a unit cost when the buyer set the line. */
  seenPriceCents: number
  /** Sellable units; 0 when the product is not for sale. */
  available: number
  forSale: boolean
}

/** In the order in which the lines were added. */
export type Cart = { lines: readonly CartLine[] }

export const NOTICES = ['PRICE_CHANGED', 'SHORT', 'UNAVAILABLE'] as const

/** What a buyer has to know of a line before checking out. */
export function noticesOf(line: CartLine): (typeof NOTICES)[number][] {
  if (!line.forSale) return ['UNAVAILABLE']
  return [
    ...(line.unitPriceCents === line.seenPriceCents ? [] : (['PRICE_CHANGED'] as const)),
    ...(line.available >= line.quantity ? [] : (['SHORT'] as const)),
  ]
}

/** What a line adds to the total: nothing when its product is not for sale. */
export const cartLineTotalCents = (line: CartLine): number => (line.forSale ? line.quantity * line.unitPriceCents : 0)
export const cartTotalCents = ({ lines }: Cart): number =>
  lines.reduce((sum, line) => sum + cartLineTotalCents(line), 0)
