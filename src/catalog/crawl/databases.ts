import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { article } from '../../define/article.js'
import type { DatabaseKind, DatabaseSource } from '../../define/source.js'
import { Databases } from '../../source/connect/open.js'
import { mysql, postgres, sqlserver } from '../../source/database.js'
import { RecordReader } from '../../source/records.js'
import { scratchFolder } from '../../storage/scratch.js'
import { datasetName, type Found, type FoundColumn, type FoundTable } from './found.js'

/** What a catalog of a database tells of a column. */
interface Described {
  schema: string
  table: string
  column: string
  type: string
  nullable: boolean
  /** Whether it is part of the primary key. */
  key: boolean
  rows: number | null
  /** The words of an enumeration. */
  words: string[]
}

const POSTGRES = `
  SELECT n.nspname, r.relname, a.attname, format_type(a.atttypid, a.atttypmod), (NOT a.attnotnull)::int,
    coalesce(a.attnum = ANY (i.indkey), false)::int, CASE WHEN r.relkind IN ('r', 'm', 'p') AND r.reltuples >= 0 THEN r.reltuples::bigint END,
    (SELECT string_agg(enumlabel, chr(31) ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = a.atttypid)
  FROM pg_class r JOIN pg_namespace n ON n.oid = r.relnamespace
    JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_index i ON i.indrelid = r.oid AND i.indisprimary
  WHERE r.relkind IN ('r', 'p', 'v', 'm') AND NOT r.relispartition AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
  ORDER BY n.nspname, r.relname, a.attnum`

const MYSQL = `
  SELECT c.table_schema, c.table_name, c.column_name, c.column_type, c.is_nullable = 'YES', c.column_key = 'PRI', t.table_rows, NULL
  FROM information_schema.columns c JOIN information_schema.tables t ON t.table_schema = c.table_schema AND t.table_name = c.table_name
  WHERE c.table_schema = database()
  ORDER BY c.table_schema, c.table_name, c.ordinal_position`

const SQLSERVER = `
  SELECT c.TABLE_SCHEMA, c.TABLE_NAME, c.COLUMN_NAME,
    CASE WHEN c.DATA_TYPE IN ('decimal', 'numeric') THEN CONCAT(c.DATA_TYPE, '(', c.NUMERIC_PRECISION, ',', c.NUMERIC_SCALE, ')') ELSE c.DATA_TYPE END AS t,
    CASE WHEN c.IS_NULLABLE = 'YES' THEN 1 ELSE 0 END AS n, CASE WHEN k.COLUMN_NAME IS NULL THEN 0 ELSE 1 END AS k, NULL AS r, NULL AS w
  FROM INFORMATION_SCHEMA.COLUMNS c LEFT JOIN (
    SELECT u.TABLE_SCHEMA, u.TABLE_NAME, u.COLUMN_NAME FROM INFORMATION_SCHEMA.KEY_COLUMN_USAGE u
    JOIN INFORMATION_SCHEMA.TABLE_CONSTRAINTS p ON p.CONSTRAINT_NAME = u.CONSTRAINT_NAME AND p.TABLE_SCHEMA = u.TABLE_SCHEMA
    WHERE p.CONSTRAINT_TYPE = 'PRIMARY KEY') k
    ON k.TABLE_SCHEMA = c.TABLE_SCHEMA AND k.TABLE_NAME = c.TABLE_NAME AND k.COLUMN_NAME = c.COLUMN_NAME`

const catalogs: Readonly<Record<DatabaseKind, { sql: string; connect: typeof postgres }>> = {
  postgres: { sql: POSTGRES, connect: postgres },
  mysql: { sql: MYSQL, connect: mysql },
  sqlserver: { sql: SQLSERVER, connect: sqlserver },
}

/** The kind of a database by its URL; `undefined` when it is no URL of a database. */
export function databaseOf(url: string): DatabaseKind | undefined {
  const scheme = /^([a-z]+):\/\//i.exec(url)?.[1]?.toLowerCase() ?? ''
  const kinds: Record<string, DatabaseKind> = {
    postgres: 'postgres',
    postgresql: 'postgres',
    mysql: 'mysql',
    mariadb: 'mysql',
    sqlserver: 'sqlserver',
    mssql: 'sqlserver',
  }
  return kinds[scheme]
}

/**
 * Finds the tables and views of a database, with their keys.
 *
 * @param variable the variable of the environment that the URL is read from in definitions.
 */
export async function crawlDatabase(
  kind: DatabaseKind,
  url: string,
  name: string,
  variable: string,
  signal: AbortSignal,
): Promise<Found> {
  const { sql, connect } = catalogs[kind]
  const columns = await described(connect(url).query(sql), signal)
  const tables = new Map<string, Described[]>()
  for (const column of columns) {
    const id = `${column.schema}\u0000${column.table}`
    tables.set(id, [...(tables.get(id) ?? []), column])
  }
  // The database has a name in the definitions as well.
  const taken = new Set([name])
  const found = [...tables.values()].map((own) => {
    const table = tableOf(kind, name, own, taken)
    taken.add(table.name)
    return table
  })
  return {
    imports: [kind],
    preamble: [`const ${name} = ${kind}({ url: process.env.${variable} })`],
    tables: found,
    notes: found.length === 0 ? ['the database has no tables that this user can see'] : [],
  }
}

