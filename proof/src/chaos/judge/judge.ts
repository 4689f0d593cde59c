import { judge, type Finding } from '../../report'
import { EFFECTS } from './effects'
import type { Evidence, Promised } from './evidence'
import { LIFE } from './life'
import { RUN } from './run'
import { STOCK } from './stock'

const PROMISES: readonly Promised[] = [...EFFECTS, ...STOCK, ...LIFE, ...RUN]

/** What the evidence says of each promise. Nothing else is looked at. */
export const judgeRun = (evidence: Evidence): Promise<Finding[]> =>
  Promise.all(
    PROMISES.filter(({ when }) => when?.(evidence) ?? true).map(({ name, promise, look }) =>
      judge({ name, promise }, (tally) => {
        look(tally, evidence)
        return Promise.resolve()
      }),
    ),
  )
