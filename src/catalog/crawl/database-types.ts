import { article } from '../../define/article.js'
import type { DatabaseKind } from '../../define/source.js'
import type { FoundColumn } from './found.js'

/** A column as its database's catalog tells of it. */
interface Column {
  column: string
  type: string
  nullable: boolean
  words: readonly string[]
  comment: string
}

export const quoted = (text: string) =>
  `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\n', '\\n').replaceAll('\r', '\\r')}'`

/** The schema that reads a column; `odd` is the answer to its question. */
export function columnOf(
  kind: DatabaseKind,
  { column: name, type, nullable, words, comment }: Column,
  odd: string,
): FoundColumn {
  const found = typed(kind, type, words, odd)
  return {
    name,
    nullable: nullable || found.nulls === true,
    native: type,
    schema: found.schema,
    ...(found.note === undefined ? {} : { note: found.note }),
    ...(comment === '' ? {} : { description: comment }),
  }
}

interface Typed {
  schema: string
  /** Values of it mean NULL. */
  nulls?: boolean
  note?: string
}

function typed(kind: DatabaseKind, type: string, words: readonly string[], odd: string): Typed {
  const list = wordsOf(type) ?? words
  // A word that is none stands for values that the server did not take.
  if (list.length > 0)
    return { schema: odd === '1' ? 'z.string()' : `z.enum([${list.map(quoted).join(', ')}])` }
  const low = type.toLowerCase()
  if (isVersion(kind, low)) return { schema: 't.bigint()' }
  if (isFree(kind, low)) return freeDecimal(odd, type)
  if (kind === 'mysql' && /^tinyint\(1\)( unsigned)?$/.test(low))
    return { schema: odd === '1' ? 't.int()' : 't.boolean()' }
  if (kind === 'mysql' && odd === '1' && /^(date|datetime|timestamp)/.test(low))
    return { schema: (schemaOf(low) ?? '').replace('()', "({ zeroDates: 'null' })"), nulls: true }
  if (odd !== '' && odd !== '0')
    return {
      schema: 'z.string()',
      note: `${article(type)} with values that this type cannot hold here (${ODD[kind]}): read as text`,
    }
  // Bits are numbers in MySQL, and texts of ones and zeros in PostgreSQL.
  const schema = kind === 'postgres' && /^bit\((?!1\))/.test(low) ? undefined : schemaOf(low)
  if (schema !== undefined) return { schema }
  return TEXT.test(type)
    ? { schema: 'z.string()' }
    : { schema: 'z.string()', note: `${article(type)}, read as text` }
}

const ODD: Readonly<Record<DatabaseKind, string>> = {
  postgres: 'NaN, infinity, years BC',
  mysql: 'invalid dates',
  sqlserver: '',
}

/** The words of MySQL's enumerations, as its catalog writes them. */
function wordsOf(type: string): string[] | undefined {
  const list = /^enum\((.*)\)$/s.exec(type)?.[1]
  return list?.match(/'(?:[^']|'')*'/g)?.map((word) => word.slice(1, -1).replaceAll("''", "'"))
}

/** Whether a type is SQL Server's number of a row's version; its catalog calls it a timestamp. */
export const isVersion = (kind: DatabaseKind, type: string) =>
  kind === 'sqlserver' && /^(rowversion|timestamp)$/.test(type)

/** Whether a type is a number of any length. */
const isFree = (kind: DatabaseKind, type: string) => kind === 'postgres' && type === 'numeric'

/**
 * @param odd `digits,scale` of the longest; nothing where there are no rows, and `x` where there is
 * a NaN.
 */
function freeDecimal(odd: string, type: string): Typed {
  const [whole = 0, scale = 0] = odd.split('/').map(Number)
  if (odd === '') return { schema: 't.decimal(38, 10)', note: `${article(type)} without rows` }
  if (odd === 'x' || whole + scale > 38)
    return {
      schema: 'z.string()',
      note: `${article(type)} with more than 38 digits, or NaN: read as text`,
    }
  const room = Math.min(38, Math.max(18, whole + scale + 6))
  return { schema: `t.decimal(${room}, ${scale})` }
}

/**
 * SQL that looks whether a column has values which no type of ours has: `1` when it does, `0` or
 * nothing otherwise.
 *
 * @param name of the column, in SQL.
 */
