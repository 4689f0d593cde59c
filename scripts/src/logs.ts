import { closeSync, copyFileSync, fstatSync, openSync, readFileSync, readSync, truncateSync } from 'node:fs'
import { StringDecoder } from 'node:string_decoder'
import { basename, relative } from 'node:path'
import { ROOT } from './terminal'

const MAX_BYTES = 64 * 1024 * 1024
const LOOK_EVERY_MS = 250
const SHOWN_PER_BURST = 3
const BURST_MS = 5_000

/**
 * A child writes straight to its log file: a pipe through the supervisor would cost CPU on every request, and would
 * break when the supervisor dies. What matters is picked from the file as it grows.
 */
export interface ServiceLog {
  fd: number
  file: string
  /** The end of the log, for a message about a death. */
  tail(lines: number): string[]
  close(): void
}

interface LogLine {
  msg?: string
  err?: { message?: string }
}

/** Opens a log for appending; lines of pino's level error and above written from now on go to `show`. */
export function openLog(file: string, show: (line: string) => void): ServiceLog {
  const name = basename(file, '.log')
  const where = relative(ROOT, file)
  // The child appends, this side reads: one descriptor serves both.
  const fd = openSync(file, 'a+', 0o640)
  const opened = fstatSync(fd).size
  const decoder = new StringDecoder('utf8')
  let seen = opened
  let rest = ''
  let shown = 0
  let kept = 0
  let burst = 0

  function offer(text: string): void {
    if (Date.now() - burst > BURST_MS) {
      if (kept > 0) show(`${name}: ${kept} more errors in ${where}`)
      burst = Date.now()
      shown = kept = 0
    }
    if (shown++ < SHOWN_PER_BURST) show(`${name}: ${text}`)
    else kept++
  }

  function look(): void {
    const chunk = Buffer.alloc(fstatSync(fd).size - seen)
    seen += readSync(fd, chunk, 0, chunk.length, seen)
    // A cheap look for the few lines that matter; only those are parsed.
    const text = rest + decoder.write(chunk)
    const end = text.lastIndexOf('\n') + 1
    rest = text.slice(end)
    for (const line of text.slice(0, end).split('\n')) {
      if (!/"level":"(error|fatal)"/.test(line)) continue
      const parsed = parse(line)
      if (parsed) offer([parsed.msg, parsed.err?.message].filter(Boolean).join(': '))
    }
    if (seen > MAX_BYTES) {
      copyFileSync(file, `${file}.1`)
      truncateSync(file)
      seen = 0
    }
  }

  const timer = setInterval(look, LOOK_EVERY_MS).unref()
  return {
    fd,
    file,
    tail(lines) {
      const fresh = readFileSync(file).subarray(Math.min(opened, seen)).toString('utf8').trimEnd()
      return fresh === ''
        ? []
        : fresh
            .split('\n')
            .slice(-lines)
            .map((line) => readable(line))
    },
    close() {
      clearInterval(timer)
      look()
      closeSync(fd)
    },
  }
}

function parse(line: string): LogLine | undefined {
  try {
    return JSON.parse(line) as LogLine
  } catch {
    return undefined
  }
}

function readable(line: string): string {
  const parsed = line.startsWith('{') ? parse(line) : undefined
  return parsed?.msg === undefined ? line : [parsed.msg, parsed.err?.message].filter(Boolean).join(': ')
}
