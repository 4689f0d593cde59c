import { setTimeout as sleep } from 'node:timers/promises'
import { stopwatch } from './stopwatch'

test('waiting is counted', async () => {
  const [began, counted] = [performance.now(), stopwatch()]
  await sleep(300)
  const ms = counted()
  expect(ms).toBeGreaterThan(150) // all of it, unless the machine stands still meanwhile
  expect(ms).toBeLessThan(performance.now() - began + 1)
})

test('standing still is not', async () => {
  const counted = stopwatch()
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000)
  await sleep(1)
  expect(counted()).toBeLessThan(900)
})
