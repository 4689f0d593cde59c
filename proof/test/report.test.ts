import { held, judge, table, tallied, together, Undecided } from '../src/report'

const stock = { name: 'stock', promise: 'stock is never negative' }
const good = (name: string, promise: string) => judge({ name, promise }, (tally) => void tally.that(true, ''))

test('what holds is counted and has no failures', async () => {
  const finding = await judge(stock, (tally) => {
    tally.equal({ a: [1] }, { a: [1] }, 'the same')
    tally.that(true, 'never told')
    tally.note('2 seen')
  })
  expect(finding).toMatchObject({ checks: 2, failed: 0, failures: [], evidence: ['2 seen'] })
  expect(held(finding)).toBe(true)
})

test('what does not hold is told, the first ten times', async () => {
  const finding = await judge(stock, (tally) => {
    for (let n = 0; n < 12; n++) tally.equal(n, -1, `product ${n}`)
  })
  expect(finding).toMatchObject({ checks: 12, failed: 12 })
  expect(finding.failures).toHaveLength(10)
  expect(finding.failures[3]).toBe('product 3: 3 instead of -1')
  expect(held(finding)).toBe(false)
})

test('an exception is held against the promise, running out of patience is not', async () => {
  const broken = await judge(stock, () => Promise.reject(new TypeError('no items')))
  expect(broken).toMatchObject({ checks: 1, failed: 1 })
  expect(broken.failures[0]).toContain('no items')
  const undecided = await judge(stock, () => Promise.reject(new Undecided('429 for a minute')))
  expect(undecided).toMatchObject({ checks: 0, failed: 0, unfinished: '429 for a minute' })
  expect(held(undecided)).toBe(false)
})

test('a promise that nobody checked did not hold', async () => {
  const finding = await judge(stock, () => {})
  expect(finding.unfinished).toBe('nothing was checked')
  expect(held(finding)).toBe(false)
})

test('the table names promise, checks, result and evidence, and what went wrong below', async () => {
  const findings = [
    await good('a', 'nothing is lost, whatever happens to whom, when and where'),
    await judge(stock, (tally) => {
      tally.equal(-1, 0, 'available')
      tally.count('products', 2)
      tally.note('product 7')
    }),
  ]
  expect(table(findings).split('\n')).toEqual([
    'promise                                             checks  result    evidence',
    expect.stringMatching(/^─+$/),
    'nothing is lost, whatever happens to whom, when          1  passed',
    'and where',
    'stock is never negative                                  1  1 FAILED  2 products, product 7',
    '  ✗ available: -1 instead of 0',
  ])
})

test('rounds of one promise add up, and one bad round is enough', async () => {
  const once = (available: number) =>
    judge(stock, (tally) => {
      tally.equal(available, 0, 'available')
      tally.count('products')
      tally.note(`seen ${available}`)
    })
  const both = together(await once(0), await once(-1))
  expect(both).toMatchObject({ checks: 2, failed: 1, counts: { products: 2 }, evidence: ['seen 0', 'seen -1'] })
  expect(both.failures).toEqual(['available: -1 instead of 0'])
  expect(held(both)).toBe(false)
})

test('values are tallied, the most frequent first', () => {
  expect(tallied([409, 201, 409])).toBe('409 ×2, 201 ×1')
})
