import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { DatabaseKind, DatabaseSource } from '../../define/source.js'
import { ownValue } from '../../own-value.js'
import { Databases } from '../../source/database/open.js'
import { mysql, postgres, sqlserver } from '../../source/declare/database.js'
import { RecordReader } from '../../source/text/records.js'
import { scratchFolder } from '../../storage/scratch.js'
import { columnOf, isVersion, questionOf, quoted } from './database-types.js'
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
  /** What its database says it is for, and what its table is for. */
  comment: string
  tableComment: string
}

/**
 * Types of domains are those that they are made of; those of money say how many digits it has here.
 */
const POSTGRES = `
  WITH RECURSIVE made AS (
    SELECT oid AS domain, typbasetype AS type, typtypmod AS mod, typnotnull AS required FROM pg_type WHERE typtype = 'd'
    UNION ALL SELECT m.domain, t.typbasetype, CASE WHEN m.mod >= 0 THEN m.mod ELSE t.typtypmod END, m.required OR t.typnotnull
    FROM made m JOIN pg_type t ON t.oid = m.type WHERE t.typtype = 'd'),
  base AS (SELECT m.* FROM made m JOIN pg_type t ON t.oid = m.type WHERE t.typtype <> 'd')
  SELECT n.nspname, r.relname, a.attname,
    CASE WHEN coalesce(b.type, a.atttypid) = 'money'::regtype THEN 'money(' || scale(0::money::numeric) || ')'
      ELSE format_type(coalesce(b.type, a.atttypid), coalesce(CASE WHEN a.atttypmod < 0 THEN b.mod END, a.atttypmod)) END,
    (NOT a.attnotnull AND NOT coalesce(b.required, false))::int, coalesce(a.attnum = ANY (i.indkey), false)::int,
    CASE WHEN r.relkind IN ('r', 'm', 'p') AND r.reltuples >= 0 THEN r.reltuples::bigint END,
    (SELECT string_agg(enumlabel, chr(31) ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = coalesce(b.type, a.atttypid)),
    col_description(r.oid, a.attnum), obj_description(r.oid, 'pg_class')
  FROM pg_class r JOIN pg_namespace n ON n.oid = r.relnamespace
    JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN base b ON b.domain = a.atttypid
    LEFT JOIN pg_index i ON i.indrelid = r.oid AND i.indisprimary
  WHERE r.relkind IN ('r', 'p', 'v', 'm') AND NOT r.relispartition AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
  ORDER BY n.nspname, r.relname, a.attnum`

const MYSQL = `
  SELECT c.table_schema, c.table_name, c.column_name, c.column_type, c.is_nullable = 'YES', c.column_key = 'PRI', t.table_rows, NULL AS words,
    c.column_comment, CASE WHEN t.table_type LIKE '%VIEW%' THEN '' ELSE t.table_comment END AS about
  FROM information_schema.columns c JOIN information_schema.tables t ON t.table_schema = c.table_schema AND t.table_name = c.table_name
  WHERE c.table_schema = database()
  ORDER BY c.table_schema, c.table_name, c.ordinal_position`

