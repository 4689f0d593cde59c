import { WrongOption } from '../src/options'
import { optionsFrom } from '../src/prove/options'
import { PROMISES } from '../src/prove/promises'

test('nothing needs to be said', () => {
  expect(optionsFrom([])).toEqual({
    url: 'http://localhost:8080',
    seed: expect.stringMatching(/^[0-9a-f]{8}$/),
    size: 16,
    durationSeconds: 0,
    only: PROMISES.map(({ name }) => name),
    buyers: [],
    sellers: [],
    json: false,
  })
})

test('accounts are given by name and password, and the demo ones by a word', () => {
  expect(optionsFrom(['--buyer', 'a:b:c', '--buyer', 'd:e', '--seller', 'f:g'])).toMatchObject({
    buyers: [
      { username: 'a', password: 'b:c' },
      { username: 'd', password: 'e' },
    ],
    sellers: [{ username: 'f', password: 'g' }],
  })
  expect(optionsFrom(['--demo'])).toMatchObject({
    buyers: [{ username: 'user-1', password: 'password' }],
    sellers: [{ username: 'seller-1', password: 'password' }],
  })
})

test.each([
  [['--size', '3']],
  [['--only', 'books,world-peace']],
  [['--buyer', 'a:b']],
  [['--buyer', 'nobody', '--seller', 'a:b']],
  [['--url', 'shop']],
  [['--duration', 'long']],
])('%j is refused', (args) => {
  expect(() => optionsFrom(args)).toThrow(WrongOption)
})

test('every promise has a name of its own', () => {
  expect(new Set(PROMISES.map(({ name }) => name)).size).toBe(PROMISES.length)
})
