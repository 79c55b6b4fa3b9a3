import { randomUUID } from 'node:crypto'
import type { Gold, Silver } from '../define/model.js'
import type { Partition } from '../define/partition.js'
import type { Field } from '../define/types/column-type.js'
import type { Session } from '../engine/engine.js'
import type { DataFile } from '../iceberg/spec/manifest.js'
import { currentSpec } from '../iceberg/spec/metadata.js'
import { CODEC, Table } from '../iceberg/table.js'
import type { Definition, RowCounts, TableState } from '../log/commit.js'
import type { RunContext } from './context.js'
import type { Deletion } from './delete-strategy.js'

/** A step's work on one table. */
export type TableWork = {
  name: string
  /** SQL for the rows to add. */
  rows: string
  /** Locations of files to drop, or all. */
  removed: ReadonlySet<string> | 'all'
  /** Rows that are deleted in files which stay. */
  deletions?: readonly Deletion[] | undefined
  /** The order of the rows means nothing. */
  anyOrder?: boolean
} & (Shape | { version: Table })

/** What the table is to be like; `version`: as that version, from which it goes on. */
interface Shape {
  columns: readonly Field[]
  partitions: readonly Partition[]
  about?: Readonly<Record<string, string>>
  /** New names of columns, by the old ones. */
  renamed?: Readonly<Record<string, string>> | undefined
}

/** Writes rows as data files of a table and makes a new version of it, which nobody sees yet. */
export async function writeTable(
  context: RunContext,
  session: Session,
  work: TableWork,
): Promise<{ table: Table; added: DataFile[] }> {
  const { storage, run } = context
  const existing = 'version' in work ? work.version : await context.relations.table(work.name)
  const table = 'version' in work ? work.version : shaped(context, work.name, existing, work)
  await storage.prepare(`${table.dataFolder}/x`)
  const written = await session.tables.write(work.rows, {
    schema: table.schema,
    spec: currentSpec(table.metadata),
    location: storage.locate(table.dataFolder),
    name: `${run}-${randomUUID().slice(0, 8)}`,
    compression: table.compression,
    ...(work.anyOrder ? { anyOrder: true } : {}),
  })
  const lists = await writeDeletions(context, session, table, work.deletions ?? [])
  const sums = await storage.seal(
    [...written, ...lists.map(({ file }) => file)].map((f) => table.pathOf(f.path)),
  )
  const added = written.map((file) => table.withChecksum(file, sums))
  const deletes = lists.map(({ file, spec }) => ({ file: table.withChecksum(file, sums), spec }))
  const nothing = added.length === 0 && work.removed !== 'all' && work.removed.size === 0
  if (nothing && existing?.snapshot) return { table: await table.save(), added }
  const summary = { 'moraine.run': run }
  return { table: await table.write({ removed: work.removed, added, deletes, summary }), added }
}

function shaped(
  context: RunContext,
  name: string,
  existing: Table | undefined,
  { columns, partitions, about, renamed }: Shape,
): Table {
  const [layer = '', ...rest] = name.split('.')
  const path = `${folderOf(context, layer)}/${rest.join('.')}`
  return (existing ?? Table.create(context.storage, path)).reshape({
    columns,
    partitions,
    ...(about ? { about } : {}),
    ...(renamed ? { renamed } : {}),
  })
}

/** The folder of a layer's new tables. */
function folderOf({ lake }: RunContext, layer: string): string {
  return (layer === 'silver' || layer === 'gold' ? lake.folders[layer] : undefined) ?? layer
}

/** Writes which rows are deleted: one list for each file, together with those that were deleted before. */
async function writeDeletions(
  { storage, run }: RunContext,
  session: Session,
  table: Table,
  deletions: readonly Deletion[],
): Promise<{ file: DataFile; spec: number }[]> {
  const written: { file: DataFile; spec: number }[] = []
  for (const { task, places } of deletions) {
    const path = `${table.dataFolder}/${run}-${randomUUID().slice(0, 8)}-deletes.parquet`
    const before = task.deletes.map((list) => storage.locate(table.pathOf(list.path)))
    const target = { location: storage.locate(path), of: task.file, before }
    written.push({ file: await session.tables.writeDeletes(places, target), spec: task.spec })
  }
  return written
}

export function tableState(table: Table, definition: Definition, counts?: RowCounts): TableState {
  return {
    ...table.pointer,
    definition,
    ...table.totals,
    ...(counts ? { counts } : {}),
  }
}

/** What a dataset says about itself, as table properties that other engines show. */
export function aboutTable({ about, compression = 'zstd' }: Silver | Gold): Record<string, string> {
  const { description, owner } = about
  return {
    ...(description ? { comment: description } : {}),
    ...(owner ? { owner } : {}),
    [CODEC]: compression,
  }
}
