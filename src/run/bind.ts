import type { z } from 'zod'
import type { Field } from '../define/column-type.js'
import { type AnyDataset, fullName, type Gold, type Silver } from '../define/dataset.js'
import { inputsOf } from '../define/inputs.js'
import { fieldsOfShape } from '../define/schema.js'
import { quoteName, type Sql } from '../define/sql.js'
import type { Session } from '../engine/engine.js'
import { MoraineError, type Problem } from '../errors.js'
import type { View } from '../plan/plan.js'
import { type Batches, columnsOf } from './batches.js'
import { bindExpression, emptyRelation } from './expressions.js'
import { checkPartitions, describeGold } from './gold.js'
import { provePart } from './gold-parts.js'
import { historyColumns } from './history.js'
import { Naming } from './naming.js'
import { bronzeLineage, silverLineage } from './relations.js'
import { discardedColumns } from './silver.js'
import { tombstoneColumns } from './tombstones.js'
import { describeView } from './view.js'
import { removesKeys } from './winners.js'

/** What binding found. */
export interface Bound {
  problems: Problem[]
  /** The columns that datasets will have, as far as they can be known. */
  columns: ReadonlyMap<AnyDataset, readonly Field[]>
}

/**
 * Binds the SQL of datasets against tables that have the right columns and no rows: finds unknown
 * columns, functions and mistakes of grammar before anything runs. What depends on columns that only
 * a run will know, such as those of a file's header, is left to the run.
 */
export async function bindSql(
  session: Session,
  datasets: readonly AnyDataset[],
  view: View,
  batches: Batches,
): Promise<Bound> {
  const problems: Problem[] = []
  const known = new Map<AnyDataset, readonly Field[]>()
  for (const dataset of datasets) {
    const collect = async <T>(work: () => Promise<T>): Promise<T | undefined> => {
      try {
        return await work()
      } catch (error) {
        if (!(error instanceof MoraineError)) throw error
        const { message, hint, place } = error
        const name = fullName(dataset)
        const said = message.startsWith(name) ? message : `${name}: ${message}`
        problems.push({ message: said, hint, place })
        return undefined
      }
    }
    const bound = inputsOf(dataset).every((input) => known.has(input))
    const columns = await columnsBy(session, dataset, bound, view, batches, collect)
    if (!columns) continue
    known.set(dataset, columns)
    await session.define(dataset.tier, dataset.name, emptyRelation(columns))
    if (dataset.tier !== 'silver') continue
    await session.define('discarded', dataset.name, emptyRelation(discardedColumns))
    if (dataset.history)
      await session.define(
        'history',
        dataset.name,
        emptyRelation(historyColumns(dataset, fieldsOfShape(dataset.schema.shape as never))),
      )
    if (removesKeys(dataset))
      await session.define('deleted', dataset.name, emptyRelation(tombstoneColumns(dataset)))
    if (bound) for (const work of expressionsOf(session, dataset, columns)) await collect(work)
  }
  return { problems, columns: known }
}

type Collect = <T>(work: () => Promise<T>) => Promise<T | undefined>

/** The columns a dataset will have; `undefined` while they can't be known. */
async function columnsBy(
  session: Session,
  dataset: AnyDataset,
  bound: boolean,
  view: View,
  batches: Batches,
  collect: Collect,
): Promise<readonly Field[] | undefined> {
  if (dataset.tier === 'bronze') return bronzeColumns(dataset, view, batches)
  if (dataset.tier === 'silver') return silverColumns(dataset)
  return bound ? collect(() => boundGold(session, dataset)) : undefined
}

async function bronzeColumns(dataset: AnyDataset, view: View, batches: Batches) {
  if (dataset.tier !== 'bronze') return undefined
  const manifests = await batches.manifests(view.batches[fullName(dataset)] ?? [])
  const known = Naming.of(manifests)?.columnsOf(manifests) ?? columnsOf(manifests)
  const names = manifests.length > 0 ? known : dataset.from.columns
  return names && [...bronzeLineage, ...names].map(bronzeColumn)
}

function bronzeColumn(name: string): Field {
  return { name, type: { kind: name === '_source_line' ? 'bigint' : 'string' } }
}

function silverColumns(dataset: Silver): Field[] {
  return [...fieldsOfShape(dataset.schema.shape as Record<string, z.ZodType>), ...silverLineage]
}

/** Each expression of a silver dataset, ready to be bound by itself. */
function expressionsOf(
  session: Session,
  dataset: Silver,
  columns: readonly Field[],
): (() => Promise<unknown>)[] {
  const inputs = dataset.from.map((input) => `SELECT * FROM ${input.tier}.${quoteName(input.name)}`)
  const input = inputs.join(' UNION ALL BY NAME ')
  const rows = emptyRelation(columns)
  const selected = [...Object.values(dataset.select), dataset.deleteWhen].filter(
    (chosen): chosen is Sql => chosen !== undefined && typeof chosen !== 'string',
  )
  return [
    ...selected.map((chosen) => () => bindExpression(session, chosen, input)),
    ...dataset.rules.map((rule) => () => bindExpression(session, rule.condition, rows)),
  ]
}

async function boundGold(session: Session, dataset: Gold): Promise<readonly Field[]> {
  const { fields: columns } = dataset.view
    ? await describeView(session, dataset)
    : await describeGold(session, dataset)
  checkPartitions(dataset, columns)
  if (dataset.incremental) await provePart(session, dataset, columns)
  return columns
}
