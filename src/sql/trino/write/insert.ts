import { refuse } from '../refusal.js'
import type { TrinoType } from '../types.js'
import { asColumn, isChecked, refuseOthers } from './change.js'
import { type Context, folded, quote } from './scope.js'
import type { WrittenQuery } from './writer.js'

/** Rows that are added to a table. */
export interface Insert {
  table: readonly string[]
  at: number
  /** For which columns the values are; all, in their order, where it is not said. */
  columns?: readonly string[]
}

/**
 * A query for rows that are added, and the table's columns that they are for, as it spells them.
 */
export interface WrittenInsert {
  sql: string
  columns: readonly string[]
}

/** @throws MoraineError of kind `query` for values that are none of their columns. */
export function writeInsert(
  { table, at, columns: given }: Insert,
  { sql, fields }: WrittenQuery,
  context: Context,
): WrittenInsert {
  const { columns: all } = context.table(table, at)
  const takes = `${table.join('.')} takes: ${all.map(({ name }) => name).join(', ')}`
  const columns = (given ?? all.map(({ name }) => name)).map((name, i, names) => {
    const found = all.find((one) => folded(one.name) === folded(name))
    if (!found)
      throw refuse(context.statement, at, `Column '${name}' cannot be resolved`, `${takes}.`)
    if (names.findIndex((one) => folded(one) === folded(name)) < i)
      throw refuse(context.statement, at, `Column '${name}' is named more than once`)
    return found
  })
  if (columns.length !== fields.length)
    throw refuse(
      context.statement,
      at,
      `Insert query has ${fields.length} columns${given ? `, and not ${given.length}` : ''}, and ${takes}`,
    )
  for (const [i, column] of columns.entries())
    refuseOthers(column, { type: fields[i]?.type, at }, context)
  const types = columns.map(({ type }) => type)
  return { sql: asColumns(sql, fields, types), columns: columns.map(({ name }) => name) }
}

/**
 * The query with names of its own, where two of its columns have one, or rows are not as theirs.
 */
function asColumns(
  sql: string,
  fields: WrittenQuery['fields'],
  types: readonly (TrinoType | undefined)[],
): string {
  const names = fields.map((_, i) => quote(`c${i}`))
  const values = names.map((name, i) => {
    const of = { sql: name, type: fields[i]?.type, at: 0, isPlain: true }
    const to = types[i]
    const isOther = of.type?.of ?? (to && of.type && isChecked(to, of.type))
    return isOther ? asColumn(to, of) : name
  })
  const isUnique = new Set(fields.map(({ name }) => folded(name))).size === fields.length
  if (isUnique && values.every((value, i) => value === names[i])) return sql
  const picked = values.map((value, i) => `${value} AS ${names[i]}`)
  return `SELECT ${picked.join(', ')} FROM (${sql}) AS ${quote('m rows')}(${names.join(', ')})`
}
