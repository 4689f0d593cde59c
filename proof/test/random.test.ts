import { randomFrom, type Random } from '../src/random'

const drawn = (random: Random) => [random.int(1, 1000), random.hex(8), random.pick(['a', 'b', 'c']), random.oneIn(2)]

test('a seed repeats what was drawn, another seed does not', () => {
  expect(drawn(randomFrom('one'))).toEqual(drawn(randomFrom('one')))
  expect(drawn(randomFrom('one'))).not.toEqual(drawn(randomFrom('two')))
})

test('a part draws the same whatever the others have drawn', () => {
  const used = randomFrom('one')
  drawn(used)
  expect(drawn(used.fork('part'))).toEqual(drawn(randomFrom('one').fork('part')))
  expect(drawn(used.fork('part'))).not.toEqual(drawn(used.fork('other part')))
})

test('whole numbers are spread evenly, both ends included', () => {
  const random = randomFrom('dice')
  const counts = [0, 0, 0, 0, 0, 0]
  for (let i = 0; i < 6000; i++) counts[random.int(0, 5)]!++
  expect(Math.min(...counts)).toBeGreaterThan(850)
  expect(Math.max(...counts)).toBeLessThan(1150)
})

test('a shuffled list has the same elements in another order', () => {
  const list = Array.from({ length: 50 }, (_, i) => i)
  const shuffled = randomFrom('cards').shuffled(list)
  expect(shuffled).not.toEqual(list)
  expect(shuffled.toSorted((a, b) => a - b)).toEqual(list)
})

test('nothing can be picked from nothing', () => {
  expect(() => randomFrom('one').pick([])).toThrow('nothing to pick from')
})
