const TICK_MS = 20
/** A pause as ordinary as this is none: on a busy machine a process gets its turn a little late. */
const ORDINARY_MS = 30

/**
 * How long work took, and how much of that this machine, or at least this process, stood still: a tick that comes late tells. What is
 * promised to end in time can end no earlier than its machine goes on, so that a bound is one on the difference.
 */
export async function timed<T>(work: Promise<T>): Promise<{ value: T; ms: number; stillMs: number }> {
  const begun = performance.now()
  let [last, stillMs] = [begun, 0]
  const tick = () => {
    const now = performance.now()
    if (now - last > TICK_MS + ORDINARY_MS) stillMs += now - last - TICK_MS
    last = now
  }
  const ticking = setInterval(tick, TICK_MS)
  try {
    const value = await work
    tick() // what has stood still until just now
    return { value, ms: performance.now() - begun, stillMs }
  } finally {
    clearInterval(ticking)
  }
}
