import { fullName } from '../define/dataset.js'
import type { Silver } from '../define/model.js'
import { fieldsOfShape } from '../define/types/schema.js'
import type { Session } from '../engine/engine.js'
import type { BuildDecision } from '../plan/decision.js'
import type { StepContext } from '../step/context.js'
import { silverLineage } from '../step/relations.js'
import { aboutTable, type Shaped, type Written, writeTable } from '../step/write-table.js'
import { ingestedAtOf } from './ingested-at.js'
import { type Merge, mergeByKey, type Target } from './merge.js'
import type { Deduplicated, Validated } from './stages.js'
import { findStale, type Stale } from './stale.js'
import type { Tally } from './validate.js'

/** A step whose rows are validated, and of which one a key is the latest. */
export interface Ready {
  dataset: Silver
  decision: BuildDecision
  validated: Validated
  tally: Tally
  deduplicated: Deduplicated
}

/** A step whose rows are ready to be written. */
export interface Merged extends Ready {
  target: Target
  merge: Merge
  stale: Stale
}

/** What a step's table is to be like. */
export async function targetOf(
  context: Pick<StepContext, 'relations' | 'started'>,
  session: Session,
  dataset: Silver,
  decision: BuildDecision,
): Promise<Target> {
  const columns = fieldsOfShape(dataset.schema.shape as never)
  const withIngestedAt = await ingestedAtOf(context, session, dataset.from.map(fullName), decision)
  const incremental = decision.mode === 'incremental'
  return { columns, incremental, withIngestedAt, renamed: decision.renamed }
}

/** Merges the latest rows with the table as it stands, and looks for stale ones. */
export async function mergeRows(
  context: StepContext,
  session: Session,
  ready: Ready,
): Promise<Merged> {
  const { dataset, decision, validated, tally, deduplicated } = ready
  const target = await targetOf(context, session, dataset, decision)
  const { incremental } = target
  const merge = await mergeByKey(context, session, dataset, deduplicated, target)
  const stale = await findStale(
    context,
    session,
    dataset,
    { ...validated, ...deduplicated },
    { incremental, discarded: tally.discarded },
  )
  return { ...ready, target, merge, stale }
}

/** The columns, partitions and properties of a step's table. */
export function shapeOfRows(
  dataset: Silver,
  { columns, renamed }: Pick<Target, 'columns' | 'renamed'>,
): Shaped {
  return {
    columns: [...columns, ...silverLineage],
    partitions: dataset.partitionBy,
    about: aboutTable(dataset),
    renamed,
  }
}

/** Writes the rows of a step's table. */
export function writeRows(
  context: StepContext,
  session: Session,
  { dataset, target }: Pick<Merged, 'dataset' | 'target'>,
  { rows, removed, deletions }: Pick<Merge, 'rows' | 'removed' | 'deletions'>,
): Promise<Written> {
  return writeTable(context, session, {
    name: fullName(dataset),
    ...shapeOfRows(dataset, target),
    rows,
    removed,
    deletions,
    anyOrder: true,
  })
}
