import { FAULT_KINDS, PACES } from '../../proof/src/chaos/plan'
import { runChaos } from '../../proof/src/chaos/run'
import { held } from '../../proof/src/report'

test('whatever happens to the shop within half a minute, it keeps its promises', async () => {
  const said: string[] = []
  const { findings, faults, calls } = await runChaos({
    ...{ seed: 'half a minute 87', seconds: 32, pace: PACES.brisk, kinds: FAULT_KINDS, steadyMs: 500, holdMinutes: 30 },
    clients: { buyer: 6, seller: 3, visitor: 1 },
    say: (line) => said.push(line),
  })
  const broken = findings.filter((finding) => !held(finding))
  expect(broken.map(({ promise, failures, unfinished }) => ({ promise, failures, unfinished, said }))).toEqual([])
  expect(new Set(faults.map(({ kind }) => kind))).toEqual(new Set(FAULT_KINDS))
  expect(calls).toBeGreaterThan(500)
}, 180_000)
