import { randomBytes } from 'node:crypto'
import { NoStart, openAccounts } from '../accounts'
import { openClient, type Client, type Counts } from '../client'
import type { Contract } from '../contract'
import { WrongOption } from '../options'
import { openCallers } from './callers'
import type { Row } from './findings'
import { fuzz } from './fuzz'
import { operationsOf } from './operations'
import { SOCKETS, type Options } from './options'
import { probeSockets, type SocketReport } from './sockets'

export type Report = {
  url: string
  seed: string
  rows: Row[]
  sockets: SocketReport | undefined
  calls: Counts
  seconds: number
  /** Shell lines that get the tokens which printed requests name. */
  logins: string[]
}

/** The shop's limits are the shop's: they are waited for. */
const PATIENCE_MS = 120_000
const CONNECTIONS = 32

/** Everything that is asked for, on one shop; what was found until then when `signal` is aborted. */
export async function run(options: Options, progress: (text: string) => void, signal?: AbortSignal): Promise<Report> {
  const { url, seed, only } = options
  const begun = performance.now()
  const patient = openClient({ url, connections: CONNECTIONS, patienceMs: PATIENCE_MS })
  const client = openClient({ url, connections: CONNECTIONS })
  try {
    const document = await documentOf(patient)
    const known = [...operationsOf(document).map(({ id }) => id), SOCKETS]
    const missing = only?.find((each) => !known.includes(each))
    if (missing !== undefined) throw new WrongOption(`--only: there is no ${missing}; there are ${known.join(', ')}`)
    const tag = `fuzz-${Date.now().toString(36)}`
    const people = await openCallers(
      openAccounts(patient, tag),
      `secret-${randomBytes(12).toString('hex')}`,
      options.admin,
    )
    const fuzzed = await fuzz({ ...options, ...people, client, document, progress, signal })
    const logins = people.loginLines(url, tokenPathOf(document))
    const wantsSockets = !signal?.aborted && (only?.includes(SOCKETS) ?? true)
    // An account that was spoilt on the way, and is replaced when its token ends, would read something else before than after.
    if (wantsSockets) await Promise.all(people.callers.map((caller) => caller.renew()))
    const sockets = wantsSockets
      ? await probeSockets({ ...fuzzed, client, document, slowClients: options.slow, progress })
      : undefined
    return {
      url,
      seed,
      rows: fuzzed.rows,
      sockets,
      calls: { ...client.counts },
      seconds: Math.round((performance.now() - begun) / 1000),
      logins,
    }
  } finally {
    patient.close()
    client.close()
  }
}

async function documentOf(client: Client): Promise<Contract> {
  const answer = await client.call<Contract>('GET', '/openapi.json')
  if (answer.status !== 200 || !answer.body?.openapi.startsWith('3.1'))
    throw new NoStart(`${client.url}/openapi.json is no OpenAPI 3.1 document: ${answer.fault ?? answer.status}`)
  return answer.body
}

/** Where the document says that tokens are had. */
function tokenPathOf(document: Contract): string {
  type Schemes = Record<string, { flows?: { password?: { tokenUrl?: string } } }>
  const { securitySchemes = {} } = (document.components ?? {}) as { securitySchemes?: Schemes }
  return Object.values(securitySchemes).flatMap(({ flows }) => flows?.password?.tokenUrl ?? [])[0] ?? ''
}
