import type { ColumnType, Field } from '../../define/types/column-type.js'
import {
  type Found,
  primaryKey,
  type TableName,
  type TargetDialect,
  type TargetSession,
} from '../dialect.js'
import { quote, text, typeOf } from './types.js'

/** What exports of a schema wait for each other by: readers of the records wait for none. */
const LOCK = '_moraine_lock'

/** A table as statements name it. */
const named = ({ schema, name }: TableName) =>
  schema === undefined ? quote(name) : `${quote(schema)}.${quote(name)}`

/** The name by which a statement's own clauses call a table: names have no dots. */
const called = (table: string) => table.slice(table.lastIndexOf('.') + 1)

/** How rows of a table are laid out: `DISTKEY ("id") SORTKEY ("day")`. */
export type LayoutOf = (table: string) => string

/** @param layoutOf says how a table is laid out, by its name. */
export const redshiftDialect = (layoutOf: LayoutOf): TargetDialect => ({
  name: 'Redshift',
  // Rows travel as Parquet.
  cells: { nulls: '', booleans: ['f', 't'], bytes: '' },
  transactionalDdl: true,
  longestName: { length: 127, of: 'bytes' },
  quote,
  named,
  text,
  typeOf,
  // Keys are not enforced there, and believed all the same.
  isKeyType: () => false,
  prepare,
  async lock(session, { schema }) {
    // The first statement: what the transaction sees is decided after it.
    await session.ask(`LOCK TABLE ${named({ schema, name: LOCK })}`)
  },
  unlock: async () => {},
  createSchema,
  find,
  create: (table, columns, comment) => [
    `CREATE TABLE ${named(table)} (${columns.join(', ')})${layoutOf(table.name)}`,
    `COMMENT ON TABLE ${named(table)} IS ${text(comment)}`,
  ],
  createTemporary: (name, columns) =>
    `CREATE TEMPORARY TABLE ${quote(name)} (${columns.join(', ')})`,
  temporary: quote,
  addKey: primaryKey(quote),
  rename: (table, to) => `ALTER TABLE ${named(table)} RENAME TO ${quote(to)}`,
  deleteMatching: (table, keys, columns) =>
    `DELETE FROM ${table} USING ${keys} WHERE ${columns.map((c) => areSame(called(table), keys, c)).join(' AND ')}`,
  deleteNull: (table, keys, column) =>
    `DELETE FROM ${table} WHERE ${quote(column)} IS NULL AND EXISTS (SELECT 1 FROM ${keys} WHERE ${quote(column)} IS NULL)`,
  figures: (table, columns) =>
    `SELECT ${['COUNT(*)', ...columns.flatMap(figureOf)].join(', ')} FROM ${table}`,
  grant: (table, to) => `GRANT SELECT ON ${table} TO ${quote(to)}`,
  recordTypes: {
    text: 'VARCHAR(65535)',
    name: 'VARCHAR(127)',
    whole: 'BIGINT',
    now: 'TIMESTAMP NOT NULL DEFAULT GETDATE()',
  },
})

/** To Redshift, texts are equal that differ by blanks at their end: their lengths are not. */
function areSame(table: string, keys: string, { name, type }: Field): string {
  const [ours, theirs] = [`${table}.${quote(name)}`, `${keys}.${quote(name)}`]
  const same = `${ours} = ${theirs}`
  return type.kind === 'string'
    ? `${same} AND OCTET_LENGTH(${ours}) = OCTET_LENGTH(${theirs})`
    : same
}

async function createSchema(session: TargetSession, schema: string): Promise<void> {
  const [found] = await session.ask(`SELECT 1 FROM pg_namespace WHERE nspname = ${text(schema)}`)
  if (!found) await session.ask(`CREATE SCHEMA IF NOT EXISTS ${quote(schema)}`)
}

/** Each statement commits for itself: two exports may come to it at the same time. */
async function prepare(session: TargetSession, { schema }: TableName): Promise<void> {
  const lock = { schema, name: LOCK }
  try {
    if (schema !== undefined) await createSchema(session, schema)
    if (!(await find(session, lock)))
      await session.ask(`CREATE TABLE IF NOT EXISTS ${named(lock)} (${quote('one')} INTEGER)`)
  } catch (error) {
    if (!(await find(session, lock))) throw error
  }
}

/** What a name stands for: also a view, or what else is called so. */
async function find(
  session: TargetSession,
  { schema, name }: TableName,
): Promise<Found | undefined> {
  const [row] = await session.ask(`
    SELECT c.oid, obj_description(c.oid, 'pg_class')
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname = ${text(name)} AND n.nspname = ${schema === undefined ? 'current_schema()' : text(schema)}`)
  if (!row) return undefined
  const [oid, comment = null] = row
  const [view] = await session.ask(`
    SELECT 1 FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
    WHERE d.refobjid = ${Number(oid)} AND r.ev_class <> ${Number(oid)} LIMIT 1`)
  return { comment, isReadByViews: view !== undefined }
}

function figureOf({ name, type }: Field): string[] {
  const weight = weightOf(quote(name), type)
  return [`COUNT(${quote(name)})`, weight ? `CAST(SUM(${weight}) AS VARCHAR)` : 'NULL']
}

function weightOf(column: string, type: ColumnType): string | undefined {
  switch (type.kind) {
    case 'boolean':
      return `CAST(${column} AS INTEGER)`
    case 'int':
    case 'bigint':
    case 'decimal':
      return column
    case 'date':
      return `${column} - DATE '1970-01-01'`
    case 'timestamp':
      return `DATEDIFF(microsecond, TIMESTAMP '1970-01-01', ${column})`
    case 'timestamptz':
      return `DATEDIFF(microsecond, TIMESTAMP '1970-01-01', ${column} AT TIME ZONE 'UTC')`
    case 'string':
    case 'uuid':
    case 'binary':
      return `OCTET_LENGTH(${column})`
    default:
      return undefined
  }
}
