import { randomBytes } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runTool } from '../../scripts/src/terminal'
import { needTool, type Wanted } from '../../scripts/src/tools'

const WRK: Wanted = {
  title: 'wrk',
  variable: 'WRK_BIN',
  names: ['wrk'],
  places: [],
  debian: 'wrk',
  unpacked: 'usr/bin/wrk',
  brew: ['wrk'],
  installable: true,
}

export type Request = { method: 'GET' | 'POST'; path: string; token?: string; body?: unknown }
export type Load = {
  url: string
  requests: readonly Request[]
  connections: number
  seconds: number
  /** An Idempotency-Key of its own for every request. */
  keyed?: boolean
}
/** `refused` are the answers above 399, `broken` what got no answer. */
export type Loaded = {
  perSecond: number
  answers: number
  refused: number
  broken: number
  p50Ms: number
  p99Ms: number
}

export const findWrk = (): Promise<string> => needTool(WRK, process.env)

/** Keeps `connections` requests under way for so many seconds. wrk runs on one thread: it is never what is short. */
export async function load(wrk: string, folder: string, wanted: Load): Promise<Loaded> {
  const { url, requests, connections, seconds, keyed = false } = wanted
  const run = randomBytes(6).toString('hex')
  const file = join(folder, `requests-${run}.tsv`)
  const lines = requests.map(({ method, path, token = '', body }) =>
    [method, path, token, body === undefined ? '' : JSON.stringify(body)].join('\t'),
  )
  writeFileSync(file, `${lines.join('\n')}\n`)
  try {
    const flags = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '15s', '-s', join(__dirname, 'load.lua')]
    return parseWrk(await runTool(wrk, [...flags, url, '--', file, keyed ? 'keys' : 'plain', run]))
  } finally {
    rmSync(file)
  }
}

export function parseWrk(output: string): Loaded {
  const line = output.split('\n').findLast((each) => each.startsWith('{'))
  if (line === undefined) throw new Error(`wrk ended without a summary:\n${output}`)
  const found = JSON.parse(line) as Record<'requests' | 'microseconds' | 'p50' | 'p99' | 'refused' | 'broken', number>
  return {
    perSecond: found.requests / (found.microseconds / 1e6),
    answers: found.requests,
    refused: found.refused,
    broken: found.broken,
    p50Ms: found.p50 / 1000,
    p99Ms: found.p99 / 1000,
  }
}