export function questionOf(kind: DatabaseKind, name: string, type: string): string | undefined {
  const low = type.toLowerCase()
  if (kind === 'mysql') return mysqlQuestion(name, low)
  if (kind !== 'postgres' || low.endsWith('[]')) return undefined
  const any = (condition: string) => `max(CASE WHEN ${condition} THEN 1 ELSE 0 END)`
  if (low === 'numeric')
    return `CASE WHEN bool_or(${name}::text !~ '^-?[0-9.]+$') THEN 'x' ELSE max(length(trunc(abs(${name}))::text)) FILTER (WHERE ${name}::text ~ '^-?[0-9.]+$') || '/' || max(scale(${name})) END`
  if (/^(numeric|real|double)/.test(low)) return any(`${name}::text ~ '[NIa]'`)
  if (low === 'date') return any(`${name} < '0001-01-01' OR ${name} > '9999-12-31'`)
  if (/^timestamp/.test(low))
    return any(`${name} < '0001-01-02' OR ${name} > '9999-12-31 00:00:00'`)
  return undefined
}

function mysqlQuestion(name: string, type: string): string | undefined {
  const any = (condition: string) => `MAX(CASE WHEN ${condition} THEN 1 ELSE 0 END)`
  if (/^tinyint\(1\)/.test(type)) return any(`${name} NOT IN (0, 1)`)
  if (/^enum\(/.test(type)) return any(`${name} + 0 = 0`)
  if (!/^(date|datetime|timestamp)/.test(type)) return undefined
  const zero = `CAST(${name} AS CHAR) LIKE '0000-00-00%'`
  const none = `COALESCE(DATE(${name}) <> FROM_DAYS(TO_DAYS(${name})), 1) OR YEAR(${name}) = 0`
  return `GREATEST(${any(`${name} IS NOT NULL AND ${zero}`)}, 2 * ${any(`${name} IS NOT NULL AND NOT (${zero}) AND (${none})`)})`
}

const TEXT =
  /^(text|character|char|varchar|nchar|nvarchar|ntext|tinytext|mediumtext|longtext|name|citext)/i

const schemas: readonly [type: RegExp, schema: string][] = [
  [/\[\]$/, 'z.string()'],
  [/^(character|char|nchar)\(\d+\)$/, 'z.string().trim()'],
  [/^bigint.* unsigned/, 't.decimal(20, 0)'],
  [/^int.* unsigned/, 't.bigint()'],
  [/^(smallint|integer|int|tinyint|mediumint|year)\b/, 't.int()'],
  [/^bigint/, 't.bigint()'],
  [/^oid$/, 't.bigint()'],
  [/^(real|float|double)/, 't.double()'],
  [/^(boolean|bit|bit\(1\))$/, 't.boolean()'],
  [/^date$/, 't.date()'],
  [/^timestamp(\(\d\))? with time zone|^datetimeoffset/, 't.timestamptz()'],
  [/^timestamp(\(\d\))?$/, 't.timestamptz()'],
  [/^timestamp|^datetime|^smalldatetime/, 't.timestamp()'],
  [/^(uuid|uniqueidentifier)$/, 't.uuid()'],
  [/^jsonb?$/, 't.json()'],
  [/^money$/, 't.decimal(19, 4)'],
  [/^smallmoney$/, 't.decimal(10, 4)'],
]

function schemaOf(type: string): string | undefined {
  const [, precision, scale = '0'] =
    /^(?:numeric|decimal)\((\d+)(?:,\s*(-?\d+))?\)/.exec(type) ?? []
  if (precision !== undefined) {
    const [digits, after] = [Number(precision), Math.max(0, Number(scale))]
    const all = Math.max(after, digits - Math.min(0, Number(scale)))
    if (all <= 38) return `t.decimal(${all}, ${after})`
  }
  const money = /^money\((\d+)\)$/.exec(type)?.[1]
  if (money !== undefined) return `t.decimal(19, ${money})`
  const bits = /^bit\((\d+)\)$/.exec(type)?.[1]
  if (bits !== undefined && bits !== '1')
    return Number(bits) < 64 ? 't.bigint()' : 't.decimal(20, 0)'
  return schemas.find(([of]) => of.test(type))?.[1]
}
