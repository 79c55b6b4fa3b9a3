import { fullName } from '../define/dataset.js'
import { inputsOf } from '../define/inputs.js'
import type { Gold } from '../define/model.js'
import { historiesIn } from '../define/sql/sql.js'
import type { DataFile } from '../iceberg/spec/manifest.js'
import { Table, type TablePointer } from '../iceberg/table.js'
import type { BuildDecision } from '../plan/decision.js'
import { wouldDrop } from '../plan/refused/loss.js'
import { type StepContext, withSession } from '../step/context.js'
import { refuseBreaking } from '../step/schema-change.js'
import type { StepOutput } from '../step/task/output.js'
import { aboutTable } from '../step/write-table.js'
import type { Storage } from '../storage/storage.js'
import { stateOf } from './build.js'
import { checkPartitions, describeGold } from './describe.js'
import { type Portable, portableSql } from './portable.js'
import { provePart } from './prove.js'

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
}

/** Computes all rows of a gold dataset on another engine. */
export async function buildGoldElsewhere(
  context: StepContext,
  dataset: Gold,
  decision: BuildDecision,
  engine: GoldEngine,
): Promise<StepOutput> {
  const { relations, storage, folders, run, allowBreaking } = context
  const name = fullName(dataset)
  // All of it is computed.
  if (decision.avoids) throw wouldDrop(dataset, decision.avoids)
  const { described, proofs, sql } = await withSession(context, name, async (session) => {
    await relations.define(session, inputsOf(dataset))
    await relations.defineHistories(session, historiesIn(dataset.query))
    const columns = await describeGold(session, dataset)
    checkPartitions(dataset, columns.fields)
    if (!allowBreaking)
      refuseBreaking(dataset, await relations.table(name), columns.fields, decision.renamed)
    const found =
      dataset.incremental && (await provePart(session, dataset, columns.fields, undefined))
    return {
      described: columns,
      proofs: found,
      sql: await portableSql(session, dataset, columns, engine),
    }
  })
  const shape = {
    columns: described.fields,
    partitions: dataset.partitionBy,
    about: aboutTable(dataset),
    ...(decision.renamed ? { renamed: decision.renamed } : {}),
  }
  const before = (await relations.stored(name)) ?? Table.create(storage, folders[name] ?? name)
  const nothing = { removed: 'all', added: [], deletes: [] } as const
  const empty = await before.reshape(shape).write({ ...nothing, summary: { 'moraine.run': run } })
  const columns = described.fields.map((field) => field.name)
  const filled = await engine.fill({ context, dataset, empty: empty.pointer, columns, sql })
  const added = await filesOf(storage, await Table.load(storage, filled))
  return {
    tables: {
      [name]: { shape, changes: [{ ...nothing, added }], state: stateOf(dataset, proofs) },
    },
    result: {
      rows: added.reduce((sum, { rows }) => sum + rows, 0),
      bytes: added.reduce((sum, { bytes }) => sum + bytes, 0),
      files: added.length,
      notes: [`on ${engine.title}${dataset.incremental ? ', as a whole' : ''}`],
    },
  }
}

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
