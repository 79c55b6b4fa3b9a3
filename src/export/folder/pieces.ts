import { createHash, randomUUID } from 'node:crypto'
import type { Folder } from '../../define/export/folder.js'
import type { Session } from '../../engine/engine.js'
import type { ScanTask } from '../../iceberg/deletes.js'
import type { Storage } from '../../storage/storage.js'
import { differenceOf } from '../difference.js'
import { identity, type LakeTable, rowsOfTasks } from '../lake-table.js'
import { shapeOf } from '../record.js'
import type { TableFolder } from './table-folder.js'
import type { Piece } from './version.js'

/** A file of the lake that a version is made of; without one the table has no rows. */
export interface Part {
  id: string
  tasks: readonly ScanTask[]
}

/** The parts of a table: one a file of the lake. A file that changes is another part. */
export async function partsOf(now: LakeTable, target: Folder): Promise<Part[]> {
  const tasks = await now.table.plan()
  const how = [now.dataset, shapeOf(now.columns), target.format, target.escapeFormulas]
  const idOf = (what: string) =>
    createHash('sha256')
      .update(JSON.stringify([...how, what]))
      .digest('hex')
      .slice(0, 40)
  // A table without rows has a file nevertheless, which says what its columns are.
  if (tasks.length === 0) return [{ id: idOf(''), tasks: [] }]
  return tasks.map((task) => ({ id: idOf(identity(task)), tasks: [task] }))
}

/** What it takes to write parts. */
export interface Writing {
  engine: Session
  /** The lake's. */
  storage: Storage
  now: LakeTable
  target: Folder
  folder: TableFolder
  /** Told what differs between a file and the lake. */
  refuse(difference: string | undefined): void
}

/** Writes a part to a file of its own, and compares what can be read there with the lake. */
export async function writePart(writing: Writing, { id, tasks }: Part): Promise<Piece> {
  const { engine, storage, now, target, folder } = writing
  const { columns } = now
  const path = `data/${id.slice(0, 12)}-${randomUUID()}.${target.format}`
  const all = rowsOfTasks(engine, storage, now, tasks)
  const rows = target.escapeFormulas ? engine.exports.withoutFormulas(all, columns) : all
  const file = { location: folder.locate(path), format: target.format }
  await folder.storage.prepare(folder.at(path))
  await engine.exports.file(rows, columns, file)
  const sums = await folder.storage.seal([folder.at(path)])
  const ours = await engine.exports.figures(rows, columns)
  const theirs = await engine.exports.figures(await engine.exports.fileRows(columns, file), columns)
  writing.refuse(differenceOf(columns, ours, theirs))
  const found = await folder.storage.stat(folder.at(path))
  return {
    id,
    path,
    rows: Number(theirs.rows),
    bytes: found?.size ?? 0,
    sha256: sums.get(folder.at(path)) ?? '',
  }
}
