import {
  type ChangeStatement,
  parseDelete,
  parseMerge,
  parseUpdate,
  type Target,
  targetOf,
} from './parse/change.js'
import type { Cursor } from './parse/cursor.js'
import {
  type DefineStatement,
  parseAlter,
  parseColumnsOfTable,
  parseRepair,
} from './parse/define.js'
import { type ExternalTable, parseExternal } from './parse/external.js'
import { cursorOver } from './parse/parse.js'
import type { Expression, Query } from './parse/tree.js'

/** The value of a property: `format = 'PARQUET'`. */
export type Property = string | number | boolean | readonly string[]

/** What clients of Athena send: a query, or what is asked or done beside queries. */
export type Statement =
  | { kind: 'query'; query: Query }
  | { kind: 'explain'; analyze: boolean; query: Query }
  | { kind: 'show databases'; like?: string }
  | { kind: 'show tables'; schema?: string[]; like?: string }
  | { kind: 'show views'; schema?: string[]; like?: string }
  | {
      kind:
        | 'show columns'
        | 'describe'
        | 'show partitions'
        | 'show create table'
        | 'show create view'
        | 'show tblproperties'
      table: string[]
    }
  | {
      kind: 'create table as'
      table: string[]
      ifNotExists: boolean
      properties: Map<string, Property>
      query: Query
      noData: boolean
    }
  | {
      kind: 'create view'
      name: string[]
      replace: boolean
      query: Query
      /** The query, as it was written. */
      text: string
    }
  | ExternalTable
  | { kind: 'insert'; table: string[]; at: number; columns?: string[]; query: Query }
  | { kind: 'unload'; query: Query; to: string; properties: Map<string, Property> }
  | { kind: 'drop table' | 'drop view'; name: string[]; ifExists: boolean }
  | { kind: 'drop schema'; name: string[]; ifExists: boolean; cascade: boolean }
  | { kind: 'create schema'; name: string[]; ifNotExists: boolean }
  | { kind: 'prepare'; name: string; text: string }
  | { kind: 'execute'; name: string; values: string[] }
  | { kind: 'deallocate'; name: string }
  | ChangeStatement
  | DefineStatement
  | { kind: 'optimize'; target: Target; where?: Expression }
  | { kind: 'vacuum'; table: string[] }

export interface ParsedStatement {
  statement: Statement
  /** As it came, for messages. */
  text: string
}

/**
 * @param parameters what stands for each `?`, as it would be written in the statement.
 * @throws MoraineError of kind `query` for a statement that is not served, by its name.
 */
export function parseStatement(text: string, parameters: readonly string[] = []): ParsedStatement {
  const cursor = cursorOver(text, parameters)
  const statement = statementOf(cursor)
  if (statement.kind !== 'prepare') cursor.end()
  return { statement, text }
}

/** What begins statements of Athena or Trino that are not served. */
const NOT_SERVED =
  `ANALYZE CALL COMMENT COMMIT DENY EXPORT GRANT IMPORT LOAD LOCK REFRESH RESET REVOKE
  ROLLBACK SET START TRUNCATE USE`.split(/\s+/)

const QUERIES = ['SELECT', 'WITH', 'VALUES', 'TABLE']

function statementOf(cursor: Cursor): Statement {
  if (cursor.atAny(QUERIES) || cursor.isSymbol('(')) return { kind: 'query', query: cursor.query() }
  const { text, at, raw } = cursor.token
  const found = Object.hasOwn(words, text) ? words[text] : undefined
  if (cursor.token.kind !== 'word' || !found)
    throw cursor.refuse(
      NOT_SERVED.includes(text)
        ? `${raw.slice(0, 40)} is not served`
        : `mismatched input '${raw.slice(0, 40)}'. Expecting: a statement`,
      'Served are SELECT, SHOW, DESCRIBE, EXPLAIN, CREATE TABLE, CREATE VIEW, ALTER TABLE, INSERT INTO, UPDATE, DELETE, MERGE, OPTIMIZE, VACUUM, UNLOAD, DROP, PREPARE and EXECUTE.',
      at,
    )
  cursor.next()
  return found(cursor)
}

