import { fullName } from '../define/dataset.js'
import type { Gold } from '../define/model.js'
import type { DataFile } from '../iceberg/spec/manifest.js'
import { Table, type TablePointer } from '../iceberg/table.js'
import type { BuildDecision } from '../plan/decision.js'
import type { StepContext } from '../step/context.js'
import type { StepOutput } from '../step/task/output.js'
import type { Storage } from '../storage/storage.js'
import { stateOf } from './build.js'
import { type OwnSql, ownSql } from './own-sql.js'
import type { Portable } from './portable.js'
import { prepareElsewhere } from './prepare-elsewhere.js'

/** An engine that computes gold and writes its rows by itself. */
export interface GoldEngine extends Portable {
  /** As people call it. */
  title: string
  /** Fills a table that has no rows with those of a query; returns where it is then. */
  fill(filling: Filling): Promise<TablePointer>
}

export interface Filling {
  context: StepContext
  dataset: Gold
  /** The table without rows, which nobody sees yet. */
  empty: TablePointer
  /** Its columns, in the order of the query's. */
  columns: readonly string[]
  sql: string
  /** The query in the engine's own SQL, where its author wrote it: it may give other columns. */
  own: OwnSql | undefined
}

/**
 * Computes a gold dataset on another engine: all of it, or the parts that changed rows touch. Rows
 * that only share a file with those of such parts are written here.
 */
export async function buildGoldElsewhere(
  context: StepContext,
  dataset: Gold,
  decision: BuildDecision,
  engine: GoldEngine,
): Promise<StepOutput> {
  const { relations, storage, folders, run } = context
  const name = fullName(dataset)
  const prepared = await prepareElsewhere(context, dataset, decision, engine)
  const { shape, proofs, parts, others, sql } = prepared
  const before = (await relations.stored(name)) ?? Table.create(storage, folders[name] ?? name)
  const nothing = { removed: 'all', added: [], deletes: [] } as const
  const empty = await before.reshape(shape).write({ ...nothing, summary: { 'moraine.run': run } })
  const columns = shape.columns.map((field) => field.name)
  const own = ownSql(dataset, engine)
  const filling = { context, dataset, empty: empty.pointer, columns, sql, own }
  const filled = parts?.some === false ? empty.pointer : await engine.fill(filling)
  const computed = await filesOf(storage, await Table.load(storage, filled))
  const added = [...computed, ...others]
  const change = { ...nothing, removed: parts?.removed ?? ('all' as const), added }
  const state = stateOf(dataset, proofs, relations.view)
  return {
    tables: { [name]: { shape, changes: [change], state } },
    result: {
      rows: added.reduce((sum, { rows }) => sum + rows, 0),
      bytes: added.reduce((sum, { bytes }) => sum + bytes, 0),
      files: added.length,
      notes: [`on ${engine.title}${parts ? `, ${parts.said}` : wholeNote(dataset)}`],
    },
  }
}

const wholeNote = ({ incremental }: Gold) => (incremental ? ', as a whole' : '')

/** The data files of a table, with the checksums of their bytes. */
async function filesOf(storage: Storage, table: Table): Promise<DataFile[]> {
  const files = (await table.plan()).map(({ file }) => file)
  const sums = new Map<string, string>()
  for (const path of files.map((file) => table.pathOf(file.path))) {
    const sum = await storage.digest(path)
    if (sum) sums.set(path, sum)
  }
  return files.map((file) => table.withChecksum(file, sums))
}
