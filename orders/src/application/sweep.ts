import type { OpenOrder, OpenQuery } from './ports'

/** Aborted when the process is about to end: what has begun goes on, and nothing more begins. */
export type Stopping = { readonly aborted: boolean }

/** Is told of each order with which a sweep could not deal, and which the next one will try again. */
export type ReportLeftOver = (leftOver: { orderId: string; error: unknown }) => void

const PAGE = 20

/**
 * Does `work` on all that is open, from the oldest on, `atOnce` at a time; what fails is reported and keeps nothing else from its
 * turn. Any number of processes may sweep at once: what is listed may be done when its turn comes. Raises when the list fails.
 */
export async function sweep<Open extends OpenOrder>(options: {
  list: (query: OpenQuery) => Promise<Open[]>
  until: Date
  work: (open: Open) => Promise<unknown>
  atOnce: number
  reportLeftOver: ReportLeftOver
  stopping: Stopping | undefined
}): Promise<void> {
  const { list, until, work, atOnce, reportLeftOver, stopping } = options
  let after: Open | undefined
  do {
    const page = await list({ until, after, limit: PAGE })
    const queue = page.values()
    const takeTurns = async () => {
      for (const open of queue) {
        if (stopping?.aborted) return
        await work(open).catch((error: unknown) => reportLeftOver({ orderId: open.orderId, error }))
      }
    }
    await Promise.all(Array.from({ length: atOnce }, takeTurns))
    after = page.length === PAGE ? page.at(-1) : undefined
  } while (after && !stopping?.aborted)
}
