import { quoteText } from '../define/sql/sql.js'
import type { Relation, Session } from '../engine/engine.js'
import { pathsOf, type ScanTask } from '../iceberg/deletes.js'
import type { TableVersion } from '../iceberg/version.js'
import type { StepContext } from './context.js'

/**
 * How rows leave a table: their files are rewritten (copy-on-write), or list them as deleted
 * (merge-on-read).
 */
export interface DeleteStrategy {
  /** Files that go: their other rows are written again. */
  rewritten: readonly ScanTask[]
  /** Rows that are only written again because they share a file with one that leaves. */
  rewrittenRows: number
  /** Files that stay, with lists of rows that are deleted. */
  deletions: readonly Deletion[]
  /** Locations of files that the table drops. */
  removed: ReadonlySet<string>
}

/** Rows of a file that are deleted. */
export interface Deletion {
  task: ScanTask
  /** SQL for their places in the file, in a column `pos`. */
  places: string
}

/** Share of a file's rows that may be deleted before it is written again: readers pay for each. */
const MOST_DELETED = 0.1

/**
 * Decides by cost which files are written again without rows that leave, and of which the rows are
 * only listed as deleted (copy-on-write and merge-on-read): writing few bytes again is quick and
 * leaves nothing to readers.
 *
 * @param leaving `_data_file` and `_data_row` of each row.
 * @param rewriteUpTo bytes that are written again in any case.
 */
export async function chooseDeletes(
  { storage, rewriteUpTo }: Pick<StepContext, 'storage' | 'rewriteUpTo'>,
  session: Session,
  table: TableVersion,
  tasks: readonly ScanTask[],
  { sql: leaving }: Relation,
): Promise<DeleteStrategy> {
  const found = await session.rows(
    `SELECT _data_file AS f, count(*) AS n FROM ${leaving} GROUP BY 1`,
  )
  const replaced = new Map(found.map(({ f, n }) => [f, Number(n)]))
  const nameOf = ({ file }: ScanTask) =>
    session.tables.fileName(storage.locate(table.pathOf(file.path)))
  const lost = (task: ScanTask) => replaced.get(nameOf(task)) ?? 0
  const { rewritten, listed, removed } = deletesByCost(tasks, lost, rewriteUpTo)
  const placesOf = (task: ScanTask) =>
    `SELECT _data_row AS pos FROM ${leaving} WHERE _data_file = ${quoteText(nameOf(task))}`
  return {
    rewritten,
    rewrittenRows: rewritten.reduce((sum, task) => sum + liveRows(task) - lost(task), 0),
    deletions: listed.map((task) => ({ task, places: placesOf(task) })),
    removed,
  }
}

/**
 * Which files are written again, and which list rows as deleted.
 *
 * @param lost how many rows of a file leave.
 */
export function deletesByCost(
  tasks: readonly ScanTask[],
  lost: (task: ScanTask) => number,
  rewriteUpTo: number,
): { rewritten: ScanTask[]; listed: ScanTask[]; removed: Set<string> } {
  const touched = tasks.filter((task) => lost(task) > 0)
  const keepable = touched.filter(
    (task) =>
      hasOwnDeletes(task) && liveRows(task) - lost(task) >= task.file.rows * (1 - MOST_DELETED),
  )
  const bytes = keepable.reduce((sum, { file }) => sum + file.bytes, 0)
  const kept = new Set(bytes > rewriteUpTo ? keepable : [])
  const rewritten = touched.filter((task) => !kept.has(task))
  const listed = [...kept]
  const oldLists = listed.flatMap(({ deletes }) => deletes.map(({ path }) => path))
  return { rewritten, listed, removed: new Set([...pathsOf(rewritten), ...oldLists]) }
}

/** Rows of a data file that are not deleted. */
function liveRows({ file, deletes }: ScanTask): number {
  return file.rows - deletes.reduce((sum, { rows }) => sum + rows, 0)
}

/** Whether all deletes of a file are about it alone, so that one list can take their place. */
function hasOwnDeletes({ file, deletes }: ScanTask): boolean {
  return deletes.every(
    ({ content, referenced }) => content === 'position deletes' && referenced === file.path,
  )
}
