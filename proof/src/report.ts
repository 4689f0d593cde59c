import { isDeepStrictEqual } from 'node:util'

/** What became of one promise. It held when it was looked at, nothing failed and nothing kept it from being looked at. */
export type Finding = {
  name: string
  promise: string
  checks: number
  failed: number
  /** What was seen: numbers and ids. */
  evidence: string[]
  /** The first failures, in words. */
  failures: string[]
  /** Why it could not be looked at to the end. */
  unfinished?: string
  ms: number
}

/** Counts checks. Nothing is thrown, so that one run shows everything that is wrong. */
export type Tally = {
  /** `complaint` says what was expected and what came instead. */
  that: (holds: boolean, complaint: string | (() => string)) => boolean
  equal: (actual: unknown, expected: unknown, what: string) => boolean
  note: (evidence: string) => void
  readonly checks: number
  readonly failed: number
}

/** The promise could be looked at no further, which says nothing against it: the shop asked for patience too long. */
export class Undecided extends Error {
  override readonly name = 'Undecided'
}

const FAILURES_TOLD = 10
const VALUE_LENGTH = 300

/** Looks at one promise. Whatever is thrown but Undecided is held against it: the shop answered what no shop may. */
export async function judge(
  { name, promise }: { name: string; promise: string },
  look: (tally: Tally) => Promise<void> | void,
): Promise<Finding> {
  const begun = performance.now()
  const finding: Finding = { name, promise, checks: 0, failed: 0, evidence: [], failures: [], ms: 0 }
  const that: Tally['that'] = (holds, complaint) => {
    finding.checks++
    if (holds) return true
    finding.failed++
    if (finding.failures.length < FAILURES_TOLD)
      finding.failures.push(typeof complaint === 'string' ? complaint : complaint())
    return false
  }
  try {
    await look({
      that,
      equal: (actual, expected, what) =>
        that(isDeepStrictEqual(actual, expected), () => `${what}: ${shown(actual)} instead of ${shown(expected)}`),
      note: (evidence) => void finding.evidence.push(evidence),
      get checks() {
        return finding.checks
      },
      get failed() {
        return finding.failed
      },
    })
  } catch (error) {
    if (error instanceof Undecided) finding.unfinished = error.message
    else that(false, `it broke off: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
  }
  if (finding.checks === 0) finding.unfinished ??= 'nothing was checked'
  return { ...finding, ms: Math.round(performance.now() - begun) }
}

export const held = ({ failed, unfinished }: Finding): boolean => failed === 0 && unfinished === undefined

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > VALUE_LENGTH ? `${text.slice(0, VALUE_LENGTH)}…` : text
}

export const grouped = (n: number): string => Math.round(n).toLocaleString('en-US')

/** How often each value occurs, most frequent first: `201 ×3, 409 ×97`. */
export function tallied(values: readonly (string | number)[]): string {
  const counts = new Map<string | number, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  const ordered = [...counts].sort(([a, n], [b, m]) => m - n || String(a).localeCompare(String(b)))
  return ordered.map(([value, count]) => `${value} ×${grouped(count)}`).join(', ')
}

/** promise → checks → passed or failed → evidence. */
export function table(findings: readonly Finding[]): string {
  const rows = findings.map((finding) => ({
    promise: finding.promise,
    checks: grouped(finding.checks),
    result: held(finding) ? 'passed' : finding.failed > 0 ? `${grouped(finding.failed)} failed` : 'unfinished',
    evidence: finding.evidence.join('; '),
    faults: [...(finding.unfinished === undefined ? [] : [finding.unfinished]), ...finding.failures],
  }))
  const head = { promise: 'promise', checks: 'checks', result: 'result', evidence: 'evidence' }
  const width = (key: keyof typeof head) => Math.max(...[head, ...rows].map((row) => row[key].length))
  const [promise, checks, result] = [width('promise'), width('checks'), width('result')]
  const line = (row: typeof head) =>
    `${row.promise.padEnd(promise)}  ${row.checks.padStart(checks)}  ${row.result.padEnd(result)}  ${row.evidence}`.trimEnd()
  const body = rows.flatMap((row) => [
    line(row),
    ...row.faults.map((fault) => `    ✗ ${fault.replace(/\n/g, '\n      ')}`),
  ])
  return [line(head), '─'.repeat(promise + checks + result + 14), ...body].join('\n')
}

/** For whoever waits: one line that is rewritten on a terminal; elsewhere only what is said for good. */
export function progressOn(stream: NodeJS.WriteStream) {
  const clear = () => void (stream.isTTY && stream.write('\r\x1b[2K'))
  return {
    show: (text: string) => {
      if (!stream.isTTY) return
      clear()
      stream.write(text.slice(0, (stream.columns || 80) - 1))
    },
    say: (line: string) => {
      clear()
      stream.write(`${line}\n`)
    },
    clear,
  }
}
