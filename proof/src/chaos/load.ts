import type { Random } from '../random'

/** What a client does next: decided by chance alone, before anything is known of how the shop is. */
export type Decision = { pauseMs: number } & (BuyerDeed | SellerDeed | VisitorDeed)

/** `which`, from 0 to below 1, points into whatever there is of the kind when its turn comes. */
type Which = { which: number }
/** Whether a call carries a key; with one it may be made twice at the same moment. */
type Keyed = { keyed: boolean; twice: boolean }
/** Test cards, by what comes of them. */
export type CardName = 'succeeds' | 'is declined' | 'fails at first'
type BuyerDeed =
  | ({ do: 'order'; lines: { product: number; quantity: number }[] } & Keyed)
  | ({ do: 'repeat order' } & Which)
  | ({ do: 'cancel' } & Which)
  | ({ do: 'read order' } & Which)
  | { do: 'list orders' }
  | ({ do: 'check out'; lines: { product: number; quantity: number }[] } & Keyed)
  | ({ do: 'pay'; card: CardName } & Which & Keyed)
  | { do: 'read cart' }
  | ({ do: 'track' } & Which)
  | { do: 'leave'; lines: { product: number; quantity: number }[]; afterMs: number; half: boolean }
  | { do: 'log in' }
  | Common
type SellerDeed =
  | ({ do: 'change stock'; product: number; delta: number; reason: 'RECEIVED' | 'CORRECTION' | 'DAMAGED' } & Keyed)
  | { do: 'edit'; product: number; priceCents: number }
  | ({ do: 'list product'; stock: number; priceCents: number } & Keyed)
  | ({ do: 'ship' } & Which)
  | { do: 'read ledger'; product: number }
  | { do: 'sum up sales' }
  | { do: 'list own products' }
  | { do: 'log in' }
  | Common
type VisitorDeed = { do: 'register'; role: 'BUYER' | 'SELLER' } | { do: 'read documents'; which: number } | Common
type Common =
  { do: 'read product'; product: number } | { do: 'search'; words: string; sort: 'newest' | 'price' | 'name' }

export type Role = 'buyer' | 'seller' | 'visitor'
type Weighted<Deed> = readonly [weight: number, draw: (random: Random) => Deed]

const which = (random: Random): Which => ({ which: random.int(0, 9_999) / 10_000 })
/** Half of all calls carry a key, and of those every tenth is made twice at once. */
const keyed = (random: Random): Keyed => {
  const isKeyed = random.oneIn(2)
  return { keyed: isKeyed, twice: isKeyed && random.oneIn(10) }
}
/** The first products are the hot ones: half of all lines are theirs. */
const product = (random: Random): number => random.int(0, random.oneIn(2) ? 3 : 999)

/** Mostly one line; else several in any order, so that orders cross each other, and now and then a product twice. */
function lines(random: Random): { product: number; quantity: number }[] {
  const count = random.oneIn(3) ? random.int(2, 5) : 1
  return Array.from({ length: count }, () => ({
    product: product(random),
    quantity: random.oneIn(20) ? random.int(50, 200) : random.int(1, 3),
  }))
}

/** Mostly one that succeeds. */
const CARDS = [...Array<CardName>(8).fill('succeeds'), 'is declined', 'fails at first'] as const

const COMMON: readonly Weighted<Common>[] = [
  [8, (random) => ({ do: 'read product', product: product(random) })],
  [
    5,
    (random) => ({
      do: 'search',
      words: random.pick(['thing', 'thi', 'chaos']),
      sort: random.pick(['newest', 'price', 'name']),
    }),
  ],
]
const DEEDS: { readonly [R in Role]: readonly Weighted<BuyerDeed | SellerDeed | VisitorDeed>[] } = {
  buyer: [
    ...COMMON,
    [3, () => ({ do: 'log in' })],
    [45, (random) => ({ do: 'order', lines: lines(random), ...keyed(random) })],
    [5, (random) => ({ do: 'repeat order', ...which(random) })],
    [10, (random) => ({ do: 'cancel', ...which(random) })],
    [5, (random) => ({ do: 'check out', lines: lines(random), ...keyed(random) })],
    [14, (random) => ({ do: 'pay', card: random.pick(CARDS), ...which(random), ...keyed(random) })],
    [2, () => ({ do: 'read cart' })],
    [2, (random) => ({ do: 'track', ...which(random) })],
    [10, (random) => ({ do: 'read order', ...which(random) })],
    [4, () => ({ do: 'list orders' })],
    [2, (random) => ({ do: 'leave', lines: lines(random), afterMs: random.int(0, 30), half: random.oneIn(4) })],
  ],
  seller: [
    ...COMMON,
    [3, () => ({ do: 'log in' })],
    [
      40,
      (random) => {
        const reason = random.pick(['RECEIVED', 'RECEIVED', 'CORRECTION', 'DAMAGED'] as const)
        const units = random.oneIn(10) ? random.int(500, 5_000) : random.int(1, 40)
        const delta = reason === 'RECEIVED' || (reason === 'CORRECTION' && random.oneIn(2)) ? units : -units
        return { do: 'change stock', product: product(random), delta, reason, ...keyed(random) }
      },
    ],
    [15, (random) => ({ do: 'edit', product: product(random), priceCents: random.int(100, 9_999) })],
    [
      3,
      (random) => ({
        do: 'list product',
        stock: random.int(0, 50),
        priceCents: random.int(0, 9_999),
        ...keyed(random),
      }),
    ],
    [12, (random) => ({ do: 'ship', ...which(random) })],
    [1, () => ({ do: 'sum up sales' })],
    [6, (random) => ({ do: 'read ledger', product: product(random) })],
    [3, () => ({ do: 'list own products' })],
  ],
  visitor: [
    ...COMMON,
    [3, (random) => ({ do: 'register', role: random.pick(['BUYER', 'SELLER']) })],
    [2, (random) => ({ do: 'read documents', ...which(random) })],
  ],
}

/** The `step`th decision of a client: the same for the same seed, whatever happened before. */
export function decide(role: Role, random: Random, step: number): Decision {
  const own = random.fork(String(step))
  const deeds = DEEDS[role]
  let at = own.int(
    1,
    deeds.reduce((sum, [weight]) => sum + weight, 0),
  )
  const chosen = deeds.find(([weight]) => (at -= weight) <= 0)
  if (!chosen) throw new Error('the weights do not add up')
  return { pauseMs: own.int(5, 60), ...chosen[1](own) }
}
