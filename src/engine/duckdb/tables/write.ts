import { quoteName, quoteText } from '../../../define/sql/sql.js'
import { sqlType } from '../../../define/types/sql-type.js'
import { messageOf } from '../../../errors.js'
import type { ColumnStatistics, DataFile } from '../../../iceberg/spec/manifest.js'
import {
  type IcebergField,
  type IcebergType,
  type Schema,
  toColumnType,
} from '../../../iceberg/spec/types.js'
import { lowerBound, parseValue, upperBound, type Value } from '../../../iceberg/spec/values.js'
import type { Staging } from '../../../storage/staging.js'
import type { WriteTarget } from '../../engine.js'
import { partitionSql, partitionType } from './transforms.js'

/** What COPY … RETURN_STATS says of one file. */
export interface WrittenFile {
  filename: string
  count: bigint
  file_size_bytes: bigint
  column_statistics: ReadonlyMap<string, ReadonlyMap<string, string>>
  partition_keys: ReadonlyMap<string, string | null> | null
}

/** Bytes of a text that names a folder as it is; each may be written as three. */
const LONGEST = 60

/** Whether a statement failed as the name of a partition's folder is too long. */
export const isTooLong = (error: unknown): boolean =>
  /File name too long|Failed to create directory|path is too long/i.test(messageOf(error))

/**
 * A partition's text as its folder is called, where a long one is none: by how it begins, and its
 * hash.
 */
const shortened = (text: string) =>
  `CASE WHEN strlen(${text}) > ${LONGEST} THEN concat(left(${text}, 5), '~', md5(${text})) ELSE ${text} END`

/** The fields of a partition that are texts. */
function textFields({ schema, spec }: Pick<WriteTarget, 'schema' | 'spec'>) {
  return spec.fields
    .filter((field) => partitionType(field, schema) === 'string')
    .map((field) => ({ name: partitionColumn(field.name), sql: partitionSql(field, schema).sql }))
}

/**
 * SQL for the long texts of partitions, and what their folders are called; `undefined` where no
 * texts part the rows.
 */
export function longTextsSql(query: string, target: WriteTarget): string | undefined {
  const columns = target.schema.fields.map(
    (f) => `CAST(${quoteName(f.name)} AS ${sqlType(toColumnType(f.type))}) AS ${quoteName(f.name)}`,
  )
  const found = textFields(target).map(
    ({ name, sql }) =>
      `SELECT DISTINCT ${quoteText(name)} AS name, ${shortened(sql)} AS short, ${sql} AS text
       FROM (SELECT ${columns.join(', ')} FROM (${query})) WHERE strlen(${sql}) > ${LONGEST}`,
  )
  return found.length > 0 ? found.join(' UNION ALL ') : undefined
}

/** The COPY statement that writes a query's rows as data files. */
export function copySql(
  staging: Staging,
  query: string,
  { schema, spec, location, name, anyOrder, compression = 'zstd' }: WriteTarget,
  isShort = false,
): string {
  const texts = new Set(isShort ? textFields({ schema, spec }).map((field) => field.name) : [])
  const columns = schema.fields.map(
    (f) => `CAST(${quoteName(f.name)} AS ${sqlType(toColumnType(f.type))}) AS ${quoteName(f.name)}`,
  )
  const partitions = spec.fields.map((f) => {
    const [name, { sql }] = [partitionColumn(f.name), partitionSql(f, schema)]
    return { sql: texts.has(name) ? shortened(sql) : sql, name: quoteName(name) }
  })
  const options = [
    'FORMAT parquet',
    `COMPRESSION ${compression}`,
    // Its encodings are quicker to write; Spark and PyIceberg read them in tests.
    'PARQUET_VERSION V2',
    'RETURN_STATS',
    `FIELD_IDS ${fieldIds(schema.fields)}`,
    ...(hasWords(schema) ? [] : ['DICTIONARY_SIZE_LIMIT 1']),
    ...(anyOrder && spec.fields.length === 0 ? ['PRESERVE_ORDER false'] : []),
  ]
  const folder = staging.localPath(location)
  if (partitions.length === 0) {
    const target = quoteText(`${folder}/${name}.parquet`)
    return `COPY (SELECT ${columns.join(', ')} FROM (${query})) TO ${target} (${options.join(', ')})`
  }
  const extra = partitions.map((p) => `${p.sql} AS ${p.name}`)
  options.push(
    `PARTITION_BY (${partitions.map((p) => p.name).join(', ')})`,
    'WRITE_PARTITION_COLUMNS false',
    `FILENAME_PATTERN ${quoteText(`${name}_{uuid}`)}`,
    'APPEND',
  )
  return `COPY (SELECT ${[...columns, ...extra].join(', ')} FROM (${query})) TO ${quoteText(folder)} (${options.join(', ')})`
}

