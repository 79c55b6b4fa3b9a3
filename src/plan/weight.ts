import { fullName } from '../define/dataset.js'
import { inputsOf, isBuilt } from '../define/inputs.js'
import type { AnyDataset } from '../define/model.js'
import type { View } from './decision.js'

/** Rows up to which a step waits for files more than it computes. */
export const FEW_ROWS = 200_000

/** What other engines keep is looked at by nobody before. */
const UNKNOWN = FEW_ROWS + 1

/** A stage that is weighed, and those that it waits for. */
interface Weighed {
  name: string
  dataset: AnyDataset
  after: readonly string[]
}

/** How long stages may take, in rows. */
export interface Weight {
  /** Rows that it reads. */
  rows: number
  /** The same, and what the longest way through those that wait for it reads. */
  way: number
}

/**
 * What each stage weighs, by its name: those on which most work waits are to begin first, so that
 * no long one is left alone at the end.
 *
 * @param stages inputs before those that read them.
 */
export function weightsOf(
  stages: readonly Weighed[],
  { batches, tables }: Pick<View, 'batches' | 'tables'>,
): Map<string, Weight> {
  const weights = new Map<string, Weight>()
  const rowsOf = (dataset: AnyDataset): number => {
    const name = fullName(dataset)
    if (dataset.tier === 'bronze')
      return (batches[name] ?? []).reduce((sum, batch) => sum + batch.rows, 0)
    return weights.get(name)?.rows ?? tables[name]?.rows ?? 0
  }
  for (const { name, dataset } of stages) {
    const inputs = inputsOf(dataset).map((input) => (isBuilt(input) ? rowsOf(input) : UNKNOWN))
    const rows = inputs.reduce((sum, n) => sum + n, 0)
    weights.set(name, { rows, way: rows })
  }
  for (const { name, after } of stages.toReversed()) {
    const { way } = weights.get(name) as Weight
    for (const other of after) {
      const before = weights.get(other)
      if (before) before.way = Math.max(before.way, before.rows + way)
    }
  }
  return weights
}