/** Reads the catalog as any other rows: through the same connection, with the same care for secrets. */
async function described(source: DatabaseSource, signal: AbortSignal): Promise<Described[]> {
  await using databases = Databases.of([])
  const reader = await databases.reader(source)
  const columns = (await reader.columns(source)).map(({ name }) => name)
  const folder = await scratchFolder('crawl')
  try {
    const path = join(folder, 'catalog')
    const { bytes } = await reader.extract({ source, columns, conditions: [] }, path, signal)
    if (bytes === 0) return []
    const facts = { carriageReturns: false, clean: true, controls: true }
    const records = new RecordReader({ delimiter: ',', quote: '"' }, facts, false)
    return records.push(await readFile(path), true).map(({ fields }) => {
      const [
        schema = '',
        table = '',
        column = '',
        type = '',
        nullable,
        key,
        rows = '',
        words = '',
      ] = fields
      return {
        schema,
        table,
        column,
        type,
        nullable: nullable === '1',
        key: key === '1',
        rows: rows === '' ? null : Number(rows),
        words: words === '' ? [] : words.split('\u001f'),
      }
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function tableOf(
  kind: DatabaseKind,
  database: string,
  columns: readonly Described[],
  taken: ReadonlySet<string>,
): FoundTable {
  const [{ schema, table, rows }] = columns as [Described]
  const at =
    kind === 'mysql' ? nameIn(kind, table) : `${nameIn(kind, schema)}.${nameIn(kind, table)}`
  const found = columns.map(columnOf)
  const key = columns.filter((column) => column.key).map(({ column }) => column)
  const cursor = cursorOf(columns)
  const list = (names: readonly string[]) =>
    names.length === 1 ? quoted(names[0] as string) : `[${names.map(quoted).join(', ')}]`
  const options = [
    ...(key.length > 0 ? [`key: ${list(key)}`] : []),
    ...(cursor === undefined ? [] : [`cursor: ${quoted(cursor)}`]),
  ]
  const given = options.length > 0 ? `, { ${options.join(', ')} }` : ''
  return {
    name: datasetName(table, taken),
    at,
    from: `${database}.table(${quoted(at)}${given})`,
    rows,
    columns: found,
    key,
    ...(cursor === undefined ? {} : { cursor }),
  }
}

const quoted = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`

/** A name as the database's own SQL writes it. */
function nameIn(kind: DatabaseKind, name: string): string {
  if (/^[a-z_][a-z0-9_]*$/.test(name)) return name
  if (kind === 'mysql') return `\`${name.replaceAll('`', '``')}\``
  return kind === 'postgres' ? `"${name.replaceAll('"', '""')}"` : `[${name.replaceAll(']', ']]')}]`
}

/** A column that is set whenever a row changes, as its name and its type tell. */
function cursorOf(columns: readonly Described[]): string | undefined {
  const version = columns.find(
    ({ type }) =>
      /^(rowversion|timestamp)$/.test(type) && columns.some((c) => c.type === 'nvarchar'),
  )
  const named = columns.find(
    ({ column, type }) =>
      /(updated|modified|changed|last_?update)/i.test(column) && /^(timestamp|datetime)/.test(type),
  )
  return (named ?? version)?.column
}

function columnOf({ column: name, type, nullable, words }: Described): FoundColumn {
  const enumeration = /^enum\((.*)\)$/.exec(type)?.[1]
  const own = enumeration
    ?.match(/'(?:[^']|'')*'/g)
    ?.map((word) => word.slice(1, -1).replaceAll("''", "'"))
  const list = (own ?? words).map(quoted).join(', ')
  if (list !== '') return { name, schema: `z.enum([${list}])`, nullable, native: type }
  const schema = schemaOf(type.toLowerCase())
  const note = schema === undefined ? `${article(type)}, which is read as text` : undefined
  return {
    name,
    schema: schema ?? 'z.string()',
    nullable,
    native: type,
    ...(note && !TEXT.test(type) ? { note } : {}),
  }
}

const TEXT =
  /^(text|character|char|varchar|nchar|nvarchar|ntext|tinytext|mediumtext|longtext|name|citext)/i

const schemas: readonly [type: RegExp, schema: string][] = [
  [/\[\]$/, 'z.string()'],
  [/^bigint.* unsigned/, 't.decimal(20, 0)'],
  [/^int.* unsigned/, 't.bigint()'],
  [/^(smallint|integer|int|tinyint|mediumint|year)\b/, 't.int()'],
  [/^bigint/, 't.bigint()'],
  [/^(real|float|double)/, 't.double()'],
  [/^(boolean|bit)$/, 't.boolean()'],
  [/^date$/, 't.date()'],
  [/^timestamp(\(\d\))? with time zone|^datetimeoffset/, 't.timestamptz()'],
  [/^timestamp(\(\d\))?$/, 't.timestamptz()'],
  [/^timestamp|^datetime|^smalldatetime/, 't.timestamp()'],
  [/^(uuid|uniqueidentifier)$/, 't.uuid()'],
  [/^jsonb?$/, 't.json()'],
  [/^money$/, 't.decimal(19, 4)'],
  [/^smallmoney$/, 't.decimal(10, 4)'],
]

function schemaOf(type: string): string | undefined {
  const [, precision, scale = '0'] = /^(?:numeric|decimal)\((\d+)(?:,\s*(\d+))?\)/.exec(type) ?? []
  if (precision !== undefined && Number(precision) <= 38) return `t.decimal(${precision}, ${scale})`
  return schemas.find(([of]) => of.test(type))?.[1]
}
