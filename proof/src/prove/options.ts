import type { Credentials } from '../accounts'
import {
  credentials,
  inLines,
  names,
  readArguments,
  seconds,
  seedOption,
  urlOption,
  wholeNumber,
  WrongOption,
} from '../options'
import { PROMISES } from './promises'

export type Options = {
  url: string
  seed: string
  /** Of buyers, and of calls made at once. */
  size: number
  /** Rounds are begun until then; 0 is one round. */
  durationSeconds: number
  only: readonly string[]
  /** Accounts to use instead of opening some. */
  buyers: readonly Credentials[]
  sellers: readonly Credentials[]
  json: boolean
}

const DEMO = { buyers: ['user-1:password'], sellers: ['seller-1:password'] }

export const USAGE = `npm run prove -- [options]
  --url address      the shop (http://localhost:8080)
  --size n           buyers, and calls made at once (16)
  --duration time    repeats all of it with other inputs until then: 45s, 10m, 1h (once)
  --seed text        repeats the inputs of an earlier run (drawn and printed)
  --only a,b         some of the promises:
                     ${inLines(
                       PROMISES.map(({ name }) => name),
                       21,
                     )}
  --buyer name:password, --seller name:password
                     accounts to use instead of opening some; as often as there are any
  --demo             the accounts of the demo data, ${DEMO.buyers[0]} and ${DEMO.sellers[0]}
  --json             the result as JSON on stdout; progress goes to stderr (npm run --silent prove -- --json)

It needs nothing but the address: it opens accounts, lists products, and takes them off sale at the end; the accounts, orders and
products stay, so it is nothing for a shop with real customers. Exit status: 0 when all promises held, 1 when one did not or could
not be looked at to the end, 2 when the options are wrong or the shop cannot be reached or used, 130 when it was interrupted.`

export function optionsFrom(args: readonly string[]): Options | 'help' {
  const values = readArguments(args, {
    url: { type: 'string', default: 'http://localhost:8080' },
    seed: { type: 'string' },
    size: { type: 'string', default: '16' },
    duration: { type: 'string' },
    only: { type: 'string' },
    buyer: { type: 'string', multiple: true, default: [] },
    seller: { type: 'string', multiple: true, default: [] },
    demo: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  })
  if (values.help) return 'help'
  const known = PROMISES.map(({ name }) => name)
  const given = { buyers: values.buyer, sellers: values.seller }
  const { buyers, sellers } = values.demo ? DEMO : given
  if ((buyers.length === 0) !== (sellers.length === 0)) throw new WrongOption('--buyer and --seller go together')
  return {
    url: urlOption('url', values.url),
    seed: seedOption(values.seed),
    size: wholeNumber('size', values.size, { min: 4, max: 100 }),
    durationSeconds: values.duration === undefined ? 0 : seconds('duration', values.duration),
    only: values.only === undefined ? known : names('only', values.only, known),
    buyers: buyers.map((text) => credentials('buyer', text)),
    sellers: sellers.map((text) => credentials('seller', text)),
    json: values.json,
  }
}
