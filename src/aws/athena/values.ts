import { type ColumnType, type Field, typeName } from '../../define/types/column-type.js'
import type { ResultRow, RowValue } from '../../engine/engine.js'
import { MoraineError } from '../../errors.js'
import type { AthenaAnswer, AthenaColumn } from './run-query.js'

/** The kinds of a column's type, as Athena calls them: API_ColumnInfo has Hive's and Presto's. */
const kinds: Readonly<Record<string, string>> = {
  boolean: 'boolean',
  tinyint: 'int',
  smallint: 'int',
  integer: 'int',
  int: 'int',
  bigint: 'bigint',
  float: 'float',
  real: 'float',
  double: 'double',
  decimal: 'decimal',
  varchar: 'string',
  char: 'string',
  string: 'string',
  date: 'date',
  timestamp: 'timestamp',
  'timestamp with time zone': 'timestamptz',
  varbinary: 'binary',
}

/** Columns whose values have a text of their own in Athena's answers. */
const texts = ['string', 'json', 'uuid']

/**
 * The rows of an answer with the values that a query of the lake gives for the same columns.
 *
 * @throws MoraineError of kind `engine` for a column of another type than the query has here.
 */
export function rowsOf({ columns, rows }: AthenaAnswer, fields: readonly Field[]): ResultRow[] {
  if (columns.length !== fields.length)
    throw new MoraineError(
      'engine',
      `Athena gave ${columns.length} columns, and the query has ${fields.length}`,
    )
  const readers = fields.map((field, i) => readerOf(field, columns[i] as AthenaColumn))
  return rows.map((row) =>
    Object.fromEntries(
      fields.map(({ name }, i) => {
        const text = row[i]
        return [name, text === undefined ? null : (readers[i] as Reader)(text)]
      }),
    ),
  )
}

type Reader = (text: string) => RowValue

function readerOf({ name, type }: Field, column: AthenaColumn): Reader {
  const given = kinds[column.type.toLowerCase()]
  const wanted = texts.includes(type.kind) ? 'string' : type.kind
  const isSame =
    given === wanted &&
    (type.kind !== 'decimal' ||
      (column.precision === type.precision && column.scale === type.scale))
  if (!isSame)
    throw new MoraineError(
      'engine',
      `Athena gives '${name}' as ${column.type}${given === 'decimal' ? `(${column.precision},${column.scale})` : ''}, and the query has ${typeName(type)}`,
      { hint: `Leave the column out, or cast it in the SQL.` },
    )
  return reading(name, type)
}

function reading(name: string, type: ColumnType): Reader {
  const read = readers[type.kind]
  return (text) => {
    const value = read?.(text)
    if (value !== undefined) return value
    throw new MoraineError('engine', `Athena gives '${text}' for '${name}', a ${typeName(type)}`)
  }
}

const number: (text: string) => RowValue | undefined = (text) => {
  const special = { NaN: Number.NaN, Infinity: Number.POSITIVE_INFINITY, '-Infinity': -1 / 0 }[text]
  if (special !== undefined) return special
  return /^-?\d+(\.\d+)?(E-?\d+)?$/i.test(text) ? Number(text) : undefined
}

/** How texts of Athena are read; nothing for those that are no value of the type. */
const readers: Readonly<Record<string, (text: string) => RowValue | undefined>> = {
  boolean: (text) => (text === 'true' ? true : text === 'false' ? false : undefined),
  int: (text) => (/^-?\d+$/.test(text) ? Number(text) : undefined),
  bigint: (text) => (/^-?\d+$/.test(text) ? BigInt(text) : undefined),
  float: number,
  double: number,
  decimal: (text) => (/^-?\d+(\.\d+)?$/.test(text) ? text : undefined),
  string: (text) => text,
  json: (text) => text,
  uuid: (text) => text,
  date: (text) => (/^\d{4}-\d\d-\d\d$/.test(text) ? text : undefined),
  timestamp: (text) => timeOf(/^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,12}))?$/.exec(text)),
  timestamptz: (text) =>
    timeOf(/^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,12}))? (?:UTC|\+00:00)$/.exec(text)),
  // Bytes with spaces between them.
  binary: (text) =>
    /^([0-9a-f]{2}( |$))*$/i.test(text)
      ? Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'))
      : undefined,
}

/** An ISO text with microseconds; nothing for a time that has more. */
function timeOf(match: RegExpExecArray | null): string | undefined {
  const [, date, time, fraction = ''] = match ?? []
  if (date === undefined || /[1-9]/.test(fraction.slice(6))) return undefined
  return `${date}T${time}.${fraction.slice(0, 6).padEnd(6, '0')}Z`
}
