import { FAULT_KINDS, PACES } from '../../proof/src/chaos/plan'
import { runChaos } from '../../proof/src/chaos/run'
import { held } from '../../proof/src/report'

// `npm run chaos` for half a minute, with a seed that stands for faults of every kind. The other tests may want the machine as well:
// how much longer something may take for that is told here, and everything else is judged as always.

test('whatever happens to the shop within half a minute, it keeps its promises', async () => {
  const said: string[] = []
  const { findings, faults, calls } = await runChaos({
    ...{ seed: 'half a minute, 1823', seconds: 27, pace: PACES.brisk, kinds: FAULT_KINDS },
    ...{ steadyMs: 500, holdMinutes: 30 },
    // A client gives up after 15 s; the shop's first bound, for a connection to Postgres, is 2 s.
    allowed: { callMs: 15_000, recoveryMs: 15_000, refusalMs: 2_000 },
    clients: { buyer: 6, seller: 3, visitor: 1 },
    say: (line) => said.push(line),
  })
  const broken = findings.filter((finding) => !held(finding))
  expect(broken.map(({ promise, failures, unfinished }) => ({ promise, failures, unfinished, said }))).toEqual([])
  expect(new Set(faults.map(({ kind }) => kind))).toEqual(new Set(FAULT_KINDS))
  expect(calls).toBeGreaterThan(500)
}, 300_000)
