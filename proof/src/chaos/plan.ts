import type { Random } from '../random'

/** Processes that answer calls, the payment gateway's among them; each is a target of its own. */
export const SERVICE_PROCESSES = ['users', 'products', 'orders', 'orders-2', 'swagger', 'gateway'] as const
/** Those that talk to Postgres, each over a wire of its own. */
export const WIRED_PROCESSES = ['users', 'products', 'orders', 'orders-2'] as const
/** Those whose clients' calls are transactions of more than one statement. */
const COMMITTING_PROCESSES = ['products', 'orders', 'orders-2'] as const
export type ServiceProcess = (typeof SERVICE_PROCESSES)[number]
export type WiredProcess = (typeof WIRED_PROCESSES)[number]

/** What is done to the shop. `lastsMs` of those that come and go by themselves is left out. */
export type Fault =
  | { kind: 'kill'; process: ServiceProcess | 'nginx' | 'postgres' }
  | { kind: 'kill-nginx-worker' }
  | { kind: 'kill-backend'; of: WiredProcess }
  | { kind: 'freeze'; process: ServiceProcess; lastsMs: number }
  | { kind: 'freeze-nginx-worker'; lastsMs: number }
  | { kind: 'freeze-postgres'; which: 'postmaster' | 'backends' | 'all'; lastsMs: number }
  | { kind: 'rolling-restart'; processes: readonly ServiceProcess[] }
  | { kind: 'nginx-reload'; times: number }
  | { kind: 'latency'; wires: readonly WiredProcess[]; ms: number; lastsMs: number }
  | { kind: 'black-hole'; wires: readonly WiredProcess[]; lastsMs: number }
  | { kind: 'reset'; wires: readonly WiredProcess[]; lastsMs: number }
  | { kind: 'cut-after-commit'; wires: readonly WiredProcess[]; lastsMs: number }
  | { kind: 'cut-before-commit'; wires: readonly WiredProcess[]; lastsMs: number }
  | { kind: 'cut-after-statement'; process: WiredProcess; text: string; lastsMs: number }
  | { kind: 'row-lock'; products: number; lastsMs: number }
  | { kind: 'vanishing-clients'; clients: number }
  | { kind: 'clock'; processes: readonly ServiceProcess[]; hours: 1 | -1; lastsMs: number }
export type FaultKind = Fault['kind']
/** A fault and the calm before it. */
export type Planned = Fault & { calmMs: number }

/** How long what lasts is made to last: every fourth time long. Above 10 s a frozen process outlasts every deadline. */
export type Pace = {
  shortMs: Range
  longMs: Range
  calmMs: Range
  /** From the end of a fault until the next one may come, for the plan's sum; what it really takes is measured. */
  recoveryMs: number
}
type Range = readonly [from: number, to: number]
export const PACES = {
  steady: { shortMs: [800, 3_500], longMs: [8_000, 12_000], calmMs: [300, 2_000], recoveryMs: 2_000 },
  brisk: { shortMs: [400, 900], longMs: [900, 1_500], calmMs: [20, 100], recoveryMs: 1_000 },
} as const satisfies Record<string, Pace>

/** Statements that commit by themselves, by what their client says when it runs them. */
const LONE_STATEMENTS = [
  { process: 'products', text: 'edit-product' },
  { process: 'users', text: 'start-token-family' },
  { process: 'users', text: 'INSERT INTO "users"."users"' },
] as const

/** Of a frozen front door nobody but Nginx can bound what a client waits for, so it thaws before anybody's deadline. */
const LONGEST_FROZEN_DOOR_MS = 4_000

type Draw = (random: Random, lasts: () => number, dealt: Dealt) => Fault
/** The next card of a shuffled deck, so that each has its turn before any has a second one. */
type Dealt = <T>(deck: string, cards: readonly T[]) => T

const several = <T>(random: Random, all: readonly T[]): T[] =>
  random.oneIn(3) ? [...all] : random.shuffled(all).slice(0, random.int(1, 2))

