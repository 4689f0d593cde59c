import { readCharges } from '../../src/chaos/books'
import { openClient } from '../../src/client'

test('a gateway that cannot be read in the end is told of, and the rest can be judged', async () => {
  const client = openClient({ url: 'http://127.0.0.1:1' })
  const unread: string[] = []
  expect(await readCharges(client, unread)).toEqual([])
  expect(unread).toEqual([expect.stringMatching(/^GET \/charges\S* answered 0 in the quiet/)])
  client.close()
})
