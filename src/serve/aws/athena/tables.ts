import { MoraineError } from '../../../errors.js'
import type { Caller, VisibleTable } from '../../../query/service/request.js'
import { refuse } from '../../../sql/trino/refusal.js'
import { BIGINT, typeOfEngine, VARCHAR } from '../../../sql/trino/types.js'
import { quote, type TableFields, text } from '../../../sql/trino/write/scope.js'
import { hiveType } from './types.js'

/** The one catalog, whatever the case of its letters. */
export const CATALOG = 'AwsDataCatalog'

/** The tables of the lake as one caller sees them, while one statement is looked at. */
export class Tables {
  constructor(
    readonly all: readonly VisibleTable[],
    readonly caller: Caller,
    /** Where tables are looked for that are named without a schema. */
    readonly database: string | undefined,
  ) {}

  schemas(): string[] {
    return [...new Set(this.all.map(({ schema }) => schema))].sort()
  }

  in(schema: string): VisibleTable[] {
    const tables = this.all.filter((one) => one.schema.toLowerCase() === schema.toLowerCase())
    return tables.sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  find(schema: string, name: string): VisibleTable | undefined {
    return this.in(schema).find((one) => one.name.toLowerCase() === name.toLowerCase())
  }

  /** The schema and the name that parts of a name stand for. */
  split(
    parts: readonly string[],
    fail: (why: string, hint?: string) => Error,
  ): { schema: string; name: string } {
    const [name = '', schema = this.database, catalog, ...more] = [...parts].reverse()
    if (more.length > 0) throw fail(`'${parts.join('.')}' has too many parts`)
    if (catalog !== undefined && catalog.toLowerCase() !== CATALOG.toLowerCase())
      throw fail(`Catalog '${catalog}' does not exist`, `The catalog is ${CATALOG}.`)
    if (schema === undefined)
      throw fail(
        `The table ${name} needs its database`,
        'Name it, or send QueryExecutionContext: { Database }.',
      )
    return { schema, name }
  }

  /** How a statement is to read a table. */
  table(statement: string, parts: readonly string[], at: number): TableFields {
    const fail = (why: string, hint?: string) => refuse(statement, at, why, hint)
    const { schema, name } = this.split(parts, fail)
    if (schema.toLowerCase() === 'information_schema') return this.information(name, fail)
    const found = this.find(schema, name)
    if (!found) {
      const isThere = this.in(schema).length > 0
      throw fail(
        isThere
          ? `Table '${CATALOG.toLowerCase()}.${schema}.${name}' does not exist`
          : `Schema '${schema}' does not exist`,
        isThere
          ? `It has: ${this.in(schema)
              .map((one) => one.name)
              .slice(0, 20)
              .join(', ')}`
          : `There are: ${this.schemas().join(', ')}`,
      )
    }
    const columns = found.columns.map((one) => ({ name: one.name, type: typeOfEngine(one.type) }))
    return { sql: `${quote(found.schema)}.${quote(found.name)}`, columns }
  }

  /** What information_schema tells, as rows of the statement itself. */
  private information(name: string, fail: (why: string, hint?: string) => Error): TableFields {
    const tables = this.all
    const of: Readonly<Record<string, { names: string[]; rows: (string | number | null)[][] }>> = {
      schemata: {
        names: ['catalog_name', 'schema_name'],
        rows: [...this.schemas(), 'information_schema'].map((one) => [catalog, one]),
      },
      tables: {
        names: ['table_catalog', 'table_schema', 'table_name', 'table_type'],
        rows: tables.map((one) => [
          catalog,
          one.schema.toLowerCase(),
          one.name.toLowerCase(),
          one.kind === 'view' ? 'VIEW' : 'BASE TABLE',
        ]),
      },
      views: {
        names: ['table_catalog', 'table_schema', 'table_name', 'view_definition'],
        rows: tables
          .filter(({ kind }) => kind === 'view')
          .map((one) => [catalog, one.schema, one.name, '']),
      },
      columns: {
        names: [
          'table_catalog',
          'table_schema',
          'table_name',
          'column_name',
          'ordinal_position',
          'column_default',
          'is_nullable',
          'data_type',
          'comment',
          'extra_info',
        ],
        rows: tables.flatMap((table) =>
          table.columns.map((one, i) => [
            catalog,
            table.schema.toLowerCase(),
            table.name.toLowerCase(),
            one.name.toLowerCase(),
            i + 1,
            null,
            one.nullable ? 'YES' : 'NO',
            hiveType(one.type)
              .replace(/^string$/, 'varchar')
              .replace(/^int$/, 'integer'),
            one.comment ?? null,
            null,
          ]),
        ),
      },
    }
    const found = Object.hasOwn(of, name.toLowerCase()) ? of[name.toLowerCase()] : undefined
    if (!found)
      throw fail(
        `information_schema.${name} is not served`,
        `There are: ${Object.keys(of).join(', ')}`,
      )
    const types = found.names.map((one) => (one === 'ordinal_position' ? BIGINT : VARCHAR))
    const cell = (value: string | number | null) =>
      value === null
        ? 'CAST(NULL AS VARCHAR)'
        : typeof value === 'number'
          ? `CAST(${value} AS BIGINT)`
          : text(value)
    const rows = found.rows.map((row) => `(${row.map(cell).join(', ')})`)
    const names = found.names.map(quote).join(', ')
    const empty = `(SELECT ${found.names.map((one, i) => `CAST(NULL AS ${types[i] === BIGINT ? 'BIGINT' : 'VARCHAR'}) AS ${quote(one)}`).join(', ')} WHERE false)`
    const sql =
      rows.length > 0 ? `(SELECT * FROM (VALUES ${rows.join(', ')}) AS "i"(${names}))` : empty
    return { sql, columns: found.names.map((one, i) => ({ name: one, type: types[i] })) }
  }
}

const catalog = CATALOG.toLowerCase()

/** @throws MoraineError of kind `query` as the statement names no such table. */
export function missing(what: string, name: string): MoraineError {
  return new MoraineError('query', `${what} ${name} does not exist`)
}
