import { setTimeout as sleep } from 'node:timers/promises'
import { fateOf, isRepeatable, type Deed, type Recorder } from './history'
import type { Market, Party } from './market'

/** What became of the calls whose outcome nobody knew when the faults were over. */
export type Settled = {
  /** Told to the repeat as done before. */
  hadBeenDone: number
  /** By the repeat itself. */
  doneNow: number
  refused: number
  /** Without a key: what is stored will tell. */
  leftToReading: number
  /** Not answered in time. */
  open: number
}

const AT_ONCE = 16
/** A charge of which nothing was heard is looked into after ten seconds, and that takes a few. */
const PATIENCE_MS = 40_000

/** Repeats every undecided call that may be repeated, until it is decided. */
export async function settle(market: Market, { history }: Recorder, parties: readonly Party[]): Promise<Settled> {
  const undecided = history.deeds.filter((deed) => fateOf(deed) === 'undecided')
  const queue = undecided.filter(isRepeatable)
  const settled: Settled = {
    ...{ hadBeenDone: 0, doneNow: 0, refused: 0, open: 0 },
    leftToReading: undecided.length - queue.length,
  }
  const byId = new Map(parties.map((party) => [party.id, party]))
  const worker = async () => {
    for (let deed = queue.pop(); deed; deed = queue.pop()) settled[await decided(market, deed, byId.get(deed.by))]++
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  return settled
}

async function decided(
  market: Market,
  deed: Deed,
  by: Party | undefined,
): Promise<'hadBeenDone' | 'doneNow' | 'refused' | 'open'> {
  if (!by) throw new Error(`${deed.mark} was wished by somebody unknown`)
  for (const deadline = Date.now() + PATIENCE_MS; Date.now() < deadline; await sleep(100)) {
    if (by.stale) await by.logIn()
    const { call } = await market.perform(deed, by)
    if (call.outcome === 'ok') return call.replayed ? 'hadBeenDone' : 'doneNow'
    // The quiet shop has no reason to send anybody away.
    if (call.outcome === 'refused' && call.status !== 401 && call.status !== 503) {
      deed.settled = true
      return 'refused'
    }
  }
  return 'open'
}
