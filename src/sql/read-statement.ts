import type { AnyInput, Sql } from '../define/model.js'
import { quoteName, reference, renderSql } from '../define/sql/sql.js'
import { type Fragment, inFragments } from './pointer.js'

/** What is read of a dataset. */
interface Read {
  where?: Sql
  columns?: readonly string[]
  orderBy?: Sql
  limit?: number
}

/** SQL of a program, as text. */
export const textOf = (sql: string | Sql): string =>
  typeof sql === 'string' ? sql : renderSql(sql)

/** The statement of a read; what is wrong with it is shown in what the program has written. */
export function readStatement(
  dataset: AnyInput,
  { where, columns, orderBy, limit }: Read,
): { sql: string; expressions: string[]; inOwnText(error: unknown): unknown } {
  const fragments: Fragment[] = []
  let sql = `SELECT ${columns ? columns.map(quoteName).join(', ') : '*'} FROM ${reference(dataset)}`
  const add = (word: string, given: Sql | undefined) => {
    if (!given) return
    sql += `\n${word} `
    const text = renderSql(given)
    fragments.push({ text, at: sql.length })
    sql += text
  }
  add('WHERE', where)
  add('ORDER BY', orderBy)
  if (limit !== undefined) sql += `\nLIMIT ${Math.floor(limit)}`
  const expressions = where ? [renderSql(where)] : []
  return { sql, expressions, inOwnText: (error) => inFragments(error, sql, fragments) }
}
