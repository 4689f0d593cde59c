import type { Tally } from '../../report'
import type { Books } from '../books'
import type { Staged } from '../faults'
import type { History } from '../history'
import type { Exit } from '../watch'

/** What time may be taken: what the shop promises, or more on a machine that is busy with other things. */
export type Allowed = {
  /** By a call. */
  callMs: number
  /** From the end of a fault until everything is served again. */
  recoveryMs: number
  /** Before the first fault, by whoever is turned away and not sooner: each step of a call has a bound, which a slow machine reaches. */
  refusalMs: number
}

/** All that is known when a run is over. Whether the promises held is a matter of this and of nothing else. */
export type Evidence = {
  history: History
  books: Books
  faults: readonly Staged[]
  exits: readonly Exit[]
  /** Names of the processes that run in the end. */
  running: readonly string[]
  /** When the load ended, and when the books were read, in the time of the history; it began at this time of day. */
  endedAt: number
  readAt: number
  began: number
  allowed: Allowed
  /** How long an order that is not paid is held. */
  holdMs: number
}

export const SHIPMENT_STEPS = ['PENDING', 'PACKED', 'OUT_FOR_DELIVERY', 'DELIVERED']

export type Promised = {
  name: string
  promise: string
  look: (tally: Tally, evidence: Evidence) => void
  /** Whether the run was one in which it could be broken. */
  when?: (evidence: Evidence) => boolean
}

export function groupedBy<T>(list: readonly T[], keyOf: (each: T) => string | null): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const each of list) {
    const key = keyOf(each)
    if (key === null) continue
    const group = groups.get(key)
    if (group) group.push(each)
    else groups.set(key, [each])
  }
  return groups
}
