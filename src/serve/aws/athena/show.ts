import { MoraineError } from '../../../errors.js'
import type { VisibleTable } from '../../../query/service/request.js'
import type { Statement } from '../../../sql/trino/statement.js'
import { hasInOrder } from '../protocol/wildcards.js'
import type { Relation } from './relations/relation.js'
import { missing, type Tables } from './tables.js'
import { type ColumnInfo, columnInfo, hiveType } from './types.js'

/** What SHOW and DESCRIBE give: rows of texts. */
export interface Shown {
  columns: ColumnInfo[]
  /** Whether the names of the columns are its first row. */
  hasHeader?: boolean
  rows: (string | null)[][]
}

const shown = (name: string, values: readonly string[]): Shown => ({
  columns: [columnInfo(name, 'VARCHAR')],
  rows: values.map((value) => [value]),
})

/** Answers what is asked about tables; `undefined` for all other statements. */
export function showOf(statement: Statement, tables: Tables): Shown | undefined {
  switch (statement.kind) {
    case 'show databases':
      return shown('database_name', tables.schemas().filter(like(statement.like)))
    case 'show tables':
    case 'show views': {
      const schema = schemaOf(statement.schema, tables)
      const isView = statement.kind === 'show views'
      const found = tables.in(schema).filter(({ kind }) => !isView || kind === 'view')
      return shown('tab_name', found.map(({ name }) => name).filter(like(statement.like)))
    }
    case 'show columns':
      return shown(
        'field',
        tableOf(statement.table, tables).columns.map(({ name }) => name),
      )
    case 'describe':
      return described(tableOf(statement.table, tables))
    case 'show partitions':
      tableOf(statement.table, tables)
      throw new MoraineError('query', 'Tables of the lake have no partitions that can be listed', {
        hint: 'They are Iceberg tables, whose partitions are hidden: filter by the columns.',
      })
    case 'show tblproperties':
      tableOf(statement.table, tables)
      return shown('prpt_name', ['table_type\tICEBERG', 'format\tparquet'])
    case 'show create table':
      return shown('createtab_stmt', createTable(tableOf(statement.table, tables)))
    case 'show create view': {
      const { schema, name, view } = tableOf(statement.table, tables)
      if (view?.sql !== undefined)
        return shown('create_view', [
          `CREATE OR REPLACE VIEW "${schema}"."${name}" AS`,
          ...view.sql.split('\n'),
        ])
      throw new MoraineError(
        'query',
        'Views of the lake are defined in lake.ts, in DuckDB’s dialect',
        {
          hint: 'Look there.',
        },
      )
    }
    default:
      return undefined
  }
}

function schemaOf(parts: readonly string[] | undefined, tables: Tables): string {
  const schema = parts?.at(-1) ?? tables.database
  if (schema === undefined)
    throw new MoraineError('query', 'No database is named: SHOW TABLES IN gold')
  if (!tables.schemas().some((one) => one.toLowerCase() === schema.toLowerCase()))
    throw missing('Database', schema)
  return schema
}

function tableOf(parts: readonly string[], tables: Tables): Relation {
  const { schema, name } = tables.split(
    parts,
    (why, hint) => new MoraineError('query', why, hint === undefined ? {} : { hint }),
  )
  const found = tables.find(schema, name)
  if (!found) throw missing('Table', `${schema}.${name}`)
  return found
}

/** Hive's patterns: `*` for any characters, `|` between several; and SQL's `%`. */
function like(pattern: string | undefined): (name: string) => boolean {
  if (pattern === undefined) return () => true
  const parts = pattern.split('|').map((part) => part.split(/[*%]/))
  return (name) => parts.some((texts) => hasInOrder(name, texts))
}

function described({ columns }: VisibleTable): Shown {
  const info = ['col_name', 'data_type', 'comment'].map((name) => columnInfo(name, 'VARCHAR'))
  const rows = columns.map((one) => [
    `${one.name.padEnd(20)}\t${hiveType(one.type).padEnd(20)}\t${(one.comment ?? '').padEnd(20)}`,
  ])
  return { columns: info, rows: rows.map(([line = '']) => line.split('\t').map((cell) => cell)) }
}

function createTable({ schema, name, columns, kind }: VisibleTable): string[] {
  if (kind === 'view') throw new MoraineError('query', `${schema}.${name} is a view`)
  const lines = columns.map(
    (one, i) => `  ${one.name} ${hiveType(one.type)}${i < columns.length - 1 ? ',' : ')'}`,
  )
  return [
    `CREATE TABLE ${schema}.${name} (`,
    ...lines,
    'TBLPROPERTIES (',
    "  'table_type'='iceberg'",
    ')',
  ]
}
