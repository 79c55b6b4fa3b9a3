import { mayBeItsBytes } from '../bronze/quarantine/blame.js'
import { quoteName, quoteText } from '../define/sql/sql.js'
import type { Session } from '../engine/engine.js'
import { messageOf } from '../errors.js'
import type { ColumnStatistics, DataFile } from '../iceberg/spec/manifest.js'
import { positionsSchema } from '../iceberg/spec/positions.js'
import type { Schema } from '../iceberg/spec/types.js'
import { compareValues, decodeValue, parseValue } from '../iceberg/spec/values.js'
import type { ReadDeep } from '../log/verify/damage.js'
import { isPassing } from '../storage/passing.js'

/**
 * Reads every value of a data file, and holds rows, NULLs and bounds against what manifests say.
 */
export function deepReader(session: Session): ReadDeep {
  return async (location, rows, table) => {
    try {
      if (!table) {
        await session.files.hold([{ location }])
        return await readWhole(session, session.files.batches([{ location }]), rows)
      }
      if (table.file.content === 'position deletes')
        return await readPositions(session, location, table.file)
      return await readFile(session, location, rows, table)
    } catch (error) {
      if (isPassing(error) || !mayBeItsBytes(error)) throw error
      return [`it can't be read: ${messageOf(error)}`]
    }
  }
}

async function readWhole(session: Session, relation: string, rows: number): Promise<string[]> {
  const [found] = await session.rows(
    `SELECT count(*) AS n, ${session.dialect.aggregates.checksum('r')} AS h FROM (${relation}) AS r`,
  )
  return sameRows(Number(found?.n), rows)
}

/**
 * Reads a list of deleted rows: each place comes once, and all are in the file that it is about.
 */
async function readPositions(
  session: Session,
  location: string,
  { rows, referenced }: DataFile,
): Promise<string[]> {
  const path = referenced === undefined ? 'file_path' : quoteText(referenced)
  const [found] = await session.rows(
    `SELECT count(DISTINCT (file_path, pos)) AS n, count(*) FILTER (WHERE file_path <> ${path}) AS others
     FROM (${session.tables.scan(positionsSchema, [{ location }])})`,
  )
  return [
    ...sameRows(Number(found?.n), rows),
    ...(found?.others === 0n ? [] : ['it lists rows of other files than the manifest says']),
  ]
}

function sameRows(found: number, rows: number): string[] {
  return found === rows ? [] : [`it has ${found} rows instead of ${rows}`]
}

async function readFile(
  session: Session,
  location: string,
  rows: number,
  { schema, file }: { schema: Schema; file: DataFile },
): Promise<string[]> {
  const relation = session.tables.scan(schema, [{ location }])
  const columns = schema.fields.flatMap((field) => {
    const statistics = file.columns.get(field.id)
    return typeof field.type === 'string' && statistics
      ? [{ name: field.name, type: field.type, statistics }]
      : []
  })
  const measured = columns.map(({ name, type }, i) => {
    const column = quoteName(name)
    const value = /^(float|double)$/.test(type)
      ? `CASE WHEN NOT ${session.dialect.values.isNaN(column)} THEN ${column} END`
      : column
    return `, count(${column}) AS n${i}, CAST(min(${value}) AS VARCHAR) AS l${i}, CAST(max(${value}) AS VARCHAR) AS u${i}`
  })
  const [found] = await session.rows(
    `SELECT count(*) AS n, ${session.dialect.aggregates.checksum('r')} AS h${measured.join('')} FROM (${relation}) AS r`,
  )
  const wrong = columns.flatMap(({ name, type, statistics }, i) => {
    const text = (key: string) => found?.[`${key}${i}`] as string | null
    const nulls = rows - Number(found?.[`n${i}`])
    return [
      ...(statistics.nulls !== undefined && statistics.nulls !== nulls
        ? [`${name} has ${nulls} NULLs instead of ${statistics.nulls}`]
        : []),
      ...outside(name, type, statistics, text('l'), text('u')),
    ]
  })
  return [...sameRows(Number(found?.n), rows), ...wrong]
}

/** Whether the values lie within the bounds that the manifest gives. */
function outside(
  name: string,
  type: string,
  { lower, upper }: ColumnStatistics,
  least: string | null,
  greatest: string | null,
): string[] {
  const [low, high] = [least, greatest].map((t) => (t === null ? undefined : parseValue(t, type)))
  const below = low !== undefined && lower && compareValues(low, decodeValue(lower, type)) < 0
  const above = high !== undefined && upper && compareValues(high, decodeValue(upper, type)) > 0
  return below || above ? [`${name} has values outside the bounds in the manifest`] : []
}
