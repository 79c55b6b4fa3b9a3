import { fullName } from '../../define/dataset.js'
import { inputsOf } from '../../define/inputs.js'
import type { Gold } from '../../define/model.js'
import { historiesIn } from '../../define/sql/sql.js'
import { MoraineError } from '../../errors.js'
import { describeGold } from '../../gold/describe.js'
import { portableSql } from '../../gold/portable.js'
import type { LakeState } from '../../log/commit.js'
import { Relations } from '../../step/relations.js'
import { sha256 } from '../../storage/checksum.js'
import type { ProjectOptions } from './options.js'
import { type Databases, placeOf } from './places.js'
import type { ProjectionReport } from './report.js'
import { athenaView } from './views.js'
import type { WantedTable } from './wanted-table.js'

type On = Pick<ProjectOptions, 'lake' | 'storage' | 'session'>

/** The views of a state, those of them that have an exact rendering in Trino's SQL. */
export function viewsOf(
  on: On,
  state: LakeState,
  databases: Databases,
  report: ProjectionReport,
): WantedTable[] {
  const { lake } = on
  return Object.entries(state.views ?? {}).flatMap(([name, view]) => {
    const place = placeOf(name, databases)
    const dataset = lake.datasets.find((one) => fullName(one) === name)
    if (!place) return []
    if (dataset?.tier !== 'gold' || !dataset.view) {
      report.note(name, 'it is not shown: lake.ts no longer defines the view')
      return []
    }
    const version = sha256(JSON.stringify([view.sql, view.columns, databases])).slice(0, 32)
    const describe = async () => {
      try {
        const sql = await trinoSql(on, state, dataset, databases)
        return athenaView(place.table, view, dataset, { sql, database: place.database })
      } catch (error) {
        if (!(error instanceof MoraineError) || error.kind !== 'definition') throw error
        report.note(name, `it is not shown: ${error.message}`)
        return undefined
      }
    }
    return [{ dataset: name, ...place, version, pointer: false, describe }]
  })
}

/** The query of a view in Trino's SQL, as gold on Trino is written (ADR 102). */
async function trinoSql(
  { storage, session: open }: On,
  state: LakeState,
  dataset: Gold,
  databases: Databases,
): Promise<string> {
  if (!open) throw new MoraineError('definition', 'no engine is there to write its SQL for Athena')
  const session = await open()
  const relations = new Relations(storage, state)
  await relations.define(session, inputsOf(dataset))
  await relations.defineHistories(session, historiesIn(dataset.query))
  const columns = await describeGold(session, dataset)
  return portableSql(session, dataset, columns, {
    target: 'trino',
    table: (schema, name) => `"${databases[schema] ?? schema}"."${name.toLowerCase()}"`,
  })
}
