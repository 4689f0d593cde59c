import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { operationsOf } from '../../proof/src/fuzz/operations'
import { run } from '../../proof/src/fuzz/run'
import { SMUGGLED_ID } from '../../proof/src/fuzz/sockets'
import { findingsText } from '../../proof/src/fuzz/summary'
import { readDocument, startShop, type Shop } from '../support/system'

// `npm run fuzz` for a moment; a longer run finds more. What it finds on servers that have faults is in proof/test.

let shop: Shop
beforeAll(async () => (shop = await startShop()), 120_000)
afterAll(() => shop.stop())

test('nothing is found in a few cases of every operation, nor over bare sockets, and no service has seen what was hidden', async () => {
  const options = {
    url: shop.stack.url,
    cases: 8,
    slow: 3,
    seed: 'of-the-tests',
    only: undefined,
    admin: undefined,
    json: false,
  }
  const report = await run(options, () => undefined)
  expect(findingsText(report)).toBe('')
  const operations = operationsOf(await readDocument()).map(({ id }) => id)
  expect(report.rows.map(({ operation }) => operation)).toEqual([...operations, 'other methods and paths'])
  expect(report.rows.filter(({ cases }) => cases < 8)).toEqual([])
  expect(report.sockets).toMatchObject({ slow: 21, findings: [], bystander: { faults: [] } })

  const logs = path.join(shop.stack.dataDir, 'logs')
  const texts = await Promise.all((await readdir(logs)).map((name) => readFile(path.join(logs, name), 'utf8')))
  expect(texts.join('')).toContain('not-smuggled')
  expect(texts.join('')).not.toContain(SMUGGLED_ID)
}, 180_000)
