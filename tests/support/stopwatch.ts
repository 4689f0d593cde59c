const TICK_MS = 20
/** More than passes between two ticks of a process that gets to run. */
const MOST_MS = 200

/**
 * How many milliseconds there were in which this process could run: what a machine takes that stands still for a while is not
 * counted, so that a limit is a limit of the code and not of the machine. For work that waits; what computes keeps the ticks waiting.
 */
export function stopwatch(): () => number {
  let [counted, last] = [0, performance.now()]
  const tick = () => {
    const now = performance.now()
    counted += Math.min(now - last, MOST_MS)
    last = now
  }
  const ticking = setInterval(tick, TICK_MS).unref()
  return () => {
    clearInterval(ticking)
    tick()
    return counted
  }
}
