import { fullName } from '../define/dataset.js'
import type { AnyDataset, Bronze } from '../define/model.js'
import type { LakeState } from '../log/commit.js'
import type { View } from '../plan/decision.js'
import { type Plan, plan } from '../plan/plan.js'
import { hash } from '../step/context.js'
import type { Externals } from '../step/external/externals.js'
import type { BindScope, BindState } from './bind/bind.js'
import { newSql, refuseMistakes, type SqlLeft } from './bind/bind-new.js'
import type { Looked, Sources } from './sources.js'

export { beginOwn } from './own/begin.js'

/** What a run is asked for, as far as it decides what is done. */
interface Asked {
  datasets: readonly AnyDataset[]
  state: LakeState
  sources: Sources
  /** What other engines keep, in that state. */
  externals: Externals
  /** Build everything from its inputs again. */
  full: boolean
  /** The silver dataset whose discarded rows are validated again. */
  replay?: string | undefined
  now: Date
  bind: Bind
  /** For which gold datasets SQL of another engine is written. */
  portable?: BindState['portable']
}

/** Binds SQL in some engine; see `bindNew`. */
export type Bind = (
  wanted: ReadonlyMap<AnyDataset, BindScope>,
  arriving: (dataset: Bronze) => boolean,
) => Promise<SqlLeft>

/** What a run is going to do. */
export interface Prepared extends Plan, Looked {
  /** SQL that is bound once more of bronze has arrived. */
  left: SqlLeft
}

const nothingLeft: SqlLeft = { problems: [], unbound: new Map(), columns: new Map() }

/**
 * What `moraine plan` shows, and what a run begins with: binds SQL that is new, looks at all
 * sources, and plans.
 *
 * @throws DefinitionError for mistakes in SQL that nothing which the sources offer could mend.
 */
export async function prepare(asked: Asked): Promise<Prepared> {
  const { datasets, state, sources, externals, bind, full, replay, now, portable } = asked
  const view = externals.on(state)
  const may = (dataset: AnyDataset) => datasets.includes(dataset)
  const left = await bindNewSql(datasets, view, bind, may, portable)
  const looked = await sources.lookAtAll(state)
  const { discoveries } = looked
  const problems = { ...looked.problems, ...unreadInputs(datasets, externals) }
  const unread = Object.keys(problems)
  const planned = plan({ datasets, view, discoveries, unread, full, replay, hash, now })
  const arriving = planned.stages.flatMap(({ dataset, name, decision }) =>
    decision.action === 'intake' || unread.includes(name) ? [dataset] : [],
  )
  refuseMistakes(left, (dataset) => arriving.includes(dataset))
  return { ...planned, ...looked, problems, left }
}

/** What keeps tables of other engines from being read, by the names of the datasets that do. */
function unreadInputs(datasets: readonly AnyDataset[], externals: Externals) {
  const found = datasets.flatMap((dataset) => {
    const problem = externals.problemOf(dataset)
    return problem ? [[fullName(dataset), problem] as const] : []
  })
  return Object.fromEntries(found)
}

/** Binds the SQL of datasets that is new on a state; what is built has been bound before. */
export async function bindNewSql(
  datasets: readonly AnyDataset[],
  state: View,
  bind: Bind,
  arriving: (dataset: Bronze) => boolean,
  portable?: BindState['portable'],
): Promise<SqlLeft> {
  const wanted = newSql(datasets, state, portable)
  return wanted.size === 0 ? nothingLeft : bind(wanted, arriving)
}

/** What is to be known of sources, by the full names of datasets. */
export function notesOf({ offers }: Looked): Record<string, readonly string[]> {
  const found = [...offers].flatMap(([dataset, { discovery }]) =>
    discovery.notes && discovery.notes.length > 0
      ? [[fullName(dataset), discovery.notes] as const]
      : [],
  )
  return Object.fromEntries(found)
}
