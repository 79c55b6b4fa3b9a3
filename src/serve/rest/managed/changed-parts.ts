import type { ScanTask } from '../../../iceberg/deletes.js'
import type { Contents } from '../../../iceberg/difference.js'
import type { DataFile } from '../../../iceberg/spec/manifest.js'
import type { Adopted, PartRange } from '../../../log/commit.js'
import type { Added, Checked } from './added.js'

/** Ranges that are remembered of a table: where there are more, it may be any part. */
const REMEMBERED = 200

/**
 * The parts of a table that engines may have changed so far: those that files of theirs hold, and
 * files that they have replaced or deleted rows of.
 *
 * @returns nothing where that is not known of all of their changes.
 */
export function changedParts(
  { table, state }: Pick<Added, 'table' | 'state'>,
  { before, after }: Pick<Checked, 'before' | 'after'>,
): Pick<Adopted, 'parts'> {
  const { partColumn, adopted } = state
  if (partColumn === undefined || (adopted && !adopted.parts)) return {}
  const column = table.schema.fields.find(
    ({ name }) => name.toLowerCase() === partColumn.toLowerCase(),
  )
  if (!column) return {}
  const found = changedFiles(before, after).map((file) => rangeOf(file, column.id))
  const all = new Map(
    [...(adopted?.parts ?? []), ...found].map((one) => [JSON.stringify(one), one]),
  )
  return { parts: all.size > REMEMBERED ? [{ any: true }] : [...all.values()] }
}

/** Data files that only one of two versions has, or of which they delete other rows. */
function changedFiles(before: Contents, after: Contents): DataFile[] {
  const textOf = ({ deletes }: ScanTask) => deletes.map(({ path }) => path).join('\n')
  const was = new Map(before.tasks.map((task) => [task.file.path, task]))
  const changed: DataFile[] = []
  for (const task of after.tasks) {
    const old = was.get(task.file.path)
    was.delete(task.file.path)
    if (!old || textOf(old) !== textOf(task)) changed.push(task.file)
  }
  return [...changed, ...[...was.values()].map(({ file }) => file)]
}

function rangeOf(file: DataFile, field: number): PartRange {
  const { lower, upper, nulls } = file.columns.get(field) ?? {}
  if (nulls !== undefined && nulls === file.rows) return { nulls: true }
  if (!lower || !upper) return { any: true }
  const text = (bound: Uint8Array) => Buffer.from(bound).toString('base64')
  return { low: text(lower), high: text(upper), ...(nulls === 0 ? {} : { nulls: true }) }
}
