import type { Cursor } from './cursor.js'
import { type ColumnDefinition, parseColumns, textProperties } from './define.js'

/** How lines of CSV files are read, as OpenCSVSerde does it. */
export interface CsvLayout {
  separator: string
  quote: string
  escape: string
  /** Lines at the top of each file that are no rows. */
  skip: number
}

/** A table of rows that lie in CSV files of the caller's own objects. */
export interface ExternalTable {
  kind: 'create external table'
  table: string[]
  ifNotExists: boolean
  columns: ColumnDefinition[]
  location: string
  csv: CsvLayout
}

const SERDE = 'org.apache.hadoop.hive.serde2.OpenCSVSerde'

/** What follows CREATE EXTERNAL. */
export function parseExternal(cursor: Cursor): ExternalTable {
  const { at } = cursor.token
  cursor.expect('TABLE')
  const ifNotExists = cursor.take('IF', 'NOT', 'EXISTS')
  const table = cursor.path()
  const columns = parseColumns(cursor)
  for (const one of columns)
    if (one.type.name !== 'varchar')
      throw otherwise(cursor, `the column ${one.name} of CSV files is a string`, one.at)
  const isCsv = cursor.take('ROW', 'FORMAT', 'SERDE')
  if (!isCsv || cursor.string('the name of a SerDe') !== SERDE) throw otherwise(cursor, '', at)
  const layout = cursor.take('WITH', 'SERDEPROPERTIES') ? textProperties(cursor) : new Map()
  if (cursor.take('STORED', 'AS') && !cursor.take('TEXTFILE')) throw otherwise(cursor, '', at)
  cursor.expect('LOCATION')
  const location = cursor.string("an address: 's3://…'")
  const properties = cursor.take('TBLPROPERTIES') ? textProperties(cursor) : new Map()
  const csv = layoutOf(cursor, layout, properties)
  return { kind: 'create external table', table, ifNotExists, columns, location, csv }
}

function layoutOf(
  cursor: Cursor,
  layout: ReadonlyMap<string, string>,
  properties: ReadonlyMap<string, string>,
): CsvLayout {
  const skip = properties.get('skip.header.line.count') ?? '0'
  if (!/^\d{1,9}$/.test(skip))
    throw cursor.refuse(`'skip.header.line.count' is a number, and not '${skip}'`)
  const one = (name: string, otherwise: string) => {
    const text = layout.get(name) ?? otherwise
    if (text.length !== 1) throw cursor.refuse(`'${name}' is one character, and not '${text}'`)
    return text
  }
  const known = ['separatorchar', 'quotechar', 'escapechar']
  const strange = [...layout.keys()].find((name) => !known.includes(name))
  if (strange !== undefined) throw cursor.refuse(`The property '${strange}' is not served`)
  return {
    separator: one('separatorchar', ','),
    quote: one('quotechar', '"'),
    escape: one('escapechar', '\\'),
    skip: Number(skip),
  }
}

/** Why a table of files is refused, and what to do instead. */
function otherwise(cursor: Cursor, why: string, at: number): Error {
  return cursor.refuse(
    `CREATE EXTERNAL TABLE is not served but for CSV files of strings (ROW FORMAT SERDE '${SERDE}')${why && `: ${why}`}`,
    "Read the files by a source in lake.ts, bronze('name', { from: files('…') }), or make a table and INSERT INTO it: CREATE TABLE … (…) TBLPROPERTIES ('table_type' = 'ICEBERG')",
    at,
  )
}
