import { quoteName } from '../define/sql/sql.js'
import { count } from '../engine/count.js'
import type { Session } from '../engine/engine.js'
import type { StepContext } from '../step/context.js'
import { chooseDeletes } from '../step/delete-strategy.js'
import { tableFiles } from '../step/table-files.js'
import type { TableOutput } from '../step/task/output.js'
import { writeTable } from '../step/write-table.js'
import { type History, ROW } from './history.js'

/**
 * Writes versions; files of which versions go are written again, or list them as deleted, where not
 * somebody else sees to that.
 */
export async function writeVersions(
  context: StepContext,
  session: Session,
  history: History,
  deletes: boolean,
): Promise<Record<string, TableOutput>> {
  const { name, shape, before, tasks, leaving, incremental, ended } = history
  const { antiJoin, union } = session.dialect.rows
  const shown = shape.columns.map((column) => quoteName(column.name)).join(', ')
  let { rows } = history
  const strategy =
    before && deletes && (await count(session, `SELECT count(*) AS n FROM ${leaving.sql}`)) > 0
      ? await chooseDeletes(context, session, before, tasks, leaving)
      : undefined
  if (before && strategy && strategy.rewritten.length > 0) {
    const files = tableFiles(context.storage, before, strategy.rewritten)
    const old = `(${session.tables.scanWithFiles(before.schema, files)})`
    const others = `SELECT ${shown} FROM ${antiJoin(old, leaving.sql, { using: ROW })}`
    rows = union([rows, `(${others})`])
  }
  const { output } = await writeTable(context, session, {
    name,
    ...shape,
    rows,
    removed: incremental ? (strategy?.removed ?? new Set()) : 'all',
    deletions: strategy?.deletions,
    anyOrder: true,
  })
  return { [name]: output, ...ended }
}
