import { fullName } from '../../define/dataset.js'
import type { AnyDataset } from '../../define/model.js'
import { isTime, type Retention, timeAs, timeText } from '../../define/retention.js'
import { quoteName } from '../../define/sql/sql.js'
import type { ColumnType } from '../../define/types/column-type.js'
import type { Session } from '../../engine/engine.js'
import { MoraineError } from '../../errors.js'
import type { Predicate } from '../../iceberg/spec/prune.js'
import { toColumnType } from '../../iceberg/spec/types.js'
import { decodeValue } from '../../iceberg/spec/values.js'
import type { TableVersion } from '../../iceberg/version.js'
import type { StepContext } from '../context.js'
import { tableFiles } from '../table-files.js'

type Column = TableVersion['schema']['fields'][number]

/** The column that tells how old rows are; `undefined` where the table has none that can. */
export function timeColumnOf({ schema }: TableVersion, { by }: Retention) {
  const field = schema.fields.find(({ name }) => name.toLowerCase() === by.toLowerCase())
  const type = field && toColumnType(field.type)
  return field && type && isTime(type) ? { ...field, type, iceberg: String(field.type) } : undefined
}

/** Which rows are from before a time, as SQL and for a table's files. */
export function olderThan({ name, type }: { name: string; type: ColumnType }, from: Date) {
  const files: readonly Predicate[] = [{ column: name, op: '<', values: [timeText(from, type)] }]
  return { sql: `${quoteName(name)} < ${timeAs(from, type)}`, files }
}

/**
 * The same of what must be there.
 *
 * @throws MoraineError of kind `definition` where it is not.
 */
export function timeColumn(dataset: AnyDataset, table: TableVersion, retention: Retention) {
  const column = timeColumnOf(table, retention)
  if (column) return column
  const { fields } = table.schema
  const { by } = retention
  const isThere = fields.some(({ name }) => name.toLowerCase() === by.toLowerCase())
  throw new MoraineError(
    'definition',
    `${fullName(dataset)}: keep: '${by}' is ${isThere ? 'not a date or time column' : 'not a column'}`,
    {
      place: dataset.place && { ...dataset.place, near: `'${by}'` },
      hint: `Use one of its date, timestamp or timestamptz columns: ${fields.map(({ name }) => name).join(', ')}`,
    },
  )
}

/**
 * From when the oldest row is, as the files' bounds say; those of files with deletes may be of rows
 * that are gone.
 */
export async function oldestRow(
  { storage }: StepContext,
  session: Session,
  table: TableVersion,
  column: Omit<Column, 'type'> & { iceberg: string },
): Promise<Date | undefined> {
  const tasks = await table.plan()
  const known: number[] = []
  const others = tasks.filter(({ file, deletes }) => {
    const { lower, nulls } = file.columns.get(column.id) ?? {}
    if (nulls === file.rows) return false
    if (!lower || deletes.length > 0) return true
    const value = Number(decodeValue(lower, column.iceberg))
    known.push(column.iceberg === 'date' ? value * 86_400_000 : Math.floor(value / 1000))
    return false
  })
  if (others.length > 0) {
    const files = session.tables.scan(table.schema, tableFiles(storage, table, others))
    const { millis } = session.dialect.times
    const [row] = await session.rows(
      `SELECT ${millis(`CAST(min(${quoteName(column.name)}) AS TIMESTAMP)`)} AS t FROM (${files})`,
    )
    if (row?.t !== null && row?.t !== undefined) known.push(Number(row.t))
  }
  return known.length > 0 ? new Date(known.reduce((a, b) => Math.min(a, b))) : undefined
}
