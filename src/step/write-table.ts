import { randomUUID } from 'node:crypto'
import type { Gold, Silver } from '../define/model.js'
import type { Session } from '../engine/engine.js'
import type { Shape } from '../iceberg/change.js'
import type { DataFile } from '../iceberg/spec/manifest.js'
import { currentSpec } from '../iceberg/spec/metadata.js'
import { ChangedTable, CODEC, ListedTable, type TableVersion } from '../iceberg/version.js'
import type { StepContext } from './context.js'
import type { Deletion } from './delete-strategy.js'
import type { TableOutput } from './task/output.js'

/** A step's work on one table. */
export type TableWork = {
  name: string
  /** SQL for the rows to add, where there may be some. */
  rows: string | undefined
  /** Locations of files to drop, or all. */
  removed: ReadonlySet<string> | 'all'
  /** Rows that are deleted in files which stay. */
  deletions?: readonly Deletion[] | undefined
  /** The order of the rows means nothing. */
  anyOrder?: boolean
} & (Shaped | { version: TableVersion })

/** What the table is to be like; `version`: as that version, from which it goes on. */
export type Shaped = Omit<Shape, 'renamed'> & { renamed?: Shape['renamed'] | undefined }

/** What was written of a table. */
export interface Written {
  /** The table with it, which nobody sees yet. */
  table: TableVersion
  added: readonly DataFile[]
  output: TableOutput
}

/** Writes rows as data files of a table; its driver makes a new version of it. */
export async function writeTable(
  context: StepContext,
  session: Session,
  work: TableWork,
): Promise<Written> {
  const { storage, run } = context
  const shape = 'version' in work ? undefined : shapeOf(work)
  const table = shape
    ? await shapedTable(context, work.name, shape)
    : (work as { version: TableVersion }).version
  await storage.prepare(`${table.dataFolder}/x`)
  const target = {
    schema: table.schema,
    spec: currentSpec(table.metadata),
    location: storage.locate(table.dataFolder),
    name: `${run}-${randomUUID().slice(0, 8)}`,
    compression: table.compression,
    ...(work.anyOrder ? { anyOrder: true } : {}),
  }
  const written = work.rows === undefined ? [] : await session.tables.write(work.rows, target)
  const lists = await writeDeletions(context, session, table, work.deletions ?? [])
  const sums = await storage.seal(
    [...written, ...lists.map(({ file }) => file)].map((f) => table.pathOf(f.path)),
  )
  const added = written.map((file) => table.withChecksum(file, sums))
  const deletes = lists.map(({ file, spec }) => ({ file: table.withChecksum(file, sums), spec }))
  const change = { removed: work.removed, added, deletes }
  return {
    table: new ChangedTable(storage, table, change),
    added,
    output: { ...(shape ? { shape } : {}), changes: [change], state: {} },
  }
}

export const shapeOf = ({ columns, partitions, about, renamed }: Shaped): Shape => ({
  columns,
  partitions,
  ...(about ? { about } : {}),
  ...(renamed ? { renamed } : {}),
})

/** The table of a name as it stands, or an empty one, in the shape that it is to have. */
export async function shapedTable(
  { relations, storage, folders }: Pick<StepContext, 'relations' | 'storage' | 'folders'>,
  name: string,
  shape: Shape,
): Promise<TableVersion> {
  const table = (await relations.table(name)) ?? ListedTable.empty(storage, folders[name] ?? name)
  return table.reshape(shape)
}

/**
 * Writes which rows are deleted: one list for each file, together with those that were deleted
 * before.
 */
export async function writeDeletions(
  { storage, run }: Pick<StepContext, 'storage' | 'run'>,
  session: Session,
  table: TableVersion,
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

/** What a dataset says about itself, as table properties that other engines show. */
export function aboutTable({ about, compression = 'zstd' }: Silver | Gold): Record<string, string> {
  const { description, owner } = about
  return {
    ...(description ? { comment: description } : {}),
    ...(owner ? { owner } : {}),
    [CODEC]: compression,
  }
}
