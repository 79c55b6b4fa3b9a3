import type { Silver } from '../../define/model.js'
import { Collector } from '../../define/problems/collector.js'
import { offeredProblems } from '../../define/problems/column-problems.js'
import type { Problem } from '../../errors.js'
import type { Externals } from '../../step/external/externals.js'

/**
 * Columns that a silver dataset reads of tables of other engines, and that these do not have. Of
 * those that are declared, that was said before.
 */
export function externalColumnProblems(dataset: Silver, externals: Externals): Problem[] {
  const collect = new Collector(dataset)
  for (const input of dataset.from) {
    if (input.tier !== 'external' || input.declared) continue
    const names = externals.columnsOf(input)?.map(({ name }) => name)
    if (names) offeredProblems(dataset, input, names, collect)
  }
  return collect.problems
}
