import { randomBytes } from 'node:crypto'
import bcrypt from 'bcrypt'
import { ProblemError } from '@shop/platform/problems'

/** bcrypt reads this much of a password and ignores the rest. */
export const PASSWORD_BYTES = 72

/** Whoever waited this long is refused: with what follows its answer would come after every deadline. */
const PATIENCE_MS = 5_000

/** bcrypt, usable only in one's turn. */
type Hasher = {
  hash: (password: string) => Promise<string>
  /** Without a hash (no such user) it takes as long and is false. So it is for what bcrypt would cut. */
  matches: (password: string, hash: string | undefined) => Promise<boolean>
}

export type Hashing = {
  /**
   * Runs `work` as soon as one of the places for hashing is free. When too many wait already, or it has waited too long,
   * raises `service-unavailable`.
   */
  inTurn: <T>(work: (hasher: Hasher) => Promise<T>) => Promise<T>
}

/**
 * Bounded hashing. A hash of cost 12 keeps a core busy for a quarter of a second, in libuv's pool of four threads: two at once
 * leave the others to files and names, and the event loop to other calls. `atOnce` run, `waiting` more wait.
 */
export function makeHashing({
  cost,
  atOnce = 2,
  waiting = 30,
}: {
  cost: number
  atOnce?: number
  waiting?: number
}): Hashing {
  const decoy = bcrypt.hash(randomBytes(16).toString('hex'), cost)
  const hasher: Hasher = {
    hash: (password) => bcrypt.hash(password, cost),
    matches: async (password, hash) => {
      const same = await bcrypt.compare(password, hash ?? (await decoy))
      return same && hash !== undefined && Buffer.byteLength(password) <= PASSWORD_BYTES
    },
  }
  const queue: { since: number; start: () => void; refuse: (error: Error) => void }[] = []
  let running = 0

  const turn = async (): Promise<void> => {
    if (running < atOnce) {
      running++
      return
    }
    if (queue.length >= waiting) throw overloaded()
    // Whoever leaves hands its place over, so `running` stays as it is.
    await new Promise<void>((start, refuse) => queue.push({ since: performance.now(), start, refuse }))
  }
  const leave = (): void => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      if (performance.now() - next.since < PATIENCE_MS) return next.start()
      next.refuse(overloaded())
    }
    running--
  }

  return {
    inTurn: async (work) => {
      await turn()
      try {
        return await work(hasher)
      } finally {
        leave()
      }
    },
  }
}

const overloaded = () =>
  new ProblemError('service-unavailable', { detail: 'Too many passwords are being checked at this moment.' })
