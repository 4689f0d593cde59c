import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { z } from 'zod'
import { openJournal } from '../src/journal'

let folder: string
let file: string
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'shop-journal-'))
  file = path.join(folder, 'journal')
})
afterEach(() => rmSync(folder, { recursive: true }))

const Line = z.strictObject({ n: z.number() })
const open = () =>
  openJournal({
    file,
    parse: (line) => Line.parse(line),
    onFailure: (error) => {
      throw error
    },
  })
const numbers = async () => {
  const { journal, entries } = await open()
  await journal.close()
  return entries.map(({ n }) => n)
}

test('what was appended is read again, in its order, by the owner alone', async () => {
  const { journal, entries } = await open()
  expect(entries).toEqual([])
  await Promise.all(Array.from({ length: 1000 }, (_, n) => journal.append({ n })))
  await journal.append({ n: 1000 })
  await journal.close()
  expect(await numbers()).toEqual(Array.from({ length: 1001 }, (_, n) => n))
  expect(statSync(file).mode & 0o777).toBe(0o600)
})

test('an entry is in the file when its promise resolves, and everything before it when `written` does', async () => {
  const { journal } = await open()
  await journal.append({ n: 1 })
  expect(readFileSync(file, 'utf8')).toBe('{"n":1}\n')
  void journal.append({ n: 2 })
  await journal.written()
  expect(readFileSync(file, 'utf8')).toBe('{"n":1}\n{"n":2}\n')
  void journal.append({ n: 3 })
  void Promise.resolve().then(() => journal.append({ n: 4 })) // comes while the one before is being written
  await Promise.resolve()
  await journal.written()
  expect(readFileSync(file, 'utf8')).toBe('{"n":1}\n{"n":2}\n{"n":3}\n{"n":4}\n')
  await journal.close()
})

test.each(['{', '{"n":3', '{"n":3}'])(
  'a last line cut short (%s) is dropped, and what comes next is whole',
  async (torn) => {
    writeFileSync(file, `{"n":1}\n{"n":2}\n${torn}`)
    const { journal, entries } = await open()
    expect(entries).toEqual([{ n: 1 }, { n: 2 }])
    await journal.append({ n: 4 })
    await journal.close()
    expect(await numbers()).toEqual([1, 2, 4])
  },
)

test.each(['nonsense', '{"m":1}', ''])(
  'any other damage (%p) is told, by its line and without its text',
  async (damage) => {
    writeFileSync(file, `{"n":1}\n${damage}\n`)
    appendFileSync(file, '{"n":3}\n')
    await expect(open()).rejects.toThrow(`line 2 of ${file} is damaged`)
    expect(readFileSync(file, 'utf8')).toBe(`{"n":1}\n${damage}\n{"n":3}\n`)
  },
)

test('a journal that can not be written fails for good, and says so once', async () => {
  const failures: Error[] = []
  const { journal } = await openJournal({
    file,
    parse: (line) => Line.parse(line),
    onFailure: (error) => void failures.push(error),
  })
  await journal.append({ n: 1 })
  await journal.close() // the nearest thing to a disk that is gone
  await expect(journal.append({ n: 2 })).rejects.toThrow()
  await expect(journal.append({ n: 3 })).rejects.toThrow()
  await expect(journal.written()).rejects.toThrow()
  expect(failures).toHaveLength(1)
  expect(await numbers()).toEqual([1])
})
