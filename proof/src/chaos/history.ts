import { createHash } from 'node:crypto'
import type { Answer, Outcome } from '../client'
import type { CardName } from './load'

/** A call as its caller saw it. Times are milliseconds from the beginning of the run. */
export type Call = {
  /** What was called, for counting: `place an order`. */
  action: string
  begunAt: number
  ms: number
  /** 0 when no answer came. */
  status: number
  code?: string
  outcome: Outcome
  /** The answer was one that had been given before. */
  replayed?: true
  /** The caller left before the answer: that there is none says nothing about the shop. */
  left?: true
  /** Made again and again at its pace, whatever became of the one before. */
  probe?: true
}

export type Line = { productId: string; quantity: number }
/** What a caller wanted to happen. What changes an order leaves no mark; all else leaves one that nobody else uses. */
export type Wish =
  | { do: 'order'; lines: readonly Line[] }
  /** `lines`: what was in the cart, where that is certain. */
  | { do: 'check out'; lines?: readonly Line[] }
  | { do: 'cancel'; orderId: string }
  | { do: 'pay'; orderId: string; card: CardName }
  | { do: 'ship'; orderId: string; to: string }
  | { do: 'change stock'; productId: string; delta: number; reason: string }
  | { do: 'list product'; stock: number; priceCents: number }
  | { do: 'edit'; productId: string; version: number; priceCents: number }
  | { do: 'register'; role: string }

/** A wish and all the calls that were made for it: one, or several with one key. */
export type Deed = {
  /** Stored with the effect, as an order's notes, a movement's note, a product's or a user's name. */
  mark: string
  by: string
  key?: string
  wish: Wish
  calls: Call[]
  /** What those calls that succeeded were told: with a key always the same, byte for byte. */
  told: { id: string; digest: string }[]
  /** The last call was made when everything before was over. */
  settled?: true
}

/** Nobody knows of the undecided; it is done at most once all the same. */
export type Fate = 'done' | 'refused' | 'undecided'

export function fateOf({ calls, settled }: Deed): Fate {
  if (calls.some(({ outcome }) => outcome === 'ok')) return 'done'
  // Had an earlier call done it, the last one would have been told so.
  if (settled && calls.at(-1)?.outcome === 'refused') return 'refused'
  return calls.every(({ outcome }) => outcome === 'refused') ? 'refused' : 'undecided'
}

/** Whether a repeat finds out: with a key it is told what was done; a cancellation may be repeated anyway. */
export const isRepeatable = ({ key, wish }: Deed): boolean => key !== undefined || wish.do === 'cancel'

/** Whether nothing of it goes on: of two calls with one key one is told at once that the other is under way, and that one was answered. */
export const isOver = ({ calls }: Deed): boolean =>
  calls.every(({ outcome, code }) => outcome !== 'unknown' || code === 'request-in-progress')

/** Whether a check-out can have ordered no other cart than it found: one that is undecided is repeated later, with the cart as it is then. */
export const ordersItsCart = (deed: Deed): boolean => isOver(deed) && fateOf(deed) !== 'undecided'

/** The lines as an order has them: each product once, in the order of first mention. */
export function merged(lines: readonly Line[]): Line[] {
  const sums = new Map<string, number>()
  for (const { productId, quantity } of lines) sums.set(productId, (sums.get(productId) ?? 0) + quantity)
  return [...sums].map(([productId, quantity]) => ({ productId, quantity }))
}

/** What a client read of one order, and when it asked. */
export type Sighting = { orderId: string; begunAt: number; ms: number; status: number; orderStatus?: string }

export type History = { calls: Call[]; deeds: Deed[]; sightings: Sighting[] }

/** "Nothing was done", as the pages of these problems promise. The other 5xx leave the outcome open. */
const NOTHING_DONE = new Set(['database-unavailable', 'service-unavailable', 'keys-unavailable'])

const outcomeOf = (answer: Answer): Outcome =>
  answer.status === 503 && NOTHING_DONE.has(codeOf(answer) ?? '') ? 'refused' : answer.outcome

/** The token endpoint's errors are RFC 6749's. */
function codeOf({ problem }: Answer): string | undefined {
  const code = problem?.code ?? problem?.['error']
  return typeof code === 'string' ? code : undefined
}

export function openHistory(now: () => number) {
  const history: History = { calls: [], deeds: [], sightings: [] }
  return {
    history,
    now,
    /** Makes a call and writes it down, with the deed that it is for. */
    async record<Body>(
      action: string,
      make: () => Promise<Answer<Body>>,
      deed?: Deed,
      idOf: (answer: Answer<Body>) => string = () => '',
    ): Promise<Answer<Body> & { call: Call }> {
      const begunAt = now()
      const answer = await make()
      const { status, ms } = answer
      const code = codeOf(answer)
      const replayed = answer.headers['idempotency-replayed'] === 'true'
      const call: Call = {
        ...{ action, begunAt, ms, status, outcome: outcomeOf(answer) },
        ...(code && { code }),
        ...(replayed && { replayed }),
      }
      history.calls.push(call)
      deed?.calls.push(call)
      if (deed && call.outcome === 'ok') deed.told.push({ id: idOf(answer), digest: digestOf(answer.text) })
      return { ...answer, call }
    },
    /** A call whose caller left before the answer, or even before all of it was said. */
    leave(action: string, begunAt: number, deed: Deed, outcome: 'unknown' | 'refused'): void {
      const call: Call = { action, begunAt, ms: now() - begunAt, status: 0, outcome, left: true }
      history.calls.push(call)
      deed.calls.push(call)
    },
    begin(deed: Omit<Deed, 'calls' | 'told'>): Deed {
      const begun = { ...deed, calls: [], told: [] }
      history.deeds.push(begun)
      return begun
    },
  }
}
export type Recorder = ReturnType<typeof openHistory>

const digestOf = (text: string): string => createHash('sha256').update(text).digest('base64')
