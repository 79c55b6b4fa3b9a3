import type { Action, Row } from './deeds.js'

/** How a dialect differs from others. */
export interface Dialect {
  /** What tables of the storm are called in it. */
  table(name: string): string
  /** The same where a table is given it. */
  renamed(name: string): string
  /** What stands behind the name in CREATE TABLE. */
  kind: string
  /** Its type of texts. */
  text: string
  /** How all rows of a table are replaced, in one commit. */
  replace?: (table: string, values: string) => string
  compact?: (table: string) => string
}

const CREATED = ['writer', 'seq', 'value'] as const

/** An action as statements of SQL; several are one transaction. */
export function statementsOf(action: Action, dialect: Dialect): string[] {
  const at = (name: string) => dialect.table(name)
  switch (action.do) {
    case 'append':
      return [`INSERT INTO ${at(action.table)} ${values(action.rows)}`]
    case 'together':
      return action.parts.map(({ table, rows }) => `INSERT INTO ${at(table)} ${values(rows)}`)
    case 'update':
      return [
        `UPDATE ${at(action.table)} SET value = ${action.rows[0]?.value} WHERE ${named(action.rows)}`,
      ]
    case 'delete':
      return [`DELETE FROM ${at(action.table)} WHERE ${named(action.rows)}`]
    case 'create':
      return [`CREATE TABLE ${at(action.table)} ${dialect.kind} AS ${typed(action.rows, dialect)}`]
    case 'replace':
      return [dialect.replace?.(at(action.table), values(action.rows)) ?? '']
    case 'rename':
      return [`ALTER TABLE ${at(action.table)} RENAME TO ${dialect.renamed(action.to)}`]
    case 'drop':
      return [`DROP TABLE ${at(action.table)}`]
    case 'compact':
      return [dialect.compact?.(at(action.table)) ?? '']
  }
}

const values = (rows: readonly Row[]) =>
  `VALUES ${rows.map(({ writer, seq, value }) => `('${writer}', ${seq}, ${value})`).join(', ')}`

const typed = (rows: readonly Row[], dialect: Dialect) =>
  `SELECT CAST(writer AS ${dialect.text}) AS writer, CAST(seq AS bigint) AS seq, CAST(value AS bigint) AS value FROM (${values(rows)}) AS t (${CREATED.join(', ')})`

const named = (rows: readonly Row[]) =>
  `writer = '${rows[0]?.writer}' AND seq IN (${rows.map(({ seq }) => seq).join(', ')})`

export const spark = (catalog: string): Dialect => ({
  table: (name) => `${catalog}.storm.${name}`,
  renamed: (name) => `storm.${name}`,
  kind: 'USING iceberg',
  text: 'string',
  replace: (table, rows) => `INSERT OVERWRITE ${table} ${rows}`,
  compact: (table) =>
    `CALL ${catalog}.system.rewrite_data_files(table => '${table.replace(`${catalog}.`, '')}', options => map('min-input-files', '2'))`,
})

export const duckdb: Dialect = {
  table: (name) => `lake.storm.${name}`,
  renamed: (name) => name,
  kind: '',
  text: 'varchar',
}

export const trino = (catalog: string): Dialect => ({
  table: (name) => `${catalog}.storm.${name}`,
  renamed: (name) => name,
  kind: '',
  text: 'varchar',
  compact: (table) => `ALTER TABLE ${table} EXECUTE optimize`,
})
