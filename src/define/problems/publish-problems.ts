import type { Problem } from '../../errors.js'
import { fullName } from '../dataset.js'
import { engineOf } from '../engines/step-engine.js'
import type { AnyDataset } from '../model.js'
import type { LakeOptions } from '../options/lake-options.js'

/** What tables that wait for a review can't be built by. */
export function publishProblems(
  { publish, engine }: Partial<Pick<LakeOptions, 'publish' | 'engine'>>,
  datasets: readonly AnyDataset[],
): Problem[] {
  if (publish !== 'review') return []
  return datasets
    .filter((one) => engineOf(one, { engine }).engine === 'trino')
    .map((one) => ({
      message: `${fullName(one)} is built by Trino, which builds on main alone, and not for a review`,
      hint: "Give it another engine, such as duckdb(), or leave out publish: 'review'",
      place: one.place && { ...one.place, near: one.name },
    }))
}
