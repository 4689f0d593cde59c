import { isDeepStrictEqual } from 'node:util'

/** What became of one promise. It held when it was looked at, nothing failed and nothing kept it from being looked at. */
export type Finding = {
  name: string
  promise: string
  checks: number
  failed: number
  /** What was seen, in numbers: `{orders: 16, refusals: 48}`. */
  counts: Record<string, number>
  /** What can be looked up: the first few ids and the like. */
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
  count: (what: string, n?: number) => void
  note: (evidence: string) => void
  readonly checks: number
  readonly failed: number
}

/** The promise could be looked at no further, which says nothing against it: the shop asked for patience too long. */
export class Undecided extends Error {
  override readonly name = 'Undecided'
}

const FAILURES_TOLD = 10
const EVIDENCE_TOLD = 3
const VALUE_LENGTH = 300

/** Looks at one promise. Whatever is thrown but Undecided is held against it: the shop answered what no shop may. */
export async function judge(
  { name, promise }: { name: string; promise: string },
  look: (tally: Tally) => Promise<void> | void,
): Promise<Finding> {
  const begun = performance.now()
  const finding: Finding = { name, promise, checks: 0, failed: 0, counts: {}, evidence: [], failures: [], ms: 0 }
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
      count: (what, n = 1) => void (finding.counts[what] = (finding.counts[what] ?? 0) + n),
      note: (evidence) => void (finding.evidence.length < EVIDENCE_TOLD && finding.evidence.push(evidence)),
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

/** The same promise, looked at again. */
export function together(earlier: Finding, later: Finding): Finding {
  const counts = { ...earlier.counts }
  for (const [what, n] of Object.entries(later.counts)) counts[what] = (counts[what] ?? 0) + n
  const unfinished = earlier.unfinished ?? later.unfinished
  return {
    ...earlier,
    checks: earlier.checks + later.checks,
    failed: earlier.failed + later.failed,
    counts,
    evidence: [...earlier.evidence, ...later.evidence].slice(0, EVIDENCE_TOLD),
    failures: [...earlier.failures, ...later.failures].slice(0, FAILURES_TOLD),
    ...(unfinished !== undefined && { unfinished }),
    ms: earlier.ms + later.ms,
  }
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

/** promise → checks → result → evidence, and below a promise what speaks against it. */
export function table(findings: readonly Finding[]): string {
  const rows = findings.map((finding) => ({
    promise: finding.promise,
    checks: grouped(finding.checks),
    result: held(finding) ? 'passed' : finding.failed > 0 ? `${grouped(finding.failed)} FAILED` : 'UNFINISHED',
    evidence: [
      ...Object.entries(finding.counts).map(([what, n]) => `${grouped(n)} ${what}`),
      ...finding.evidence.slice(0, 1),
    ].join(', '),
    faults: [...(finding.unfinished === undefined ? [] : [finding.unfinished]), ...finding.failures],
  }))
  const head = { promise: 'promise', checks: 'checks', result: 'result', evidence: 'evidence', faults: [] }
  const width = (key: 'checks' | 'result') => Math.max(...[head, ...rows].map((row) => row[key].length))
  const [checks, result] = [width('checks'), width('result')]
  const rule = '─'.repeat(PROMISE_WIDTH + checks + result + EVIDENCE_WIDTH + 6)
  const lines = [head, ...rows].map((row) => {
    const [promise, evidence] = [wrapped(row.promise, PROMISE_WIDTH), wrapped(row.evidence, EVIDENCE_WIDTH)]
    const cells = Array.from({ length: Math.max(promise.length, evidence.length) }, (_, i) => [
      (promise[i] ?? '').padEnd(PROMISE_WIDTH),
      (i === 0 ? row.checks : '').padStart(checks),
      (i === 0 ? row.result : '').padEnd(result),
      evidence[i] ?? '',
    ])
    const faults = row.faults.map((fault) => `  ✗ ${fault.replaceAll('\n', '\n    ')}`)
    return [...cells.map((line) => line.join('  ').trimEnd()), ...faults].join('\n')
  })
  return [lines[0], rule, ...lines.slice(1)].join('\n')
}

const PROMISE_WIDTH = 50
const EVIDENCE_WIDTH = 56

function wrapped(text: string, width: number): string[] {
  const lines = ['']
  for (const word of text.split(' ')) {
    const line = `${lines.at(-1)} ${word}`.trimStart()
    if (line.length <= width) lines[lines.length - 1] = line
    else lines.push(word)
  }
  return lines
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
