import type { z } from 'zod'
import { type ColumnType, typeName } from '../define/types/column-type.js'
import { type Reading, readingOf } from '../define/types/reading.js'
import { sqlType } from '../define/types/sql-type.js'
import type { Compiling } from './functions.js'
import { decodeText } from './grammar.js'
import { inputTypeOf } from './javascript.js'
import type { Known } from './known.js'
import { meansNull } from './nulls.js'
import { isAmbiguous } from './numbers.js'
import type { Decoded } from './times.js'

/** The raw value of a column: SQL for it and the engine's name of its type. */
export interface RawColumn {
  sql: string
  sqlType: string
  /** What is known of it in all rows. */
  known?: Known
  /** It is computed by SQL of the user's, which may fail on a row. */
  computed?: boolean
  /** SQL that computing it has failed on the row. */
  failed?: string
}

/**
 * The engine's type of a column's values, where a value's usual text is one that the schema takes
 * as that value.
 */
export function valueType(schema: z.ZodType): string | undefined {
  const type = inputTypeOf(schema)
  const { formats = [], epoch, ...reading } = readingOf(schema)
  const kinds = ['int', 'bigint', 'decimal', 'date', 'timestamp', 'timestamptz']
  const isUsual = formats.length === 0 && epoch === undefined && !isAmbiguous(reading, type)
  return kinds.includes(type.kind) && isUsual ? sqlType(type) : undefined
}

/** The raw value, which is NULL also where its column was said to mean NULL. */
export function withoutNulls(
  raw: RawColumn,
  type: ColumnType,
  reading: Reading,
  on: Compiling,
): RawColumn {
  const text = raw.sqlType === 'VARCHAR' ? raw.sql : on.dialect.values.text(raw.sql)
  const words = raw.sqlType === 'VARCHAR' ? reading : ofValues(reading, isNumericSql(raw.sqlType))
  const condition = isNested(type) ? undefined : meansNull(text, type, words, on.dialect)
  if (condition === undefined) return raw
  const sql = on.bind(`CASE WHEN ${condition} THEN NULL ELSE ${raw.sql} END`)
  const { known } = raw
  return {
    ...raw,
    sql,
    ...(known ? { known: { ...known, nulls: known.nulls + 1 } } : {}),
  }
}

export function isNested(type: ColumnType): boolean {
  return type.kind === 'list' || type.kind === 'struct'
}

/** What to say of a text that is no value of the type. */
export function notOne(type: ColumnType, reading: Reading): string {
  const noun = typeName(type)
  return `not ${/^[aeiou]/.test(noun) ? 'an' : 'a'} ${noun}${readingNote(reading)}`
}

const units = { s: 'seconds', ms: 'milliseconds', us: 'microseconds', ns: 'nanoseconds' }

/** How a text had to be written, where that was said. */
function readingNote({ formats = [], epoch, decimal, group }: Reading): string {
  if (epoch !== undefined) return ` in ${units[epoch]} since 1970`
  if (formats.length > 0) return ` written as ${formats.join(' or ')}`
  const marks = [
    ...(decimal === ',' ? ["',' before decimals"] : []),
    ...(group === undefined ? [] : [`'${group}' between groups`]),
  ]
  return marks.length > 0 ? ` with ${marks.join(' and ')}` : ''
}

/** Whether values have the type already: an engine's doubles may be NaN or infinite. */
export function decodesAsIs(raw: RawColumn, type: ColumnType): boolean {
  return raw.sqlType === sqlType(type) && type.kind !== 'double'
}

/** A raw value as the schema's type: typed inputs pass when nothing can be lost, else as text. */
export function decodeRaw(
  raw: RawColumn,
  type: ColumnType,
  reading: Reading,
  on: Compiling,
): Decoded {
  const { json, values } = on.dialect
  const target = sqlType(type)
  if (isNested(type)) return { value: raw.sqlType === 'VARCHAR' ? raw.sql : json.text(raw.sql) }
  if (decodesAsIs(raw, type)) return { value: raw.sql }
  if (raw.sqlType === 'VARCHAR') return decodeText(raw.sql, type, reading, on)
  if (type.kind === 'double' && ['FLOAT', 'DOUBLE'].includes(raw.sqlType)) {
    const finite = `CASE WHEN ${values.isFinite(raw.sql)} THEN ${raw.sql} END`
    return { value: raw.sqlType === target ? finite : `CAST(${finite} AS ${target})` }
  }
  if (widens(raw.sqlType, target)) return { value: `CAST(${raw.sql} AS ${target})` }
  const words = ofValues(reading, isNumericSql(raw.sqlType))
  if (isExactly(raw.sqlType, type)) return { value: values.tryCast(raw.sql, target) }
  return decodeText(values.text(raw.sql), type, words, on)
}

const isNumericSql = (type: string) => /INT|DECIMAL|DOUBLE|FLOAT/.test(type)

/** Of what was said about texts, what goes for values whose texts the engine writes itself. */
function ofValues(reading: Reading, areNumbers: boolean): Reading {
  const { formats: _, year: _year, decimal: _decimal, group: _group, epoch, ...others } = reading
  return { ...others, ...(areNumbers && epoch ? { epoch } : {}) }
}

/**
 * Whether a value is a whole number of the type just where the cast gives one: there is nothing to
 * round.
 */
function isExactly(from: string, { kind }: ColumnType): boolean {
  return integers.includes(from) && ['int', 'bigint', 'decimal'].includes(kind)
}

const integers = ['TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT']

function widens(from: string, to: string): boolean {
  if (from === 'DATE') return to === 'TIMESTAMP'
  return integers.includes(from) && integers.indexOf(to) > integers.indexOf(from)
}
