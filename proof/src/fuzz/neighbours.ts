import type { Client } from '../client'
import { contractOf, type Contract } from '../contract'
import type { Finding, Row } from './findings'
import { nameInPath, type Knowledge } from './known'
import { operationsOf, type Operation } from './operations'
import { curlOf, pathOf, type Caller } from './requests'

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

/** What lies beside the documented calls: other methods on their paths are 405 and say which there are, paths like theirs are 404. */
export async function callNeighbours(
  client: Client,
  document: Contract,
  callers: readonly Caller[],
  known: Knowledge,
): Promise<Row> {
  const contract = contractOf(document)
  const operations = operationsOf(document)
  const row: Row = { operation: 'other methods and paths', cases: 0, statuses: new Map(), replayed: 0, findings: [] }
  const somebody = callers.find(({ role }) => role !== undefined)

  async function expectNothingAt(
    operation: Operation,
    method: string,
    target: string,
    allowed: readonly string[],
  ): Promise<void> {
    for (const caller of [undefined, somebody]) {
      const token = await caller?.token()
      const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` }
      const body = ['POST', 'PUT', 'PATCH'].includes(method) ? { body: {} } : {}
      const answer = await client.call(method, target, { headers, ...body, patienceMs: 60_000 })
      row.cases++
      row.statuses.set(answer.status, (row.statuses.get(answer.status) ?? 0) + 1)
      const said = {
        status: answer.status,
        headers: answer.headers as Record<string, string>,
        text: method === 'HEAD' ? undefined : answer.text,
      }
      const allow = answer.headers.allow?.split(/, */).sort().join(', ')
      const violations = [
        ...contract.violations(method.toLowerCase(), target, said),
        ...(answer.status === 405 && allow !== allowed.join(', ')
          ? [`Allow is ${allow}, and documented are ${allowed.join(', ')}`]
          : []),
      ]
      const request = {
        method,
        target,
        headers: Object.entries(headers),
        body: 'body' in body ? Buffer.from('{}') : undefined,
        caller: caller ?? nobody,
      }
      for (const detail of violations) {
        const finding: Finding = {
          operation: `${method} beside ${operation.id}`,
          kind: 'contract',
          detail,
          times: 1,
          again: false,
          curl: curlOf(client.url, request, token),
        }
        row.findings.push(finding)
      }
    }
  }

  for (const operation of new Map(operations.map((each) => [each.path, each])).values()) {
    const target = pathOf(operation, {
      fields: parametersOf(operation).map((name) => [
        name,
        known.latest(nameInPath(operation.path, name), 1)[0] ?? 'x',
      ]),
    })
    const there = operations.filter(({ path }) => path === operation.path).map(({ method }) => method)
    const allowed = [...(there.includes('GET') ? ['HEAD'] : []), ...there].sort()
    for (const method of METHODS.filter((each) => !allowed.includes(each)))
      await expectNothingAt(operation, method, target, allowed)
    for (const other of [
      `${target}/`,
      target.replace(/[a-z]/, (letter) => letter.toUpperCase()),
      target.replace(/\/(?=[^/]*$)/, '//'),
    ])
      await expectNothingAt(operation, operation.method, other, allowed)
  }
  return row
}

const nobody: Pick<Caller, 'name'> = { name: 'anonymous' }

const parametersOf = ({ parameters }: Operation): string[] =>
  parameters.filter((each) => each.in === 'path').map(({ name }) => name)
