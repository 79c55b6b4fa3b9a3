import { fullName } from '../define/dataset.js'
import type { Gold, Silver } from '../define/model.js'
import { keptFrom, retentionOf } from '../define/retention.js'
import { quoteName } from '../define/sql/sql.js'
import { countOf } from '../define/thousands.js'
import { count } from '../engine/count.js'
import type { ScanTask } from '../iceberg/deletes.js'
import { hasSeenTable } from '../plan/offsets.js'
import { isHeld, type RunContext, withSession } from '../step/context.js'
import { type PartOfFile, tableFiles } from '../step/table-files.js'
import { olderThan, timeColumnOf } from '../step/task/time-column.js'
import { compareTasks } from './driving-input.js'

/**
 * What a run says of rows that expire before gold has read them: its partitions are final without
 * them. Asked before the table's new version is shown to later steps.
 */
export async function unreadNotes(
  context: RunContext,
  dataset: Silver | Gold,
): Promise<readonly string[]> {
  const { lake, relations, storage, started } = context
  const { view } = relations
  const name = fullName(dataset)
  const retention = retentionOf(dataset)
  if (!retention) return []
  const behind = lake.datasets
    .map(fullName)
    .filter((reader) => view.tables[reader]?.expiringInputs?.includes(name))
    .filter((reader) => !hasSeenTable(view.offsets[reader]?.[name], name, view))
  if (behind.length === 0 || isHeld(context)) return []
  const table = await relations.table(name)
  const column = table && timeColumnOf(table, retention)
  if (!column) return []
  const { sql, files } = olderThan(column, keptFrom(retention, started))
  const now = await table.plan(files)
  const names = table.schema.fields.map((field) => quoteName(field.name)).join(', ')
  return withSession(context, name, async (session) => {
    const rows = (tasks: readonly PartOfFile[]) =>
      `SELECT ${names} FROM (${session.tables.scan(table.schema, tableFiles(storage, table, tasks))}) WHERE ${sql}`
    const notes: string[] = []
    for (const reader of now.length > 0 ? behind : []) {
      const last = await relations.earlier(String(view.offsets[reader]?.[name]))
      const before: readonly ScanTask[] = last ? await last.plan(files) : []
      const { gone, added } = compareTasks(before, now)
      const unread = `SELECT count(*) AS n FROM (${rows(added)} EXCEPT ALL ${rows(gone)})`
      const n = added.length > 0 ? await count(session, unread) : 0
      const most = last ? '' : 'up to '
      if (n > 0)
        notes.push(
          `${most}${countOf(n, 'row')} expired before ${reader} had read ${n === 1 ? 'it' : 'them'}`,
        )
    }
    return notes
  })
}
