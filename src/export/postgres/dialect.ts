import type { ColumnType, Field } from '../../define/types/column-type.js'
import {
  type Found,
  primaryKey,
  type TableName,
  type TargetDialect,
  type TargetSession,
} from '../dialect.js'
import { quote, text, typeOf } from './types.js'

/** A table as statements name it. */
const named = ({ schema, name }: TableName) =>
  schema === undefined ? quote(name) : `${quote(schema)}.${quote(name)}`

const keyOf = (table: TableName) =>
  `hashtextextended(${text(`moraine ${table.schema ?? ''}.${table.name}`)}, 0)`

export const postgres: TargetDialect = {
  name: 'PostgreSQL',
  cells: { nulls: '', booleans: ['f', 't'], bytes: '\\x' },
  transactionalDdl: true,
  // It has infinite ones, and no sum of them.
  limits: { years: [-4712, 294_275], floats: 'any' },
  longestName: { length: 63, of: 'bytes' },
  quote,
  named,
  text,
  typeOf,
  isKeyType: ({ kind }) => !['list', 'struct', 'map', 'json'].includes(kind),

  async lock(session, table, waits) {
    const [[got] = []] = await session.ask(`SELECT pg_try_advisory_xact_lock(${keyOf(table)})`)
    if (got === 't') return
    waits()
    await session.ask(`SELECT pg_advisory_xact_lock(${keyOf(table)})`)
  },
  // The lock ends with the transaction.
  unlock: async () => {},

  async createSchema(session, schema) {
    const [found] = await session.ask(`SELECT 1 FROM pg_namespace WHERE nspname = ${text(schema)}`)
    if (!found) await session.ask(`CREATE SCHEMA IF NOT EXISTS ${quote(schema)}`)
  },
  find,
  create: (table, columns, comment) => [
    `CREATE TABLE ${named(table)} (${columns.join(', ')})`,
    `COMMENT ON TABLE ${named(table)} IS ${text(comment)}`,
  ],
  createTemporary: (name, columns) =>
    `CREATE TEMPORARY TABLE ${quote(name)} (${columns.join(', ')}) ON COMMIT DROP`,
  temporary: (name) => `pg_temp.${quote(name)}`,
  addKey: primaryKey(quote),
  rename: (table, to) => `ALTER TABLE ${named(table)} RENAME TO ${quote(to)}`,
  deleteMatching: (table, keys, columns) =>
    `DELETE FROM ${table} AS t USING ${keys} AS k WHERE ${columns.map(({ name }) => `t.${quote(name)} = k.${quote(name)}`).join(' AND ')}`,
  deleteNull: (table, keys, column) =>
    `DELETE FROM ${table} WHERE ${quote(column)} IS NULL AND EXISTS (SELECT 1 FROM ${keys} WHERE ${quote(column)} IS NULL)`,
  figures: (table, columns) =>
    `SELECT ${['count(*)', ...columns.flatMap(figureOf)].join(', ')} FROM ${table}`,
  grant: (table, to) => `GRANT SELECT ON ${table} TO ${quote(to)}`,
  recordTypes: {
    text: 'text',
    name: 'text',
    whole: 'bigint',
    now: 'timestamptz NOT NULL DEFAULT now()',
  },
}

/** What a name stands for: also a view, or what else is called so. */
async function find(
  session: TargetSession,
  { schema, name }: TableName,
): Promise<Found | undefined> {
  const [row] = await session.ask(`
    SELECT obj_description(c.oid, 'pg_class'),
      EXISTS (SELECT 1 FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
        WHERE d.refobjid = c.oid AND d.classid = 'pg_rewrite'::regclass AND r.ev_class <> c.oid)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname = ${text(name)} AND n.nspname = ${schema === undefined ? 'current_schema()' : text(schema)}`)
  return row && { comment: row[0] ?? null, isReadByViews: row[1] === 't' }
}

/** Asked once for a query; elsewhere a text may have fewer bytes than in the lake. */
const IS_UTF8 = "(SELECT getdatabaseencoding()) = 'UTF8'"

function figureOf({ name, type }: Field): string[] {
  const weight = weightOf(quote(name), type)
  return [`count(${quote(name)})`, weight ? `sum(${weight})::text` : 'NULL::text']
}

function weightOf(column: string, type: ColumnType): string | undefined {
  switch (type.kind) {
    case 'boolean':
      return `${column}::int`
    case 'int':
    case 'bigint':
    case 'decimal':
      return column
    case 'date':
      return `${column} - date '1970-01-01'`
    case 'timestamp':
      return microseconds(column)
    case 'timestamptz':
      return microseconds(`(${column} AT TIME ZONE 'UTC')`)
    case 'string':
      return `CASE WHEN ${IS_UTF8} THEN octet_length(${column}) ELSE octet_length(convert_to(${column}, 'UTF8')) END`
    case 'binary':
      return `octet_length(${column})`
    default:
      return undefined
  }
}

/** Exact, and in whole numbers: numerics take several times as long to add up. */
const microseconds = (moment: string) =>
  `(${moment}::date - date '1970-01-01') * 86400000000::bigint + (date_part('epoch', ${moment}::time) * 1000000)::bigint`
