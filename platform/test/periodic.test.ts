import { makeLog } from '@shop/platform/logging'
import { periodically, untilDone } from '@shop/platform/periodic'

const lines: Record<string, unknown>[] = []
const log = makeLog('test', 'info', { write: (line: string) => void lines.push(JSON.parse(line)) })
const options = { everyMs: 1_000, log, name: 'sweep' }

/** A task that counts its runs, each of which ends when it is told to. */
function aTask() {
  const runs: { stopping: AbortSignal; end: () => void; fail: (error: Error) => void }[] = []
  const task = (stopping: AbortSignal) =>
    new Promise<void>((resolve, reject) => void runs.push({ stopping, end: resolve, fail: reject }))
  const last = () => {
    const run = runs.at(-1)
    if (!run) throw new Error('it has not run')
    return run
  }
  return { task, runs, last }
}
const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms)

beforeEach(() => {
  lines.length = 0
  jest.useFakeTimers()
})
afterEach(() => jest.useRealTimers())

test('a periodic task runs after each pause, which begins when the run before has ended', async () => {
  const { task, runs, last } = aTask()
  periodically(options, task)
  await pass(999)
  expect(runs).toHaveLength(0)
  await pass(1)
  expect(runs).toHaveLength(1)
  await pass(60_000)
  expect(runs).toHaveLength(1)
  last().end()
  await pass(999)
  expect(runs).toHaveLength(1)
  await pass(1)
  expect(runs).toHaveLength(2)
})

test('a run that fails is logged, and the next one comes as usual', async () => {
  const { task, runs, last } = aTask()
  periodically(options, task)
  await pass(1_000)
  last().fail(new Error('no luck'))
  await pass(1_000)
  expect(runs).toHaveLength(2)
  expect(lines).toEqual([expect.objectContaining({ level: 'error', task: 'sweep', msg: 'periodic task failed' })])
  expect(lines[0]).toMatchObject({ err: { message: 'no luck' } })
})

test('a task that throws before it has begun is a failed run like any other', async () => {
  let runs = 0
  periodically(options, () => {
    runs++
    throw new Error('no luck')
  })
  await pass(2_000)
  expect([runs, lines.length]).toEqual([2, 2])
})

test('stopping aborts the run under way, waits for it, and starts no other', async () => {
  const { task, runs, last } = aTask()
  const sweep = periodically(options, task)
  await pass(1_000)
  expect(last().stopping.aborted).toBe(false)
  let stopped = false
  const stop = sweep.stop().then(() => void (stopped = true))
  await pass(0)
  expect([last().stopping.aborted, stopped]).toEqual([true, false])
  last().end()
  await stop
  await pass(60_000)
  expect([stopped, runs.length, jest.getTimerCount()]).toEqual([true, 1, 0])
})

test('stopping waits no longer than 6 s for a run that does not end', async () => {
  const { task } = aTask()
  const sweep = periodically(options, task)
  await pass(1_000)
  let stopped = false
  const stop = sweep.stop().then(() => void (stopped = true))
  await pass(5_999)
  expect(stopped).toBe(false)
  await pass(1)
  await stop
  expect(stopped).toBe(true)
})

test('stopping between runs is at once', async () => {
  const { task, runs } = aTask()
  await periodically(options, task).stop()
  await pass(60_000)
  expect(runs).toHaveLength(0)
})

test('a task that is to be done once runs now, again after each failure, and no more when it is done', async () => {
  const { task, runs, last } = aTask()
  const seed = untilDone(options, task)
  await pass(0)
  expect([runs.length, seed.done()]).toEqual([1, false])
  last().fail(new Error('no database'))
  await pass(999)
  expect(runs).toHaveLength(1)
  await pass(1)
  last().end()
  await pass(60_000)
  expect([runs.length, seed.done(), jest.getTimerCount()]).toEqual([2, true, 0])
  expect(lines).toEqual([expect.objectContaining({ level: 'warn', task: 'sweep', msg: 'not done yet' })])
})

test('a task that is never done can be stopped', async () => {
  const { task, runs, last } = aTask()
  const seed = untilDone(options, task)
  await pass(0)
  const stop = seed.stop()
  last().fail(new Error('no database'))
  await stop
  await pass(60_000)
  expect([runs.length, seed.done()]).toEqual([1, false])
})
