import type { Credentials } from '../accounts'
import { credentials, readArguments, seedOption, urlOption, wholeNumber } from '../options'

export const USAGE = `npm run fuzz -- [options]
  --url address      the shop (http://localhost:8080)
  --cases n          requests of each operation (100)
  --only a,b         some of the operations, by their ids in /openapi.json; sockets: what only a bare socket sends
  --slow n           slow clients of each kind, at the same time (10)
  --seed text        repeats the requests of an earlier run (drawn and printed)
  --admin name:password
                     of an administrator, to call as one, too
  --json             the result as JSON on stdout; progress goes to stderr (npm run --silent fuzz -- --json)

It needs nothing but the address, and writes to whatever it can: use a shop whose data may go. Exit status: 0 when nothing was
found, 1 when something was, 2 when the options are wrong or the shop cannot be reached or used, 130 when it was interrupted
before anything was found.`

export const SOCKETS = 'sockets'

export type Options = {
  url: string
  cases: number
  only: string[] | undefined
  slow: number
  seed: string
  admin: Credentials | undefined
  json: boolean
}

export function optionsFrom(args: readonly string[]): Options | 'help' {
  const values = readArguments(args, {
    url: { type: 'string', default: 'http://localhost:8080' },
    cases: { type: 'string', default: '100' },
    only: { type: 'string' },
    slow: { type: 'string', default: '10' },
    seed: { type: 'string' },
    admin: { type: 'string' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  })
  if (values.help) return 'help'
  return {
    url: urlOption('url', values.url),
    cases: wholeNumber('cases', values.cases),
    only: values.only?.split(',').map((each) => each.trim()),
    slow: wholeNumber('slow', values.slow, { max: 100 }),
    seed: seedOption(values.seed),
    admin: values.admin === undefined ? undefined : credentials('admin', values.admin),
    json: values.json,
  }
}
