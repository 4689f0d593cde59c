import type { Client } from '../client'
import { nameInPath, type Knowledge } from './known'
import type { Fields } from './nodes'
import type { Operation } from './operations'
import { admits, pathOf, queryOf, type Caller } from './requests'

type Reading = { caller: Caller; target: string }
/** What everybody saw, by who read what. */
export type Seen = ReadonlyMap<string, string>

const READ_OF_EACH = 2
const PATIENCE_MS = 60_000

/**
 * Reads back whatever the document lets be read: every GET, for every caller who may, of the things that were heard of last. Who
 * sends nothing in between sees the same twice.
 */
export function openWatch(
  client: Client,
  operations: readonly Operation[],
  callers: readonly Caller[],
  known: Knowledge,
) {
  const readable = operations.filter(
    ({ method, parameters }) => method === 'GET' && !parameters.some((each) => each.in === 'query' && each.required),
  )
  return {
    /** What is read is settled before, so that both times it is the same. */
    plan: (): Reading[] => {
      const readings = readable.flatMap((operation) =>
        callers
          .filter((caller) => caller.role !== undefined && admits(operation, caller.role))
          .flatMap((caller) =>
            pathsOf(operation, caller, known).map((path) => ({ caller, target: path + wholePage(operation) })),
          ),
      )
      return [...new Map(readings.map((reading) => [keyOf(reading), reading])).values()]
    },
    see: async (plan: readonly Reading[]): Promise<Seen> => {
      const seen = await Promise.all(
        plan.map(async (reading): Promise<[string, string][]> => {
          // with a token, because what anybody may read may be a moment old
          const { status, headers, text } = await client.call('GET', reading.target, {
            as: reading.caller,
            patienceMs: PATIENCE_MS,
          })
          return status === 0 || status >= 500 || status === 429
            ? []
            : [[keyOf(reading), `${status} ${headers.etag ?? ''} ${status < 400 ? text : ''}`]]
        }),
      )
      return new Map(seen.flat())
    },
  }
}
export type Watch = ReturnType<typeof openWatch>

const keyOf = ({ caller, target }: Reading): string => `${caller.name} reads ${target}`

/** In words, what is not what it was. */
export const differences = (before: Seen, after: Seen): string[] =>
  [...before].flatMap(([reading, was]) => {
    const is = after.get(reading)
    return is === undefined || is === was ? [] : [`${reading}: ${excerpt(was, is)}`]
  })

/** From a little before where two texts part. */
function excerpt(was: string, is: string): string {
  let at = 0
  while (was[at] === is[at]) at++
  const from = Math.max(0, at - 60)
  return `…${was.slice(from, at + 60)}… became …${is.slice(from, at + 60)}…`
}

function pathsOf(operation: Operation, caller: Caller, known: Knowledge): string[] {
  const names = operation.parameters.filter((each) => each.in === 'path').map(({ name }) => name)
  const choices = names.map((name) => {
    const meant = nameInPath(operation.path, name)
    const values = [...known.latest(meant, READ_OF_EACH, caller.name), ...known.latest(meant, 1)]
    return [...new Set(values)]
  })
  const combined = choices.reduce<string[][]>(
    (rows, values) => rows.flatMap((row) => values.map((value) => [...row, value])),
    [[]],
  )
  return combined.slice(0, 2 * READ_OF_EACH).map((values): string => {
    const fields: Fields = { fields: names.map((name, i) => [name, values[i] ?? ''] as const) }
    return pathOf(operation, fields)
  })
}

/** As much of a list as one page can have. */
function wholePage({ parameters }: Operation): string {
  const limit = parameters.find((each) => each.in === 'query' && each.name === 'limit')?.schema['maximum']
  return typeof limit === 'number' ? queryOf({ fields: [['limit', limit]] }) : ''
}
