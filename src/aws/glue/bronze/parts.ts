import { posix } from 'node:path'
import type { BatchPointer } from '../../../log/commit.js'
import { Batches, type BatchFile, type BatchManifest } from '../../../step/batches.js'
import type { Storage } from '../../../storage/storage.js'
import type { GlueColumn } from '../client.js'
import type { FileFormat } from './formats.js'

/** Files of a batch that have the same columns: a partition. */
export interface BatchPart {
  batch: string
  /** From 1 up: files whose columns are of other types are a partition of their own. */
  part: number
  format: FileFormat
  /** Where the files lie. */
  files: string[]
  columns: GlueColumn[]
}

/** The partitions of a bronze dataset, and what can't be shown of it. */
export interface BronzeParts {
  parts: BatchPart[]
  notes: string[]
}

/** Types of the engine in which columns of Parquet files are kept, as Glue calls them. */
const types: Readonly<Record<string, string>> = {
  BOOLEAN: 'boolean',
  TINYINT: 'tinyint',
  SMALLINT: 'smallint',
  INTEGER: 'int',
  BIGINT: 'bigint',
  FLOAT: 'float',
  DOUBLE: 'double',
  DATE: 'date',
  TIMESTAMP: 'timestamp',
  'TIMESTAMP WITH TIME ZONE': 'timestamp',
  VARCHAR: 'string',
  BLOB: 'binary',
}

const typeOf = (type: string): string | undefined =>
  types[type] ?? /^DECIMAL\(\d+,\d+\)$/.exec(type)?.[0].toLowerCase()

/** What Athena would read of bronze: the files of its batches. */
export async function bronzeParts(
  storage: Storage,
  pointers: readonly BatchPointer[],
): Promise<BronzeParts> {
  const notes = new Set<string>()
  const parts: BatchPart[] = []
  for (const manifest of await new Batches(storage).manifests(pointers))
    parts.push(...partsOf(storage, manifest, notes))
  return { parts, notes: [...notes] }
}

function partsOf(storage: Storage, manifest: BatchManifest, notes: Set<string>): BatchPart[] {
  const found = new Map<string, BatchPart>()
  // Of files that share one, the first describes it.
  const seen = new Set<string>()
  for (const file of manifest.files) {
    if (seen.has(file.data)) continue
    seen.add(file.data)
    const format = formatOf(file.data)
    const columns = columnsOf(manifest, file, format, notes)
    const key = JSON.stringify([format, columns])
    const part = found.get(key) ?? {
      batch: manifest.batch,
      part: found.size + 1,
      format,
      files: [],
      columns,
    }
    part.files.push(storage.locate(file.data))
    found.set(key, part)
  }
  return [...found.values()]
}

function formatOf(path: string): FileFormat {
  const ending = posix.extname(path).slice(1)
  return ending === 'avro' || ending === 'csv' || ending === 'jsonl' ? ending : 'parquet'
}

/** A column as the catalog has it: its names have no upper case. */
const column = (name: string, type: string): GlueColumn => ({
  Name: name.toLowerCase(),
  Type: type,
})

/** Columns that bronze adds and files may have; which batch it is, is said by the partition. */
const LINEAGE = ['_source_file', '_error', '_raw']

function columnsOf(
  manifest: BatchManifest,
  file: BatchFile,
  format: FileFormat,
  notes: Set<string>,
): GlueColumn[] {
  const names = distinct(manifest.columns, notes)
  if (format === 'csv' || format === 'jsonl') return names.map((name) => column(name, 'string'))
  if (format === 'avro') return avroColumns(manifest, names, notes)
  const values = new Map(
    Object.entries(file.values ?? {}).map(([name, type]) => [name.toLowerCase(), type]),
  )
  const own = names.flatMap((name) => {
    const given = values.get(name.toLowerCase())
    const type = given === undefined ? 'string' : typeOf(given)
    if (type === undefined) notes.add(`its column '${name}' of type ${given} is not listed`)
    return type === undefined ? [] : [column(name, type)]
  })
  const taken = new Set(names.map((name) => name.toLowerCase()))
  return [
    ...own,
    ...LINEAGE.filter((name) => !taken.has(name)).map((name) => column(name, 'string')),
  ]
}

/** Names that differ in their case alone are one in the catalog. */
function distinct(names: readonly string[], notes: Set<string>): string[] {
  const seen = new Set<string>(['_batch', '_part'])
  return names.filter((name) => {
    const lower = name.toLowerCase()
    if (seen.has(lower)) notes.add(`its column '${name}' is not listed: the name is taken`)
    return !seen.has(lower) && seen.add(lower)
  })
}

/** What database readers write: whole numbers of 64 bits as such, all else as texts. */
function avroColumns(manifest: BatchManifest, names: string[], notes: Set<string>): GlueColumn[] {
  const { columns = [] } = (manifest.source ?? {}) as {
    columns?: readonly { name: string; type: string }[]
  }
  const long = new Set(columns.filter(({ type }) => LONG.test(type)).map(({ name }) => name))
  return names.flatMap((name) => {
    // Others have another name in the file.
    const isPlain = /^[A-Za-z_][A-Za-z0-9_]*$/.test(name)
    if (!isPlain) notes.add(`its column '${name}' is not listed: Avro has no such names`)
    return isPlain ? [column(name, long.has(name) ? 'bigint' : 'string')] : []
  })
}

/** As `bronze/database/direct` knows types of databases whose values are longs. */
const LONG = /^(bigint|(tinyint|smallint|mediumint|int|integer)( unsigned)?)$/

/** The columns of a table and of more partitions: where their types differ, a text. */
export function withColumnsOf(
  before: readonly GlueColumn[],
  parts: readonly Pick<BatchPart, 'columns'>[],
  notes: Set<string>,
): GlueColumn[] {
  const found = new Map(before.map((one) => [one.Name, one]))
  const mixed = new Set<string>()
  for (const { columns } of parts)
    for (const one of columns) {
      const before = found.get(one.Name)
      if (before && before.Type !== one.Type) mixed.add(one.Name)
      if (!before) found.set(one.Name, one)
    }
  for (const name of mixed) {
    found.set(name, column(name, 'string'))
    notes.add(`its column '${name}' has texts in some batches and values in others`)
  }
  return [...found.values()]
}