const words: Readonly<Record<string, (cursor: Cursor) => Statement>> = {
  EXPLAIN: explain,
  SHOW: show,
  DESCRIBE: describe,
  DESC: describe,
  CREATE: create,
  INSERT: insert,
  UPDATE: parseUpdate,
  DELETE: parseDelete,
  MERGE: parseMerge,
  OPTIMIZE: optimize,
  VACUUM: (cursor) => ({ kind: 'vacuum', table: cursor.path() }),
  ALTER: parseAlter,
  MSCK: parseRepair,
  UNLOAD: unload,
  DROP: drop,
  PREPARE: (cursor) => {
    const name = cursor.name()
    cursor.expect('FROM')
    return { kind: 'prepare', name, text: cursor.sql.slice(cursor.token.at).replace(/;\s*$/, '') }
  },
  EXECUTE: (cursor) => {
    const name = cursor.name()
    if (!cursor.take('USING')) return { kind: 'execute', name, values: [] }
    const values = cursor.list(() => {
      const from = cursor.token.at
      cursor.expression()
      return cursor.sql.slice(from, cursor.token.at).trim()
    })
    return { kind: 'execute', name, values }
  },
  DEALLOCATE: (cursor) => {
    cursor.take('PREPARE')
    return { kind: 'deallocate', name: cursor.name() }
  },
}

function explain(cursor: Cursor): Statement {
  const analyze = cursor.take('ANALYZE')
  if (cursor.isSymbol('(') && !QUERIES.includes(cursor.ahead().text))
    throw cursor.refuse('EXPLAIN takes no options here')
  return { kind: 'explain', analyze, query: cursor.query() }
}

function likeOf(cursor: Cursor): { like?: string } {
  const isLike = cursor.take('LIKE') || cursor.token.kind === 'string'
  return isLike ? { like: cursor.string() } : {}
}

function show(cursor: Cursor): Statement {
  const inSchema = () => (cursor.take('IN') || cursor.take('FROM') ? { schema: cursor.path() } : {})
  const table = () => {
    if (!cursor.take('IN')) cursor.take('FROM')
    return cursor.path()
  }
  if (cursor.take('DATABASES') || cursor.take('SCHEMAS')) {
    inSchema()
    return { kind: 'show databases', ...likeOf(cursor) }
  }
  for (const kind of ['tables', 'views'] as const)
    if (cursor.take(kind.toUpperCase()))
      return { kind: `show ${kind}`, ...inSchema(), ...likeOf(cursor) }
  if (cursor.take('COLUMNS')) {
    const name = table()
    // `SHOW COLUMNS IN table IN database`
    const database = cursor.take('IN') || cursor.take('FROM') ? cursor.path() : []
    return { kind: 'show columns', table: [...database, ...name] }
  }
  if (cursor.take('PARTITIONS')) return { kind: 'show partitions', table: cursor.path() }
  if (cursor.take('TBLPROPERTIES')) return { kind: 'show tblproperties', table: cursor.path() }
  if (cursor.take('CREATE', 'TABLE')) return { kind: 'show create table', table: cursor.path() }
  if (cursor.take('CREATE', 'VIEW')) return { kind: 'show create view', table: cursor.path() }
  throw cursor.refuse(`SHOW ${cursor.token.raw} is not served`)
}

function describe(cursor: Cursor): Statement {
  if (!cursor.take('EXTENDED')) cursor.take('FORMATTED')
  return { kind: 'describe', table: cursor.path() }
}

