import { judge, type Finding } from '../../report'
import { EFFECTS } from './effects'
import type { Evidence, Promised } from './evidence'
import { FAULTS, RUN } from './run'
import { STOCK } from './stock'

const PROMISES: readonly Promised[] = [...EFFECTS, ...STOCK, ...RUN]

/** What the evidence says of each promise. Nothing else is looked at. */
export const judgeRun = (evidence: Evidence): Promise<Finding[]> =>
  Promise.all(
    [...PROMISES, ...(evidence.faults.length > 0 ? FAULTS : [])].map(({ look, ...promised }) =>
      judge(promised, (tally) => {
        look(tally, evidence)
        return Promise.resolve()
      }),
    ),
  )
