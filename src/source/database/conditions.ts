import type { DatabaseSource } from '../../define/source.js'
import type { Census, Horizon, Reader, RemoteColumn, Window } from './reader.js'

/** What a source reads, as SQL says it after FROM. */
export function relationOf({ reads }: DatabaseSource): string {
  return 'table' in reads ? reads.table : `(${reads.query}) AS q`
}

/** The condition of a source and others, as a WHERE clause with a space before it. */
export function whereOf({ where }: DatabaseSource, conditions: readonly string[]): string {
  const all = [...(where === undefined ? [] : [where]), ...conditions]
  return all.length > 0 ? ` WHERE ${all.map((condition) => `(${condition})`).join(' AND ')}` : ''
}

/** A text in SQL. */
export const literal = (text: string) => `'${text.replaceAll("'", "''")}'`

/** The condition of a window over a column; `toSql` says a cursor's text as SQL. */
export function windowOf(
  name: string,
  { from, until }: Window,
  toSql: (text: string) => string,
): string {
  const parts = [
    ...(from === undefined ? [] : [`${name} >= ${toSql(from)}`]),
    ...(until === undefined ? [] : [`${name} < ${toSql(until)}`]),
  ]
  return parts.length > 0 ? parts.join(' AND ') : `${name} IS NOT NULL`
}

/** The rows that are read again each time: from a cursor's value on, and those without one. */
export function openRows(reader: Conditions, cursor: RemoteColumn, from: string | null): string {
  const since = reader.windowSql(cursor, from === null ? {} : { from })
  return `(${since}) OR (${reader.nullSql(cursor)})`
}

type Conditions = Pick<Reader, 'windowSql' | 'nullSql'>

/** What is counted: rows that a cursor gives from a value on, by what a horizon says of it. */
interface Counted {
  source: DatabaseSource
  cursor: RemoteColumn
  from: string | null
  horizon: Pick<Horizon, 'bound' | 'later'>
  /** SQL for the sum of a cursor's values, where each change of a row moves its own on. */
  versions: string | undefined
}

/**
 * SQL that counts the rows which a cursor gives from a value on: how many, how many of them lie
 * after now, how many have none, the newest below the horizon's bound, and the newest of all. Where
 * a cursor's values say nothing of that, the last two are left out, and the sum of them stands
 * there where that tells of changes.
 *
 * @param column the cursor's name in SQL.
 * @param toText SQL for a value of the cursor as a text.
 */
export function censusSql(
  reader: Conditions,
  { source, cursor, from, horizon: { bound, later }, versions }: Counted,
  column: string,
  toText: (value: string) => string,
): string {
  const among = `FROM ${relationOf(source)}${whereOf(source, [openRows(reader, cursor, from)])}`
  if (bound === undefined) {
    const sum = versions === undefined ? '' : `, NULL AS b, NULL AS m, ${versions} AS v`
    return `SELECT count(*) AS n, 0 AS l, 0 AS e${sum} ${among}`
  }
  const below = reader.windowSql(cursor, { until: bound })
  const after = later === undefined ? undefined : reader.windowSql(cursor, { from: later })
  const counts = `count(*) AS n, ${after ? `count(CASE WHEN ${after} THEN 1 END)` : '0'} AS l, count(*) - count(${column}) AS e`
  return `SELECT q.n, q.l, q.e, ${toText('q.b')} AS b, ${toText('q.m')} AS m
    FROM (SELECT ${counts}, max(CASE WHEN ${below} THEN ${column} END) AS b, max(${column}) AS m ${among}) AS q`
}

/** A row of it as what it says. */
export function censusOf([rows, later, empty, newest, last, versions]: readonly unknown[]): Census {
  return {
    rows: Number(rows),
    later: Number(later),
    empty: Number(empty),
    ...(newest == null ? {} : { newest: String(newest) }),
    ...(last == null ? {} : { last: String(last) }),
    ...(versions == null ? {} : { versions: String(versions) }),
  }
}

/** The condition that rows have one of several keys; `toSql` says a column's text as SQL. */
export function amongKeys(
  columns: readonly RemoteColumn[],
  keys: readonly (readonly string[])[],
  quote: (name: string) => string,
  toSql: (text: string, column: RemoteColumn) => string,
): string {
  const [only, ...more] = columns
  if (only && more.length === 0)
    return `${quote(only.name)} IN (${keys.map(([text = '']) => toSql(text, only)).join(', ')})`
  const same = (key: readonly string[]) =>
    columns.map((column, i) => `${quote(column.name)} = ${toSql(key[i] ?? '', column)}`)
  return keys.map((key) => `(${same(key).join(' AND ')})`).join(' OR ')
}

/** Whether a text can stand in SQL as a number does. */
export const isNumeral = (text: string) => /^-?\d+(\.\d+)?$/.test(text)