function create(cursor: Cursor): Statement {
  if (cursor.take('SCHEMA') || cursor.take('DATABASE')) {
    const ifNotExists = cursor.take('IF', 'NOT', 'EXISTS')
    const name = cursor.path()
    if (cursor.at('LOCATION') || cursor.at('COMMENT') || cursor.at('WITH'))
      throw cursor.refuse('A database has no location and no properties of its own here')
    return { kind: 'create schema', name, ifNotExists }
  }
  if (cursor.take('EXTERNAL')) return parseExternal(cursor)
  const replace = cursor.take('OR', 'REPLACE')
  if (cursor.take('VIEW')) return createView(cursor, replace)
  if (replace || !cursor.take('TABLE'))
    throw cursor.refuse(
      `CREATE ${cursor.token.raw.slice(0, 40)} is not served`,
      'Create tables by CREATE TABLE … AS SELECT …, and views by CREATE VIEW … AS SELECT …; files of others are read by a source in lake.ts.',
    )
  const ifNotExists = cursor.take('IF', 'NOT', 'EXISTS')
  const table = cursor.path()
  if (cursor.isSymbol('(')) return parseColumnsOfTable(cursor, table, ifNotExists)
  const properties = cursor.take('WITH') ? propertiesOf(cursor) : new Map<string, Property>()
  cursor.expect('AS')
  const query = cursor.query()
  const noData = cursor.take('WITH', 'NO', 'DATA')
  if (!noData) cursor.take('WITH', 'DATA')
  return { kind: 'create table as', table, ifNotExists, properties, query, noData }
}

function createView(cursor: Cursor, replace: boolean): Statement {
  const name = cursor.path()
  cursor.expect('AS')
  const { at } = cursor.token
  const query = cursor.query()
  return { kind: 'create view', name, replace, query, text: cursor.sql.slice(at, cursor.token.at) }
}

function propertiesOf(cursor: Cursor): Map<string, Property> {
  const found = new Map<string, Property>()
  cursor.inBrackets(() =>
    cursor.list(() => {
      const name = cursor.name('the name of a property').toLowerCase()
      cursor.expectSymbol('=')
      found.set(name, propertyValue(cursor))
    }),
  )
  return found
}

function propertyValue(cursor: Cursor): Property {
  if (cursor.take('TRUE')) return true
  if (cursor.take('FALSE')) return false
  if (cursor.take('ARRAY')) {
    cursor.expectSymbol('[')
    const items = cursor.isSymbol(']') ? [] : cursor.list(() => cursor.string())
    cursor.expectSymbol(']')
    return items
  }
  if (cursor.token.kind === 'integer') return Number(cursor.next().text)
  return cursor.string('the value of a property')
}

function insert(cursor: Cursor): Statement {
  cursor.expect('INTO')
  const { at } = cursor.token
  const table = cursor.path()
  const isList =
    cursor.isSymbol('(') && !QUERIES.includes(cursor.ahead().text) && !cursor.isSymbol('(', 1)
  const columns = isList ? cursor.inBrackets(() => cursor.list(() => cursor.name())) : undefined
  return { kind: 'insert', table, at, ...(columns ? { columns } : {}), query: cursor.query() }
}

function unload(cursor: Cursor): Statement {
  const query = cursor.inBrackets(() => cursor.query())
  cursor.expect('TO')
  const to = cursor.string("an address: 's3://…'")
  const properties = cursor.take('WITH') ? propertiesOf(cursor) : new Map<string, Property>()
  return { kind: 'unload', query, to, properties }
}

function optimize(cursor: Cursor): Statement {
  const target = targetOf(cursor)
  cursor.expect('REWRITE', 'DATA', 'USING', 'BIN_PACK')
  const where = cursor.take('WHERE') ? { where: cursor.expression() } : {}
  return { kind: 'optimize', target, ...where }
}

function drop(cursor: Cursor): Statement {
  const kinds = {
    TABLE: 'drop table',
    VIEW: 'drop view',
    SCHEMA: 'drop schema',
    DATABASE: 'drop schema',
  } as const
  for (const [word, kind] of Object.entries(kinds))
    if (cursor.take(word)) {
      const ifExists = cursor.take('IF', 'EXISTS')
      const name = cursor.path()
      if (kind !== 'drop schema') return { kind, name, ifExists }
      const cascade = cursor.take('CASCADE')
      if (!cascade) cursor.take('RESTRICT')
      return { kind, name, ifExists, cascade }
    }
  throw cursor.refuse(`DROP ${cursor.token.raw} is not served`)
}
