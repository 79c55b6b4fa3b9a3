import { quoteName } from '../../define/sql/sql.js'
import type { RemoteColumn } from '../../source/database/reader.js'
import type { Dialect } from '../../sql/dialect.js'

/** Times that have the same text in every database: from year 1 to 9999. */
const bounds: Readonly<Record<string, readonly [from: string, to: string]>> = {
  TIMESTAMP: ['0001-01-01 00:00:00', '9999-12-31 23:59:59.999999'],
  DATE: ['0001-01-01', '9999-12-31'],
  'TIMESTAMP WITH TIME ZONE': ['0001-01-01 00:00:00+00', '9999-12-31 23:59:59.999999+00'],
}

const times: readonly [type: RegExp, as: string][] = [
  [/^timestamp(\(\d\))? without time zone$/, 'TIMESTAMP'],
  [/^timestamp(\(\d\))? with time zone$/, 'TIMESTAMP WITH TIME ZONE'],
  [/^date$/, 'DATE'],
]

/**
 * Columns that can be read as values at once: the database writes their texts as the engine does.
 */
export function exactTypes(
  columns: readonly RemoteColumn[],
  requested: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const { name, type } of columns) {
    const as = requested.get(name.toLowerCase())
    const scale = /^(?:numeric|decimal)\((\d+),(\d+)\)$/.exec(type)
    const decimal = /^DECIMAL\((\d+),(\d+)\)$/i.exec(as ?? '')
    const whole = /^(tinyint|smallint|mediumint|int|integer|bigint)( unsigned)?$/.test(type)
    if (as !== undefined && whole && ['INTEGER', 'BIGINT'].includes(as)) found.set(name, as)
    else if (
      as !== undefined &&
      scale &&
      decimal &&
      scale[2] === decimal[2] &&
      Number(decimal[1]) >= Number(scale[1])
    )
      found.set(name, as)
  }
  return found
}

/** Columns that an engine which reads a database itself may have as values. */
export function directTypes(
  columns: readonly RemoteColumn[],
  requested: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  return new Map([...exactTypes(columns, requested), ...directTimes(columns, requested)])
}

function directTimes(
  columns: readonly RemoteColumn[],
  requested: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  return new Map(
    columns.flatMap(({ name, type }) => {
      const as = times.find(([of]) => of.test(type))?.[1]
      return as !== undefined && requested.get(name.toLowerCase()) === as ? [[name, as]] : []
    }),
  )
}

/**
 * SQL for columns that an engine read itself, as they are kept; values whose texts would be others
 * are refused.
 */
export function directColumns(
  columns: readonly RemoteColumn[],
  exact: ReadonlyMap<string, string>,
  { values }: Dialect,
): string {
  return columns
    .map(({ name }) => {
      const column = quoteName(name)
      const type = exact.get(name)
      if (type === undefined) return column
      const range = bounds[type]
      if (!range) return `CAST(${column} AS ${type}) AS ${column}`
      const [from, to] = range.map((text) => `${type} '${text}'`)
      const other = values.fail("'a time without a text'")
      return `CASE WHEN ${column} IS NULL OR ${column} BETWEEN ${from} AND ${to} THEN ${column} ELSE ${other} END AS ${column}`
    })
    .join(', ')
}

/** Whether all values of a database's type are whole numbers of 64 bits. */
export const isLong = (type: string) =>
  /^(bigint|(tinyint|smallint|mediumint|int|integer)( unsigned)?)$/.test(type)

/** Whether values of a type have 32 bits, in MySQL. */
export const isFloat = (type: string) => /^float\b/.test(type)