const SQLSERVER = `
  SELECT c.TABLE_SCHEMA, c.TABLE_NAME, c.COLUMN_NAME,
    CASE WHEN c.DATA_TYPE IN ('decimal', 'numeric') THEN CONCAT(c.DATA_TYPE, '(', c.NUMERIC_PRECISION, ',', c.NUMERIC_SCALE, ')') ELSE c.DATA_TYPE END AS t,
    CASE WHEN c.IS_NULLABLE = 'YES' THEN 1 ELSE 0 END AS n, CASE WHEN k.COLUMN_NAME IS NULL THEN 0 ELSE 1 END AS k, NULL AS r, NULL AS w, NULL AS d, NULL AS a
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
  return ownValue(kinds, scheme)
}

/** A database that is looked at. */
interface CrawledDatabase {
  kind: DatabaseKind
  url: string
  /** What it is called in definitions. */
  name: string
  /** The variable of the environment that definitions take its URL from. */
  variable: string
  signal: AbortSignal
  /** Names that other datasets have. */
  others?: ReadonlySet<string>
}

/**
 * Finds the tables and views of a database, with their keys.
 *
 * @param variable the variable of the environment that the URL is read from in definitions.
 * @param others names that other datasets have.
 */
export async function crawlDatabase({
  kind,
  url,
  name,
  variable,
  signal,
  others = new Set(),
}: CrawledDatabase): Promise<Found> {
  const { sql, connect } = catalogs[kind]
  await using databases = Databases.of([])
  const ask: Ask = (query) => records(databases, connect(url).query(query), signal)
  const columns = (await ask(sql)).map(describedOf)
  const tables = new Map<string, Described[]>()
  for (const column of columns) {
    const id = `${column.schema}\u0000${column.table}`
    tables.set(id, [...(tables.get(id) ?? []), column])
  }
  // The database has a name in the definitions as well.
  const taken = new Set([name, ...others])
  const found: FoundTable[] = []
  for (const own of tables.values()) {
    const table = tableOf({ kind, database: name, taken }, own, await oddities(kind, own, ask))
    taken.add(table.name)
    found.push(table)
  }
  return {
    imports: [kind],
    preamble: [`const ${name} = ${kind}({ url: process.env.${variable} })`],
    tables: found,
    notes: found.length === 0 ? ['the database has no tables that this user can see'] : [],
  }
}

/** Asks a database; values are texts, and nothing for NULL. */
type Ask = (query: string) => Promise<string[][]>

/** Reads as any other rows: through the same connection, with the same care for secrets. */
async function records(
  databases: Databases,
  source: DatabaseSource,
  signal: AbortSignal,
): Promise<string[][]> {
  const reader = await databases.reader(source)
  const columns = (await reader.columns(source)).map(({ name }) => name)
  const folder = await scratchFolder('crawl')
  try {
    const path = join(folder, 'catalog')
    const { bytes } = await reader.extract({ source, columns, conditions: [] }, path, signal)
    if (bytes === 0) return []
    const facts = { carriageReturns: false, clean: true, controls: true }
    const split = new RecordReader({ delimiter: ',', quote: '"' }, facts, false)
    return split.push(await readFile(path), true).map(({ fields }) => fields.map((f) => f ?? ''))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function describedOf(fields: readonly string[]): Described {
  const [schema = '', table = '', column = '', type = '', nullable, key, rows = '', words = ''] =
    fields
  return {
    schema,
    table,
    column,
    type,
    nullable: nullable === '1',
    key: key === '1',
    rows: rows === '' ? null : Number(rows),
    words: words === '' ? [] : words.split('\u001f'),
    comment: fields[8] ?? '',
    tableComment: fields[9] ?? '',
  }
}

/** Rows that are looked at, at most, for values that no type of ours has. */
const LOOKED_AT = 1_000_000

/** What a look at the rows of a table says of its columns, by their names. */
async function oddities(
  kind: DatabaseKind,
  columns: readonly Described[],
  ask: Ask,
): Promise<ReadonlyMap<string, string>> {
  const asked = columns.flatMap(({ column, type }) => {
    const question = questionOf(kind, quotedIn(kind, column), type)
    return question === undefined ? [] : [[column, question] as const]
  })
  if (asked.length === 0) return new Map()
  const list = asked.map(([, question], i) => `${question} AS q${i}`).join(', ')
  const names = asked.map(([column]) => quotedIn(kind, column)).join(', ')
  const [answers = []] = await ask(
    `SELECT ${list} FROM (SELECT ${names} FROM ${tableIn(kind, columns)} LIMIT ${LOOKED_AT}) AS looked`,
  )
  return new Map(asked.map(([column], i) => [column, answers[i] ?? '']))
}

/** A table as it is told, and known by in later crawls: names are quoted where they are odd. */
function placeIn(kind: DatabaseKind, [first]: readonly Described[]): string {
  const { schema = '', table = '' } = first ?? {}
  const shown = (name: string) => (PLAIN.test(name) ? name : quotedIn(kind, name))
  return kind === 'mysql' ? shown(table) : `${shown(schema)}.${shown(table)}`
}

/** A table in SQL: names such as `order` and `user` are reserved, in each version others. */
function tableIn(kind: DatabaseKind, [first]: readonly Described[]): string {
  const { schema = '', table = '' } = first ?? {}
  if (kind === 'mysql') return quotedIn(kind, table)
  if (kind === 'sqlserver') return `${quotedIn(kind, schema)}.${quotedIn(kind, table)}`
  // Behind a point no name is reserved.
  const own = schema === 'public' ? schema : quotedIn(kind, schema)
  return `${own}.${PLAIN.test(table) ? table : quotedIn(kind, table)}`
}

function tableOf(
  { kind, database, taken }: { kind: DatabaseKind; database: string; taken: ReadonlySet<string> },
  columns: readonly Described[],
  odd: ReadonlyMap<string, string>,
): FoundTable {
  const [{ table, rows, tableComment }] = columns as [Described]
  const found = columns.map((column) => columnOf(kind, column, odd.get(column.column) ?? ''))
  const key = columns.filter((column) => column.key).map(({ column }) => column)
  const cursor = cursorOf(kind, columns)
  // Values that no time of ours has are texts, which have another order.
  const plain = cursor !== undefined && !isTextual(found.find(({ name }) => name === cursor))
  const list = (names: readonly string[]) =>
    names.length === 1 ? quoted(names[0] as string) : `[${names.map(quoted).join(', ')}]`
  const options = [
    ...(key.length > 0 ? [`key: ${list(key)}`] : []),
    ...(cursor === undefined ? [] : [`cursor: ${quoted(cursor)}`]),
  ]
  const given = options.length > 0 ? `, { ${options.join(', ')} }` : ''
  return {
    name: datasetName(table, taken),
    at: placeIn(kind, columns),
    from: `${database}.table(${quoted(tableIn(kind, columns))}${given})`,
    rows,
    ...(rows === null ? {} : { estimated: true as const }),
    ...(tableComment === '' ? {} : { description: tableComment }),
    columns: found,
    key,
    ...(cursor === undefined || !plain ? {} : { cursor }),
  }
}

const isTextual = (column: FoundColumn | undefined) => column?.schema.startsWith('z.string')

const PLAIN = /^[a-z_][a-z0-9_]*$/

function quotedIn(kind: DatabaseKind, name: string): string {
  if (kind === 'mysql') return `\`${name.replaceAll('`', '``')}\``
  return kind === 'postgres' ? `"${name.replaceAll('"', '""')}"` : `[${name.replaceAll(']', ']]')}]`
}

/** A column that is set whenever a row changes, as its name and its type tell. */
function cursorOf(kind: DatabaseKind, columns: readonly Described[]): string | undefined {
  const version = columns.find(({ type }) => isVersion(kind, type))
  const named = columns.find(
    ({ column, type }) =>
      /(updated|modified|changed|last_?update)/i.test(column) && /^(timestamp|datetime)/.test(type),
  )
  return (named ?? version)?.column
}
