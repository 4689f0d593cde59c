import { openBooks, type Entry } from '../src/books'
import { NOW } from './gateway'

/** A journal that writes when it is let; nothing of it is on a disk before. */
function slowJournal() {
  const entries: Entry[] = []
  let write = (): void => undefined
  const writing = new Promise<void>((resolve) => (write = resolve))
  return {
    entries,
    write,
    journal: {
      append: (entry: Entry) => {
        entries.push(entry)
        return writing
      },
      written: () => writing,
      close: () => writing,
    },
  }
}

const charge = {
  paymentId: '01980000-0000-7000-8000-000000001001',
  reference: 'an order',
  amountCents: 4900,
  currency: 'USD',
  card: { brand: 'visa', last4: '4242' },
}

test('nothing is told before it is on the disk, also not by whoever only asks', async () => {
  const { entries, write, journal } = slowJournal()
  const books = openBooks(journal, [], () => NOW)
  const told: string[] = []
  const calls = Object.entries({
    charge: books.charge(charge, { status: 'SUCCEEDED' }),
    repeat: books.charge(charge, { status: 'SUCCEEDED' }),
    another: books.charge({ ...charge, amountCents: 1 }, { status: 'SUCCEEDED' }),
    settle: books.settle(charge.paymentId),
    refund: books.refund(charge.paymentId),
    refundAgain: books.refund(charge.paymentId),
    close: books.settle('another id'),
    closeAgain: books.settle('another id'),
    late: books.charge({ ...charge, paymentId: 'another id' }, { status: 'SUCCEEDED' }),
    find: books.find(charge.paymentId),
    list: books.list({ reference: undefined, after: 0, limit: 10 }),
  }).map(([name, call]) => call.then(() => told.push(name)))
  await new Promise((resolve) => setImmediate(resolve))
  expect(told).toEqual([])
  expect(entries.map(({ type, paymentId }) => `${type} ${paymentId}`)).toEqual([
    `charge ${charge.paymentId}`,
    `refund ${charge.paymentId}`,
    'close another id',
  ])
  write()
  await Promise.all(calls)
  expect(told).toHaveLength(11)
})

test('what the journal has is what the books are', async () => {
  const { entries, write, journal } = slowJournal()
  write()
  const books = openBooks(journal, [], () => NOW)
  await books.charge(charge, { status: 'SUCCEEDED' })
  await books.charge({ ...charge, paymentId: 'fails' }, { status: 'FAILS_AT_FIRST' })
  await books.charge({ ...charge, paymentId: 'declined' }, { status: 'DECLINED', declineReason: 'no' })
  await books.settle('closed')
  await books.refund(charge.paymentId)
  const all = { reference: undefined, after: 0, limit: 10 }
  const again = openBooks(journal, JSON.parse(JSON.stringify(entries)) as Entry[], () => NOW)
  expect(await again.list(all)).toEqual(await books.list(all))
  expect((await again.list(all)).map(({ status, refundedAt }) => [status, refundedAt !== null])).toEqual([
    ['SUCCEEDED', true],
    ['NOT_CHARGED', false],
    ['DECLINED', false],
    ['NOT_CHARGED', false],
  ])
})
