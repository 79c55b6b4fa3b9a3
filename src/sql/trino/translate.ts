import type { ChangeStatement } from './parse/change.js'
import { cursorOver } from './parse/parse.js'
import type { Query } from './parse/tree.js'
import { refuse } from './refusal.js'
import { type WrittenChange, writeChange } from './write/change.js'
import { writeExpression } from './write/expression.js'
import { type Insert, type WrittenInsert, writeInsert } from './write/insert.js'
import { writeQuery } from './write/query.js'
import type { Context, Named, Scope } from './write/scope.js'
import { asShown } from './write/shown.js'
import type { QueryWriter, WrittenQuery } from './write/writer.js'

export interface TranslateOptions extends Pick<Context, 'table'> {
  /** What stands for each `?`, as it would be written in the statement. */
  parameters?: readonly string[]
}

/**
 * A query in Trino's dialect as DuckDB has it: with the same rows, or refused.
 *
 * @throws MoraineError of kind `query` for what is not translated, with its name and its place.
 */
export function translateTrino(
  statement: string,
  { table, parameters = [] }: TranslateOptions,
): WrittenQuery {
  const cursor = cursorOver(statement, parameters)
  const query = cursor.query()
  cursor.end()
  return translateQuery(query, { statement, table })
}

/** A query that was parsed, as a part of a statement. */
export function translateQuery(query: Query, context: Context): WrittenQuery {
  const writer = writerOf(context, () => {
    throw refuse(context.statement, 0, 'A query stands where none may')
  })
  return writer.whole(query, { fields: [] }, new Map())
}

/** A query whose values are shown as Athena shows them. */
export function translateShown(query: Query, context: Context): WrittenQuery {
  const written = translateQuery(query, context)
  return { ...written, sql: asShown(written, context) }
}

/** @param query writes queries that stand outside of a whole one. */
function writerOf(context: Context, query: QueryWriter['query']): QueryWriter {
  const writer: QueryWriter = {
    ...context,
    whole: (one: Query, outer: Scope, named: Named) => writeQuery(one, outer, named, writer),
    write: writeExpression,
    query,
  }
  return writer
}

/** Rows that are added to a table, as a query for them. */
export function translateInsert(
  insert: Insert & { query: Query },
  context: Context,
): WrittenInsert {
  return writeInsert(insert, translateQuery(insert.query, context), context)
}

/** A change of rows that was parsed, as a query for what is done with which of them. */
export function translateChange(change: ChangeStatement, context: Context): WrittenChange {
  const writer = writerOf(context, (query, outer) => {
    const { sql, fields } = writer.whole(query, outer, new Map())
    return { sql, types: fields.map(({ type }) => type) }
  })
  return writeChange(change, writer)
}
