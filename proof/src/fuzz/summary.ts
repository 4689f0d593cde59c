import { grouped } from '../report'
import type { Report } from './run'

const LONGEST_COMMAND = 1_000

export const findingsIn = ({ rows, sockets }: Report): number =>
  rows.reduce((sum, row) => sum + row.findings.length, sockets?.findings.length ?? 0)

/** Every fault with the request that shows it, to be sent again from a shell. */
export function findingsText({ rows, sockets, logins }: Report): string {
  const found = rows.flatMap((row) => row.findings)
  const told = found.map(({ operation, kind, detail, times, again, curl }) =>
    [
      `✗ ${operation}: ${kind} (${times} ${times === 1 ? 'time' : 'times'}${again ? '' : ', not when it was sent alone'})`,
      ...detail.split('\n').map((line) => `    ${line}`),
      `    ${curl.length > LONGEST_COMMAND ? `${curl.slice(0, LONGEST_COMMAND)}… (${grouped(curl.length)} characters)` : curl}`,
    ].join('\n'),
  )
  const sent = (sockets?.findings ?? []).map(
    ({ kind, detail, bytes }) => `✗ over a socket, ${kind}:\n    ${detail}\n    ${bytes}`,
  )
  const tokens =
    told.length > 0
      ? ['', 'Tokens of the accounts that the commands name:', ...logins.map((line) => `    ${line}`)]
      : []
  return [...told, ...sent, ...tokens].map((line) => `${line}\n`).join('')
}

/** operation → cases → statuses → findings */
export function summary(report: Report): string {
  const { rows, sockets, calls, seconds, seed } = report
  const cells = [
    ...rows.map((row) => ({
      operation: row.operation,
      cases: grouped(row.cases),
      refused: grouped(row.replayed),
      findings: numberOf(row.findings),
      statuses: statusesText(row.statuses),
    })),
    ...(sockets
      ? [
          {
            operation: 'over bare sockets',
            cases: grouped(sockets.probes + sockets.slow),
            refused: '',
            findings: numberOf(sockets.findings),
            statuses: statusesText(sockets.statuses),
          },
        ]
      : []),
  ]
  const head = {
    operation: 'operation',
    cases: 'cases',
    refused: 'read back',
    findings: 'findings',
    statuses: 'statuses',
  }
  const width = (key: keyof typeof head) => Math.max(...[head, ...cells].map((cell) => cell[key].length))
  const widths = [width('operation'), width('cases'), width('refused'), width('findings')] as const
  const line = ({ operation, cases, refused, findings, statuses }: typeof head) =>
    [
      operation.padEnd(widths[0]),
      cases.padStart(widths[1]),
      refused.padStart(widths[2]),
      findings.padStart(widths[3]),
      statuses,
    ].join('  ')
  const cases = rows.reduce((sum, row) => sum + row.cases, 0)
  const found = findingsIn(report)
  return [
    line(head),
    '─'.repeat(line(head).length + 20),
    ...cells.map(line),
    '',
    ...(sockets
      ? [
          `A client as any other, during ${grouped(sockets.probes)} probes and ${grouped(sockets.slow)} slow clients: ` +
            `${grouped(sockets.bystander.calls)} calls, p50 ${sockets.bystander.p50} ms, p99 ${sockets.bystander.p99} ms, slowest ${sockets.bystander.slowest} ms.`,
        ]
      : []),
    `${found === 0 ? 'Nothing' : grouped(found)} found in ${grouped(cases)} cases of ${grouped(rows.length)} operations, ` +
      `${grouped(calls.calls)} calls, ${grouped(seconds)} s; told to wait: ${grouped(calls.limited + calls.unavailable)}. Seed ${seed}.`,
  ].join('\n')
}

const numberOf = (findings: readonly unknown[]): string => (findings.length === 0 ? '–' : grouped(findings.length))

const statusesText = (statuses: ReadonlyMap<number, number>): string =>
  [...statuses]
    .sort(([a], [b]) => a - b)
    .map(([status, count]) => `${status || 'closed'} ×${grouped(count)}`)
    .join('  ')
