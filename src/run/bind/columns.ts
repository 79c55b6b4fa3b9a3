import type { z } from 'zod'
import { CHANGE } from '../../bronze/database/known-rows.js'
import { fullName } from '../../define/dataset.js'
import type { Bronze, Gold, Silver } from '../../define/model.js'
import type { Field } from '../../define/types/column-type.js'
import { fieldsOfShape } from '../../define/types/schema.js'
import type { Session } from '../../engine/engine.js'
import { checkPartitions, describeGold } from '../../gold/describe.js'
import { type Portable, portableSql } from '../../gold/portable.js'
import { provePart } from '../../gold/prove.js'
import { describeView } from '../../gold/view.js'
import type { View } from '../../plan/decision.js'
import { discardedColumns } from '../../silver/discarded.js'
import { historyColumns } from '../../silver/history.js'
import { removesKeys } from '../../silver/keys.js'
import { tombstoneColumns } from '../../silver/tombstones.js'
import { type Batches, bronzeLineage, columnsOf } from '../../step/batches.js'
import { Naming } from '../../step/naming.js'
import { silverLineage } from '../../step/relations.js'

/** The columns that a dataset will have. */
export interface Known {
  fields: readonly Field[]
  unsure: readonly Bronze[]
}

/**
 * What a bronze dataset's rows have; more may come with its next batch where its definition does
 * not say all.
 */
export async function bronzeColumns(
  dataset: Bronze,
  view: View,
  batches: Batches,
): Promise<Known | undefined> {
  const manifests = await batches.manifests(view.batches[fullName(dataset)] ?? [])
  const { from } = dataset
  const known = Naming.of(manifests)?.columnsOf(manifests) ?? columnsOf(manifests)
  const names = manifests.length > 0 ? known : from.columns
  const change = from.kind === 'database' && from.compareKeys && !names?.includes(CHANGE)
  const all = names && [...bronzeLineage, ...names, ...(change ? [CHANGE] : [])]
  return all && { fields: all.map(bronzeColumn), unsure: isSettled(dataset) ? [] : [dataset] }
}

/** Whether a source has the columns that its definition says, and no others. */
export function isSettled({ from }: Bronze): boolean {
  if (from.columns === undefined) return false
  if (from.kind === 'database') return true
  const positional = from.kind === 'files' && ['fixed', 'pattern'].includes(from.layout?.kind ?? '')
  return positional || (from.kind === 'files' && !from.layout && !from.header)
}

function bronzeColumn(name: string): Field {
  return { name, type: { kind: name === '_source_line' ? 'bigint' : 'string' } }
}

/** The columns of a silver table. */
export function silverColumns(dataset: Silver): Field[] {
  return [...fieldsOfShape(dataset.schema.shape as Record<string, z.ZodType>), ...silverLineage]
}

/**
 * The columns that a gold query gives, over inputs that the engine knows.
 *
 * @param portable the engine that is to compute it, where that needs SQL of its own.
 * @throws MoraineError where it is not what its dataset says, or can't be computed there.
 */
export async function boundGold(
  session: Session,
  dataset: Gold,
  portable?: Portable,
): Promise<readonly Field[]> {
  const described = dataset.view
    ? await describeView(session, dataset)
    : await describeGold(session, dataset)
  const { fields: columns } = described
  checkPartitions(dataset, columns)
  if (portable) await portableSql(session, dataset, described, portable)
  if (dataset.incremental) await provePart(session, dataset, columns)
  return columns
}

/** The tables that stand beside a silver one, by their tiers, and their columns. */
export function columnsBeside(dataset: Silver): [tier: string, columns: readonly Field[]][] {
  const fields = fieldsOfShape(dataset.schema.shape as Record<string, z.ZodType>)
  return [
    ['discarded', discardedColumns],
    ...(dataset.history
      ? [['history', historyColumns(dataset, fields)] as [string, readonly Field[]]]
      : []),
    ...(removesKeys(dataset)
      ? [['deleted', tombstoneColumns(dataset)] as [string, readonly Field[]]]
      : []),
  ]
}
