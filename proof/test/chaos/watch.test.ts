import { memoryOf } from '../../src/chaos/memory'
import { watch } from '../../src/chaos/watch'

test('what memory a process has after the load has ended says nothing of it, and is not taken', () => {
  let now = 0
  const watched = watch({ pids: () => ({ users: process.pid }) }, () => now)
  now = 600_000
  watched.stop()
  const taken = watched.memory.map(({ at }) => at)
  expect(taken).toEqual([600_000])
  now = 744_000
  watched.stop() // whoever tidies up stops it once more
  expect(watched.memory.map(({ at }) => at)).toEqual(taken)
})

test('a life is compared by its second and its last half minute', () => {
  const samples = Array.from({ length: 301 }, (_, s) => ({
    ...{ process: 'users', pid: 1, at: s * 1_000 },
    megabytes: s < 30 ? 500 : s <= 60 ? 100 : s < 270 ? 300 : 120,
  }))
  expect(memoryOf(samples)).toEqual([
    { process: 'users', peakMegabytes: 500, lives: 1, longestLifeSeconds: 300, warm: 100, last: 120 },
  ])
})
