import { MoraineError } from '../../errors.js'
import type { LakeState } from '../commit.js'

/** Rows of other sources than those that an earlier state has can't stand behind its own. */
export function otherSources(then: LakeState, base: LakeState): MoraineError | undefined {
  const of = ({ ownSources = {} }: LakeState) => JSON.stringify(Object.entries(ownSources).sort())
  if (of(then) === of(base)) return undefined
  return new MoraineError(
    'usage',
    `Datasets of this branch were read from other sources at commit ${then.number}, so their current batches cannot follow the earlier ones`,
    { hint: 'Roll back bronze as well, with --undo-intake. Nothing was changed.' },
  )
}
