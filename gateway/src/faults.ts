import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import type { App } from '@shop/platform/http'
import { ProblemError } from '@shop/platform/problems'
import { reply, routesOf } from '@shop/platform/routes'
import type { Books } from './books'
import type { Verdict } from './cards'

const CALLS = ['charge', 'settle', 'refund'] as const
type Call = (typeof CALLS)[number]

const Milliseconds = z.int().min(0).max(60_000).default(0)
const Count = z.int().min(0).max(1_000_000).default(0)
const Switches = z
  .strictObject({
    calls: z.array(z.enum(CALLS)).default(['charge']).meta({ description: 'The calls that have trouble.' }),
    delayBeforeMs: Milliseconds.meta({ description: 'How long a call waits before it is booked.' }),
    delayAfterMs: Milliseconds.meta({ description: 'How long the answer to a call that is booked waits.' }),
    holdBefore: z
      .boolean()
      .default(false)
      .meta({ description: 'Calls wait, not booked, until the switches are set anew.' }),
    holdAfter: z.boolean().default(false).meta({ description: 'Booked calls wait until the switches are set anew.' }),
    dropBeforeNext: Count.meta({ description: 'So many connections are cut, and the call is not booked.' }),
    dropAfterNext: Count.meta({ description: 'So many connections are cut when the call is booked.' }),
    failNext: Count.meta({ description: 'So many charges fail, with nothing charged.' }),
    declineNext: Count.meta({ description: 'So many charges are declined.' }),
  })
  .meta({ id: 'Faults', example: { calls: ['charge'], dropAfterNext: 1 } })
type Switches = z.output<typeof Switches>
const SwitchesView = Switches.extend({
  held: z.int().meta({ description: 'Calls that are being held at this moment.' }),
  underWay: z
    .int()
    .meta({ description: 'Calls that have not come to their end, those included whose callers have gone.' }),
}).meta({ id: 'FaultsView', example: { ...Switches.parse({}), dropAfterNext: 1, held: 0, underWay: 0 } })

export type Faults = {
  /** The same app; a connection can be cut only by whoever has seen the request come in. */
  within: (app: App) => App
  /** The same books, with trouble. */
  trouble: (books: Books) => Books
  set: (switches: Switches) => void
  get: () => z.input<typeof SwitchesView>
}

/** The trouble that a gateway can make, on demand: for tests and demonstrations of whoever calls it. */
export function openFaults(): Faults {
  const connection = new AsyncLocalStorage<ServerResponse>()
  let switches = Switches.parse({})
  /** By whom the calls that are held go on. */
  const held = new Set<() => void>()
  let underWay = 0

  const takeOne = (count: 'dropBeforeNext' | 'dropAfterNext' | 'failNext' | 'declineNext'): boolean =>
    switches[count] > 0 && switches[count]-- > 0

  async function wait(hold: boolean, ms: number): Promise<void> {
    await sleep(ms)
    if (hold) await new Promise<void>((release) => held.add(release))
  }

  async function cut(): Promise<void> {
    const response = connection.getStore()
    if (!response || response.closed) return
    const closed = once(response, 'close')
    response.socket?.destroy()
    await closed
  }

  async function counted<T>(work: Promise<T>): Promise<T> {
    underWay++
    return work.finally(() => underWay--)
  }

  async function through<T>(call: Call, work: () => Promise<T>): Promise<T> {
    if (!switches.calls.includes(call)) return work()
    const { delayBeforeMs, delayAfterMs, holdBefore, holdAfter } = switches
    const dropBefore = takeOne('dropBeforeNext')
    const dropAfter = !dropBefore && takeOne('dropAfterNext')
    await wait(holdBefore, delayBeforeMs)
    if (dropBefore) {
      await cut()
      throw new ProblemError('service-unavailable') // told to nobody
    }
    const result = await work()
    await wait(holdAfter, delayAfterMs)
    if (dropAfter) await cut()
    return result
  }

  const forced = (): Verdict | undefined => {
    if (takeOne('failNext')) return { status: 'NOT_CHARGED' }
    return takeOne('declineNext') ? { status: 'DECLINED', declineReason: 'declined-on-demand' } : undefined
  }

  return {
    within: (app) => (request, response) => connection.run(response, () => app(request, response)),
    trouble: (books) => ({
      ...books,
      charge: (charge, verdict) => counted(through('charge', () => books.charge(charge, forced() ?? verdict))),
      settle: (paymentId) => counted(through('settle', () => books.settle(paymentId))),
      refund: (paymentId) => counted(through('refund', () => books.refund(paymentId))),
    }),
    set: (wanted) => {
      switches = wanted
      for (const release of held) release()
      held.clear()
    },
    get: () => ({ ...switches, held: held.size, underWay }),
  }
}

const route = routesOf<{ faults: Faults }>()({})
const common = { path: '/faults', tag: 'faults', access: 'credentials', problems: [] } as const
const responses = { 200: { description: 'The switches as they are now.', body: SwitchesView } }

export const faultRoutes = [
  route(
    {
      ...common,
      method: 'post',
      operationId: 'setFaults',
      summary: 'Make trouble',
      description:
        'Sets every switch: what is not named is off, `{}` ends all trouble and releases what is held. So does a restart.',
      body: Switches,
      responses,
    },
    ({ body }, { faults }) => {
      faults.set(body)
      return Promise.resolve(reply(200, faults.get()))
    },
  ),
  route(
    { ...common, method: 'get', operationId: 'getFaults', summary: 'The trouble that is on', responses },
    (_input, { faults }) => Promise.resolve(reply(200, faults.get())),
  ),
]
