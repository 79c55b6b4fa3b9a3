import type { DatabaseSource } from '../../define/source.js'
import type { Window } from './reader.js'

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
