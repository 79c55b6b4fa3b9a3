import { fullName } from '../../define/dataset.js'
import type { Silver } from '../../define/model.js'
import { quoteName, quoteText } from '../../define/sql/sql.js'
import type { Relation, Session } from '../../engine/engine.js'
import { pathsOf, type ScanTask } from '../../iceberg/deletes.js'
import type { TableVersion } from '../../iceberg/version.js'
import { type StepContext, withSession } from '../../step/context.js'
import { tableFiles } from '../../step/table-files.js'
import type { StepOutput, TableOutput } from '../../step/task/output.js'
import type { LosingTable, PlacesPart } from '../../step/task/task.js'
import { shapedTable, writeTable } from '../../step/write-table.js'
import type { Work } from '../stages.js'
import { placesIn } from './scratch.js'

/** Has files lose rows: they are written again without them, or list them as deleted. */
export async function loseRows(
  context: StepContext,
  dataset: Silver,
  { tables }: PlacesPart,
): Promise<StepOutput> {
  return withSession(context, fullName(dataset), async (session) => {
    const found: Record<string, TableOutput> = {}
    for (const [name, losing] of Object.entries(tables))
      found[name] = await loseOf(context, session, name, losing)
    return { tables: found, result: {} }
  })
}

async function loseOf(
  context: StepContext,
  session: Session,
  name: string,
  { shape, places, rewritten, listed }: LosingTable,
): Promise<TableOutput> {
  const table = await shapedTable(context, name, shape)
  const files = [...rewritten, ...listed].map(({ file }) => file)
  const leaving = await placesIn({ context, session }, table, places, files)
  const nameOf = ({ file }: ScanTask) =>
    session.tables.fileName(context.storage.locate(table.pathOf(file.path)))
  const deletions = listed.map((task) => ({
    task,
    places: `SELECT _data_row AS pos FROM ${leaving.sql} WHERE _data_file = ${quoteText(nameOf(task))}`,
  }))
  const oldLists = listed.flatMap(({ deletes }) => deletes.map(({ path }) => path))
  const { output } = await writeTable(context, session, {
    name,
    ...shape,
    rows:
      rewritten.length > 0
        ? rowsThatStay({ context, session }, table, rewritten, leaving)
        : undefined,
    removed: new Set([...pathsOf(rewritten), ...oldLists]),
    deletions,
    anyOrder: true,
  })
  return output
}

function rowsThatStay(
  { context, session }: Pick<Work, 'context' | 'session'>,
  table: TableVersion,
  tasks: readonly ScanTask[],
  leaving: Relation,
): string {
  const names = table.schema.fields.map(({ name }) => quoteName(name)).join(', ')
  const old = session.tables.scanWithFiles(table.schema, tableFiles(context.storage, table, tasks))
  const { antiJoin } = session.dialect.rows
  return `SELECT ${names} FROM ${antiJoin(`(${old})`, leaving.sql, { using: '_data_file, _data_row' })}`
}
