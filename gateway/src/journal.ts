import { open, readFile, type FileHandle } from 'node:fs/promises'
import path from 'node:path'

/** An append-only file of JSON lines. */
export type Journal<Entry> = {
  /** Resolves when the entry is on the disk; entries that come while others are being written share the next write. */
  append: (entry: Entry) => Promise<void>
  /** Resolves when everything appended so far is on the disk. */
  written: () => Promise<void>
  close: () => Promise<void>
}

/**
 * Opens the journal and reads what is in it. A last line without its end was being written when the process died: nobody was
 * answered for it, and it is cut off. Any other line that `parse` refuses is damage, which no start may hide.
 *
 * `onFailure` is called once when a write fails. After that nobody knows what is on the disk (a second fsync may lie about the
 * first one's loss), so every later call fails, too: the process has to end and read its journal anew.
 */
export async function openJournal<Entry>(options: {
  file: string
  parse: (line: unknown) => Entry
  onFailure: (error: Error) => void
}): Promise<{ journal: Journal<Entry>; entries: Entry[] }> {
  const { file, parse, onFailure } = options
  const handle = await open(file, 'a', 0o600)
  try {
    await keepName(path.dirname(file))
    const text = await readFile(file)
    const end = text.lastIndexOf('\n') + 1
    if (end < text.length) await handle.truncate(end)
    const lines = text.subarray(0, end).toString('utf8').split('\n').slice(0, -1)
    return { journal: writerOf(handle, onFailure), entries: lines.map((line, i) => entryOf(line, i + 1)) }
  } catch (error) {
    await handle.close()
    throw error
  }

  function entryOf(line: string, number: number): Entry {
    try {
      return parse(JSON.parse(line))
    } catch (error) {
      throw new Error(`line ${number} of ${file} is damaged`, { cause: error })
    }
  }
}

function writerOf<Entry>(handle: FileHandle, onFailure: (error: Error) => void): Journal<Entry> {
  let waiting = ''
  let writing = Promise.resolve()
  /** The write after the one under way; it takes whatever has come until it begins. */
  let next: Promise<void> | undefined

  async function write(): Promise<void> {
    const text = waiting
    waiting = ''
    writing = next ?? writing
    next = undefined
    try {
      await handle.appendFile(text)
      await handle.datasync()
    } catch (error) {
      onFailure(error as Error)
      throw error
    }
  }

  return {
    append: (entry) => {
      waiting += `${JSON.stringify(entry)}\n`
      return (next ??= writing.then(write))
    },
    written: () => next ?? writing,
    close: async () => {
      await (next ?? writing)
      await handle.close()
    },
  }
}

/** A new file's name is on the disk only when its folder is (fsync(2)). */
async function keepName(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  await handle.sync().finally(() => handle.close())
}
