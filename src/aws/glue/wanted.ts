import type { LakeState } from '../../log/commit.js'
import { bronzeOf } from './bronze/wanted.js'
import { LONGEST_NAME } from './limits.js'
import type { ProjectOptions } from './options.js'
import { type Databases, placeOf } from './places.js'
import type { ProjectionReport } from './report.js'
import { icebergTable } from './tables.js'
import type { WantedTable } from './wanted-table.js'
import { viewsOf } from './wanted-views.js'

type On = Pick<ProjectOptions, 'lake' | 'storage' | 'session'>

/** The tables of a state, in an order of their own. */
export function wantedOf(
  on: On,
  state: LakeState,
  databases: Databases,
  report: ProjectionReport,
): WantedTable[] {
  const found = [
    ...tablesOf(on, state, databases),
    ...bronzeOf(on, state, databases),
    ...viewsOf(on, state, databases, report),
  ]
  const taken = new Map<string, string>()
  return found.filter(({ dataset, database, table }) => {
    const at = `${database}.${table}`
    const first = taken.get(at)
    taken.set(at, first ?? dataset)
    if (first !== undefined)
      report.note(dataset, `it is not shown: ${first} is called ${at} as well`)
    else if (table.length > LONGEST_NAME)
      report.note(dataset, `it is not shown: Glue takes names of ${LONGEST_NAME} characters`)
    return first === undefined && table.length <= LONGEST_NAME
  })
}

function tablesOf({ storage }: On, state: LakeState, databases: Databases): WantedTable[] {
  return Object.entries(state.tables).flatMap(([dataset, table]) => {
    const place = placeOf(dataset, databases)
    if (!place) return []
    const version = storage.locate(table.metadata)
    const describe = (before: string | undefined) =>
      icebergTable(storage, place.table, table, before)
    return [{ dataset, ...place, version, pointer: true, describe }]
  })
}
