import type { QueryRequest } from '../../../../query/service/request.js'
import type { TableRef } from '../../../../sql/guard.js'
import type { ChangeStatement } from '../../../../sql/trino/parse/change.js'
import type { Query } from '../../../../sql/trino/parse/tree.js'
import type { Statement } from '../../../../sql/trino/statement.js'
import type { WrittenChange } from '../../../../sql/trino/write/change.js'
import type { StoredFiles } from '../results/stored-files.js'
import type { Tables } from '../tables.js'

type Insert = Extract<Statement, { kind: 'insert' }>

/** What a statement that writes finds around it. */
export interface Site {
  tables: Tables
  ask: (query: Query) => QueryRequest
  /** Rows for a table, and which of its columns they are for. */
  askInsert: (insert: Insert) => { request: QueryRequest; columns: readonly string[] }
  askChange: (
    change: ChangeStatement,
    places: TableRef,
  ) => { request: QueryRequest; change: WrittenChange }
  text: string
  /** What the statement stores for its client. */
  stored: StoredFiles
  done: Done
}

/** What becomes of a statement that writes. */
export interface Done {
  /** How many rows it has changed. */
  rows: number | undefined
  /** Whether the lake has what it wrote: it has succeeded then, whatever happens. */
  isCommitted: boolean
}
