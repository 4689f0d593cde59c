import { names, readArguments, WrongOption } from '../../proof/src/options'

export const SECTIONS = [
  'hot',
  'spread',
  'one-client',
  'keys',
  'sold-out',
  'reads',
  'two-processes',
  'search',
  'growth',
  'profile',
] as const
export type Section = (typeof SECTIONS)[number]

export type Options = {
  sections: readonly Section[]
  /** Of load in one cell. */
  seconds: number
  rounds: number
  /** How often the two stores take turns in a round of one client. */
  turns: number
  connections: readonly number[]
  /** Orders of the past in the two sizes that are compared. */
  growth: { small: number; large: number }
  /** Products of the catalogue that is searched. */
  products: number
  logLevel: string
  /** Where the scratch data goes; a folder of its own is made there. It has to be a disk, or durability costs nothing. */
  scratch: string | undefined
  /** Small sizes: the figures are not worth keeping. */
  quick: boolean
  /** Keeps what latest.json has of sections that are not measured now. */
  merge: boolean
  readmeOnly: boolean
}

export const USAGE = `npm run bench -- [options]
  --only a,b         sections: ${SECTIONS.join(', ')} (all but profile)
  --seconds n        load in each cell (8)
  --rounds n         rounds, whose median counts (3)
  --turns n          turns that the stores take in each round of one-client (100)
  --connections a,b  of the placing sections (1,16,64,256)
  --growth n         orders of the past in the large size (1e7), compared with --growth-from (1e4)
  --products n       products of the catalogue that is searched (1e5)
  --log-level l      of the services (info, as they come)
  --scratch folder   where the scratch data goes, on a disk (bench/)
  --quick            small sizes, for trying it: 2 seconds, 1 round, 10 turns, 1 and 64 connections, growth to 1e5,
                     1e4 products
  --merge            keeps what bench/results/latest.json has of the other sections; without it, and with --quick, a run of
                     some sections is only shown, and kept in bench/results/partial.json
  --readme           measures nothing: writes the README's section and the plot again from bench/results/latest.json

Exit status: 0 when everything was measured and the books balanced each time, 1 when not, 2 when the options are wrong.`

export function optionsFrom(args: readonly string[]): Options | 'help' {
  const values = readArguments(args, {
    only: { type: 'string', default: SECTIONS.filter((name) => name !== 'profile').join(',') },
    seconds: { type: 'string' },
    rounds: { type: 'string' },
    turns: { type: 'string' },
    connections: { type: 'string' },
    growth: { type: 'string' },
    'growth-from': { type: 'string', default: '1e4' },
    products: { type: 'string' },
    'log-level': { type: 'string', default: 'info' },
    scratch: { type: 'string' },
    quick: { type: 'boolean', default: false },
    merge: { type: 'boolean', default: false },
    readme: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  })
  if (values.help) return 'help'
  const quick = values.quick
  return {
    sections: names('only', values.only, SECTIONS),
    seconds: number('seconds', values.seconds ?? (quick ? '2' : '8')),
    rounds: number('rounds', values.rounds ?? (quick ? '1' : '3')),
    turns: number('turns', values.turns ?? (quick ? '10' : '100')),
    connections: (values.connections ?? (quick ? '1,64' : '1,16,64,256'))
      .split(',')
      .map((each) => number('connections', each)),
    growth: {
      small: number('growth-from', values['growth-from']),
      large: number('growth', values.growth ?? (quick ? '1e5' : '1e7')),
    },
    products: number('products', values.products ?? (quick ? '1e4' : '1e5')),
    logLevel: values['log-level'],
    scratch: values.scratch,
    quick,
    merge: values.merge,
    readmeOnly: values.readme,
  }
}

/** `1e7` is one, too. */
function number(name: string, text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new WrongOption(`--${name}: ${text} is no whole number above 0`)
  return value
}
