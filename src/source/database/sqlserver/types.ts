import { Readable } from 'node:stream'
import type { Request } from 'mssql'
import { shortFloat } from '../../text/float-text.js'
import { isNumeral, literal } from '../conditions.js'
import type { RemoteColumn } from '../reader.js'
import { grainOf } from '../times.js'

/** Bytes that are collected before they are handed on. */
const CHUNK = 1 << 18
/**
 * Microseconds to which GETDATE() is rounded, and when a transaction began: a three-hundredth of a
 * second, and some more.
 */
export const COARSE = 10_000

/** A type without what is said about it: `decimal(12,2)`. */
export const kindOf = (type: string) => /^\w+/.exec(type)?.[0] ?? ''

export const quote = (name: string) => `[${name.replaceAll(']', ']]')}]`

/** SQL for a cursor's value (a name in SQL) as a text by which it is asked for again. */
export function cursorText({ type }: RemoteColumn, value: string): string {
  if (isCounter({ type })) return `CONVERT(varchar(30), ${value})`
  const text = valueText(value, type)
  return kindOf(type) === 'datetimeoffset' ? text.replace(/ \+ '\+00'$/, '') : text
}

/** SQL for a value as the client gives it without loss: most as a text. */
export function textSql({ name, type }: RemoteColumn): string {
  return valueText(quote(name), type)
}

function valueText(value: string, type: string): string {
  const kind = kindOf(type)
  const text = (length: number | 'max', style?: number) =>
    `CONVERT(${length === 'max' ? 'nvarchar(max)' : `varchar(${length})`}, ${value}${style === undefined ? '' : `, ${style}`})`
  // The engines have microseconds; the seventh digit is left out.
  const digits = Math.min(6, Number(/\((\d)\)/.exec(type)?.[1] ?? 7))
  const fraction = digits > 0 ? digits + 1 : 0
  if (kind === 'decimal' || kind === 'numeric') return text(41)
  if (kind === 'money' || kind === 'smallmoney') return text(41, 2)
  if (kind === 'date') return text(10, 23)
  if (kind === 'time') return text(8 + fraction, 121)
  if (kind === 'datetime2') return text(19 + fraction, 121)
  if (kind === 'datetime' || kind === 'smalldatetime') return text(23, 121)
  // A moment, whatever zone it was written in.
  if (kind === 'datetimeoffset')
    return `CONVERT(varchar(${19 + fraction}), SWITCHOFFSET(${value}, '+00:00'), 121) + '+00'`
  if (isVersion({ type })) return `CONVERT(bigint, ${value})`
  if (kind === 'xml' || kind === 'sql_variant' || kind === 'json') return text('max')
  if (kind === 'hierarchyid') return `${value}.ToString()`
  if (kind === 'geometry' || kind === 'geography') return `${value}.AsTextZM()`
  return value
}

/** A cursor's text as a value of its type. */
export function cursorValue(cursor: RemoteColumn, text: string): string {
  if (isVersion(cursor)) return `CONVERT(binary(8), CONVERT(bigint, ${BigInt(text)}))`
  if (isCounter(cursor)) return String(BigInt(text))
  const kind = kindOf(cursor.type)
  if (kind === 'date') return `CONVERT(date, N${literal(text)}, 23)`
  // Its text has milliseconds, the value three hundredths of a second: with a more exact type it
  // would be compared as 10:00:00.0066667, and be none of the rows from 10:00:00.007 on.
  if (kind === 'datetime') return `CONVERT(datetime, CONVERT(datetime2, N${literal(text)}, 121))`
  const as = kind === 'datetimeoffset' ? kind : 'datetime2'
  return `CONVERT(${as}, N${literal(text)}, 121)`
}

/** The text of a key's column as a value. */
export function keyValue(text: string, column: RemoteColumn): string {
  const kind = kindOf(column.type)
  if (isCounter(column) && isNumeral(text)) return text
  if (/^(datetime|datetime2|smalldatetime|datetimeoffset|date)$/.test(kind))
    return cursorValue(column, text.replace(/\+00$/, ''))
  if (/binary$/.test(kind)) return text.replace(/^\\x/, '0x')
  return `N${literal(text)}`
}

/** Microseconds between two values of a type of times. */
export function grainOfType(kind: string, type: string): number {
  if (kind === 'smalldatetime') return 60e6
  return Math.max(COARSE, grainOf(Number(/\((\d)\)/.exec(type)?.[1] ?? 7)))
}

export const isCounter = ({ type }: { type: string }) =>
  /^(tinyint|smallint|int|bigint)$/.test(type)
export const isVersion = ({ type }: { type: string }) =>
  type === 'timestamp' || type === 'rowversion'

/** SQL for the sum of a table's versions, which is more than a bigint may have. */
export function versionsSql(cursor: RemoteColumn): string | undefined {
  if (!isVersion(cursor)) return undefined
  const version = `CONVERT(decimal(38, 0), ${valueText(quote(cursor.name), cursor.type)})`
  return `CONVERT(varchar(40), SUM(${version}))`
}

/** A value as a field of delimited text: NULL is nothing. */
function fieldText(value: unknown, type = ''): string {
  if (value === null || value === undefined) return ''
  if (typeof value === 'string')
    return `"${value.includes('"') ? value.replaceAll('"', '""') : value}"`
  if (typeof value === 'boolean') return value ? '1' : '0'
  if (typeof value === 'number' && type === 'real') return String(shortFloat(value))
  return Buffer.isBuffer(value) ? `\\x${value.toString('hex')}` : String(value)
}

/** The records of a query as delimited text; the server waits while nobody reads. */
export function recordsOf(
  request: Request,
  sql: string,
  types: readonly string[],
): { text: Readable; ended: Promise<unknown> } {
  let part: string[] = []
  let size = 0
  let done = false
  const text = new Readable({ read: () => done || request.resume(), highWaterMark: 4 * CHUNK })
  const flush = () => {
    const more = size === 0 || text.push(Buffer.from(part.join('')))
    part = []
    size = 0
    return more
  }
  request.stream = true
  request.on('row', (row: unknown[]) => {
    const record = `${row.map((value, i) => fieldText(value, types[i])).join(',')}\n`
    part.push(record)
    size += record.length
    if (size >= CHUNK && !flush()) request.pause()
  })
  request.on('error', (error: Error) => {
    done = true
    text.destroy(error)
  })
  request.on('done', () => {
    done = true
    flush()
    text.push(null)
  })
  const ended = request.batch(sql).catch(() => {})
  return { text, ended }
}

/** SQL for the columns of a query. */
export function describeSql(query: string): string {
  return `SELECT name, system_type_name, error_number, error_message
    FROM sys.dm_exec_describe_first_result_set(N${literal(query)}, NULL, 0) WHERE COALESCE(is_hidden, 0) = 0 ORDER BY column_ordinal`
}