/**
 * Whether a table has columns of texts or nested values, which often come again; its lineage does
 * not count.
 */
function hasWords({ fields }: Schema): boolean {
  return fields.some(
    ({ name, type }) => !name.startsWith('_') && (typeof type !== 'string' || type === 'string'),
  )
}

/** The folder name of a partition must not be a column's: those stay in the files. */
function partitionColumn(name: string): string {
  return `p_${name}`
}

function fieldIds(fields: readonly IcebergField[]): string {
  const entries = fields.map((f) => `${quoteName(f.name)}: ${idOf(f.id, f.type)}`)
  return `{${entries.join(', ')}}`
}

function idOf(id: number, type: IcebergType): string {
  if (typeof type === 'string') return String(id)
  if (type.type === 'list')
    return `{__duckdb_field_id: ${id}, element: ${idOf(type['element-id'], type.element)}}`
  if (type.type === 'map')
    return `{__duckdb_field_id: ${id}, key: ${idOf(type['key-id'], type.key)}, value: ${idOf(type['value-id'], type.value)}}`
  return `{__duckdb_field_id: ${id}, ${fieldIds(type.fields).slice(1)}`
}

/**
 * The data file that a row of COPY's answer describes; `path` is its location.
 *
 * @param textOf the text of a partition whose folder has a shorter name.
 */
export function toDataFile(
  file: WrittenFile,
  { schema, spec }: WriteTarget,
  path: string,
  textOf: (name: string, short: string) => string = (_, short) => short,
): DataFile {
  const leaves = leavesOf(schema)
  const columns = new Map<number, ColumnStatistics>()
  for (const [name, statistics] of file.column_statistics) {
    const leaf = leaves.get(name)
    if (leaf) columns.set(leaf.id, columnStatistics(statistics, leaf))
  }
  return {
    path,
    rows: Number(file.count),
    bytes: Number(file.file_size_bytes),
    partition: spec.fields.map((f) => {
      const [name, type] = [partitionColumn(f.name), partitionType(f, schema)]
      const text = file.partition_keys?.get(name)
      return partitionValue(text && type === 'string' ? textOf(name, text) : text, type)
    }),
    columns,
  }
}

function partitionValue(text: string | null | undefined, type: string): Value | null {
  return text === null || text === undefined ? null : (parseValue(text, type) ?? null)
}

interface Leaf {
  id: number
  type: string
  repeated: boolean
}

/** The leaves of a schema under the names that the statistics use: `"a"."b"`. */
function leavesOf(schema: Schema): Map<string, Leaf> {
  const leaves = new Map<string, Leaf>()
  const visit = (path: string, id: number, type: IcebergType, repeated: boolean) => {
    if (typeof type === 'string') leaves.set(path, { id, type, repeated })
    else if (type.type === 'list')
      visit(`${path}."element"`, type['element-id'], type.element, true)
    else if (type.type === 'map') {
      visit(`${path}."key"`, type['key-id'], type.key, true)
      visit(`${path}."value"`, type['value-id'], type.value, true)
    } else
      for (const f of type.fields) visit(`${path}.${quoteName(f.name)}`, f.id, f.type, repeated)
  }
  for (const f of schema.fields) visit(quoteName(f.name), f.id, f.type, false)
  return leaves
}

function columnStatistics(statistics: ReadonlyMap<string, string>, leaf: Leaf): ColumnStatistics {
  const count = (name: string) => {
    const text = statistics.get(name)
    return text === undefined ? undefined : Number(text)
  }
  const size = count('column_size_bytes')
  // Lists count an empty list as a NULL, so counts and bounds of repeated fields would mislead.
  if (leaf.repeated) return defined({ size })
  const value = (name: string) => {
    const text = statistics.get(name)
    return text === undefined ? undefined : parseValue(text, leaf.type)
  }
  const [min, max] = [value('min'), value('max')]
  return defined({
    size,
    values: count('num_values'),
    nulls: count('null_count'),
    nans: statistics.get('has_nan') === 'false' ? 0 : undefined,
    lower: min === undefined ? undefined : lowerBound(min, leaf.type),
    upper: max === undefined ? undefined : upperBound(max, leaf.type),
  })
}

function defined(statistics: { [K in keyof ColumnStatistics]: ColumnStatistics[K] | undefined }) {
  const entries = Object.entries(statistics).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as ColumnStatistics
}
