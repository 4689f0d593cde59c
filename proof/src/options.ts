import { randomBytes } from 'node:crypto'
import { parseArgs, type ParseArgsConfig } from 'node:util'
import type { Credentials } from './accounts'

/** What was typed cannot be understood: exit status 2, with the usage. */
export class WrongOption extends Error {
  override readonly name = 'WrongOption'
}

/** `parseArgs`, strict, with its complaints as WrongOption. */
export function readArguments<const Config extends NonNullable<ParseArgsConfig['options']>>(
  args: readonly string[],
  options: Config,
) {
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values
  } catch (error) {
    throw new WrongOption((error as Error).message)
  }
}

export function urlOption(name: string, text: string): string {
  if (!/^https?:\/\//.test(text) || !URL.canParse(text))
    throw new WrongOption(`--${name}: ${text} is no http or https address`)
  return new URL(text).href.replace(/\/$/, '')
}

export function wholeNumber(name: string, text: string, { min = 1, max = Number.MAX_SAFE_INTEGER } = {}): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < min || value > max)
    throw new WrongOption(`--${name}: ${text} is no whole number from ${min} to ${max}`)
  return value
}

/** `45`, `45s`, `10m`, `1h`, in seconds. */
export function seconds(name: string, text: string): number {
  const [, digits, unit = 's'] = /^(\d+)([smh]?)$/.exec(text) ?? []
  const value = Number(digits) * ({ s: 1, m: 60, h: 3600 }[unit || 's'] ?? NaN)
  if (!(value >= 1)) throw new WrongOption(`--${name}: ${text} is no duration such as 45s or 10m`)
  return value
}

/** Names joined by commas, each one of `known`. */
export function names<Name extends string>(name: string, text: string, known: readonly Name[]): Name[] {
  return text.split(',').map((each) => {
    const found = known.find((one) => one === each.trim())
    if (found === undefined)
      throw new WrongOption(`--${name}: there is no ${each.trim()}; there are ${known.join(', ')}`)
    return found
  })
}

/** Names for a usage text, on lines that begin at the same column. */
export function inLines(names: readonly string[], column: number): string {
  const lines = ['']
  for (const name of names) {
    const line = [lines.at(-1), name].filter(Boolean).join(', ')
    if (line.length <= 90) lines[lines.length - 1] = line
    else lines.push(name)
  }
  return lines.join(`,\n${' '.repeat(column)}`)
}

/** `name:password` */
export function credentials(name: string, text: string): Credentials {
  const [, username, password] = /^([^:]+):(.+)$/s.exec(text) ?? []
  if (username === undefined || password === undefined) throw new WrongOption(`--${name}: ${text} is no name:password`)
  return { username, password }
}

/** Any text is a seed; without one it is drawn, to be printed. */
export const seedOption = (text: string | undefined): string => text ?? randomBytes(4).toString('hex')

/** What a shell says of a command that SIGINT has ended. */
export const INTERRUPTED = 130

/** Is aborted when whoever started the command wants it to end. */
export function interruption(): AbortSignal {
  const interrupted = new AbortController()
  let askedAt = 0
  const ask = () => {
    // Ctrl-C under npm comes twice at once: from the terminal and, passed on, from npm. A later one is a person in a hurry.
    if (askedAt > 0 && Date.now() - askedAt > 1_000) process.exit(INTERRUPTED)
    askedAt ||= Date.now()
    interrupted.abort()
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, ask)
  return interrupted.signal
}

export const isInterruption = (error: unknown): boolean => error instanceof Error && error.name === 'AbortError'
