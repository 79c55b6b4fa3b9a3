import { fullName } from '../../define/dataset.js'
import type { AnyDataset, Bronze } from '../../define/model.js'
import type { LakeState } from '../../log/commit.js'
import { ownValue } from '../../own-value.js'
import type { Watermark } from './batch.js'
import { textReadingOf } from './unreadable.js'

/**
 * What a branch says of definitions that read files otherwise than main has read them: it reads no
 * sources, so it can't show what they change.
 */
export function unreadOnBranch(datasets: readonly AnyDataset[], state: LakeState): string[] {
  return datasets.flatMap((dataset) =>
    dataset.tier === 'bronze'
      ? changedReading(dataset, state).map((said) => `${fullName(dataset)}: ${said}`)
      : [],
  )
}

/** The same of one dataset, without its name. */
export function changedReading(dataset: Bronze, state: LakeState): string[] {
  const name = fullName(dataset)
  const { from } = dataset
  const watermark = ownValue(state.watermarks, name) as Watermark | undefined
  if (from?.kind !== 'files' || watermark?.reading === undefined) return []
  if (watermark.reading === textReadingOf(from)) return []
  return [
    `its definition reads files differently now, which a branch cannot show, because files are read on main; there, to read all of them again: moraine run ${name}+ --reread ${name}`,
  ]
}
