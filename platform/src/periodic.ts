import type { Logger } from 'pino'

export type Repeated = {
  /**
   * No run starts any more; resolves when the one under way, whose signal is aborted, has ended, or after 6 s: a run must bear to be
   * cut off, as by a crash.
   */
  stop: () => Promise<void>
}
type Options = { everyMs: number; log: Logger; name: string }
type Task = (stopping: AbortSignal) => Promise<void>

/** A call over the network takes up to 5 s, and the whole end of a process may take 9.5 s. */
const END_WITHIN_MS = 6_000

/**
 * Runs `task` every `everyMs`, counted from the end of a run, so that runs never overlap; the first one comes after the first
 * pause. A failure is logged and changes nothing. Keeps no process alive.
 */
export const periodically = ({ everyMs, log, name }: Options, task: Task): Repeated =>
  repeat(everyMs, everyMs, async (stopping) => {
    try {
      await task(stopping)
    } catch (error) {
      log.error({ err: error, task: name }, 'periodic task failed')
    }
    return 'again'
  })

/** Runs `task` now, and after `everyMs` again for as long as it fails. */
export function untilDone({ everyMs, log, name }: Options, task: Task): Repeated & { done: () => boolean } {
  let done = false
  const { stop } = repeat(0, everyMs, async (stopping) => {
    try {
      await task(stopping)
      done = true
      return 'enough'
    } catch (error) {
      log.warn({ err: error, task: name }, 'not done yet')
      return 'again'
    }
  })
  return { stop, done: () => done }
}

function repeat(
  firstMs: number,
  everyMs: number,
  run: (stopping: AbortSignal) => Promise<'again' | 'enough'>,
): Repeated {
  const stopping = new AbortController()
  let underWay = Promise.resolve()
  const schedule = (ms: number) =>
    setTimeout(() => {
      underWay = run(stopping.signal).then((next) => {
        if (next === 'again' && !stopping.signal.aborted) timer = schedule(everyMs)
      })
    }, ms).unref()
  let timer = schedule(firstMs)
  return {
    stop: () => {
      stopping.abort()
      clearTimeout(timer)
      return new Promise((resolve) => {
        const limit = setTimeout(resolve, END_WITHIN_MS)
        void underWay.then(() => {
          clearTimeout(limit)
          resolve()
        })
      })
    },
  }
}