const DRAWS: { readonly [Kind in FaultKind]: Draw } = {
  kill: (_random, _lasts, dealt) => ({
    kind: 'kill',
    process: dealt('kill', [...SERVICE_PROCESSES, 'nginx', 'postgres', 'postgres'] as const),
  }),
  'kill-nginx-worker': () => ({ kind: 'kill-nginx-worker' }),
  'kill-backend': (random) => ({ kind: 'kill-backend', of: random.pick(WIRED_PROCESSES) }),
  freeze: (_, lasts, dealt) => ({ kind: 'freeze', process: dealt('freeze', SERVICE_PROCESSES), lastsMs: lasts() }),
  'freeze-nginx-worker': (_, lasts) => ({
    kind: 'freeze-nginx-worker',
    lastsMs: Math.min(lasts(), LONGEST_FROZEN_DOOR_MS),
  }),
  'freeze-postgres': (_, lasts, dealt) => ({
    kind: 'freeze-postgres',
    which: dealt('postgres', ['postmaster', 'backends', 'all'] as const),
    lastsMs: lasts(),
  }),
  'rolling-restart': (random, _lasts, dealt) => ({
    kind: 'rolling-restart',
    processes: random.shuffled(dealt('restart', [['orders', 'orders-2'] as const, SERVICE_PROCESSES])),
  }),
  'nginx-reload': (random) => ({ kind: 'nginx-reload', times: random.int(1, 3) }),
  latency: (random, lasts) => ({
    kind: 'latency',
    wires: several(random, WIRED_PROCESSES),
    ms: random.pick([5, 20, 100, 300]),
    lastsMs: lasts(),
  }),
  'black-hole': (random, lasts) => ({
    kind: 'black-hole',
    wires: several(random, WIRED_PROCESSES),
    lastsMs: lasts(),
  }),
  reset: (random, lasts) => ({ kind: 'reset', wires: several(random, WIRED_PROCESSES), lastsMs: lasts() }),
  'cut-after-commit': (random, lasts) => ({
    kind: 'cut-after-commit',
    wires: several(random, COMMITTING_PROCESSES),
    lastsMs: lasts(),
  }),
  'cut-before-commit': (random, lasts) => ({
    kind: 'cut-before-commit',
    wires: several(random, COMMITTING_PROCESSES),
    lastsMs: lasts(),
  }),
  'cut-after-statement': (_, lasts, dealt) => ({
    kind: 'cut-after-statement',
    ...dealt('statement', LONE_STATEMENTS),
    lastsMs: lasts(),
  }),
  'row-lock': (random, lasts) => ({ kind: 'row-lock', products: random.int(1, 4), lastsMs: lasts() }),
  'vanishing-clients': (random) => ({ kind: 'vanishing-clients', clients: random.int(10, 60) }),
  clock: (random, lasts, dealt) => ({
    kind: 'clock',
    processes: dealt('clock', [['orders'], ['orders-2'], ['users'], SERVICE_PROCESSES] as const),
    hours: random.pick([1, -1]),
    lastsMs: lasts(),
  }),
}
export const FAULT_KINDS = Object.keys(DRAWS) as FaultKind[]
/** Of these there are many ways, and some are over at once. */
const TIMES_A_ROUND: Partial<Record<FaultKind, number>> = { kill: 4, freeze: 2, 'cut-after-commit': 2 }

/** Round after round, each with every kind at least once, until the time is filled. */
export function planFaults(
  random: Random,
  { seconds, pace = PACES.steady, kinds = FAULT_KINDS }: { seconds: number; pace?: Pace; kinds?: readonly FaultKind[] },
): Planned[] {
  const between = ([from, to]: Range) => random.int(from, to)
  const lasts = () => between(random.oneIn(4) ? pace.longMs : pace.shortMs)
  const decks = new Map<string, unknown[]>()
  const dealt: Dealt = <T>(name: string, cards: readonly T[]): T => {
    const deck = decks.get(name) ?? []
    if (deck.length === 0) deck.push(...random.shuffled(cards))
    decks.set(name, deck)
    return deck.pop() as T
  }
  const aRound = kinds.flatMap((kind) => Array.from({ length: TIMES_A_ROUND[kind] ?? 1 }, () => kind))
  const planned: Planned[] = []
  let leftMs = seconds * 1000
  while (aRound.length > 0) {
    const fault = { ...DRAWS[dealt('kinds', aRound)](random, lasts, dealt), calmMs: between(pace.calmMs) }
    leftMs -= fault.calmMs + ('lastsMs' in fault ? fault.lastsMs : 0) + pace.recoveryMs
    if (leftMs < 0) break
    planned.push(fault)
  }
  return planned
}
