import type { systemNames } from '../../define/sql/name.js'
import { ownValue } from '../../own-value.js'
import { folded } from '../../sql/relations.js'
import { accessTable } from './access.js'
import { commitsTable } from './commits.js'
import { queriesTable } from './past-queries.js'
import { discardedTrendTable, runsTable, stepsTable } from './runs.js'
import type { SystemTable } from './system-table.js'

/** Tables that tell of the lake, by their names in `system`. */
export const systemTables: Readonly<Record<(typeof systemNames)[number], SystemTable>> = {
  queries: queriesTable,
  runs: runsTable,
  steps: stepsTable,
  discarded_trend: discardedTrendTable,
  commits: commitsTable,
  access: accessTable,
}

export const systemTableOf = (name: string): SystemTable | undefined =>
  ownValue(systemTables, folded(name))
