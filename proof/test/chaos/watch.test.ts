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

test('a program is told by its peak, and by the minutes of the process that lived longest', () => {
  const life = (pid: number, megabytes: readonly number[]) =>
    megabytes.map((each, i) => ({ process: 'users', pid, at: pid * 1_000_000 + i * 20_000, megabytes: each }))
  expect(memoryOf([...life(1, [100, 300, 120, 90, 95, 900]), ...life(2, [10, 11])])).toEqual([
    { process: 'users', peakMegabytes: 900, lives: 2, longestLifeSeconds: 100, minutes: [120, 95] },
  ])
})
