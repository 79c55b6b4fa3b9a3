import { decodeContainer, encodeContainer, type Inflate } from './avro.js'
import { partitionKeys, plainName } from './avro-names.js'
import { checksumHeader, checksumsIn } from './checksums.js'
import type { Id } from './metadata.js'
import { positionsSchema } from './positions.js'
import { type PartitionField, type PartitionSpec, resultType } from './transforms.js'
import { decimalOf, type Schema, sourceType } from './types.js'
import { minimalBigEndian, type Value } from './values.js'

/** Statistics of one column in one data file, by field id. */
export interface ColumnStatistics {
  /** Compressed bytes. */
  size?: number
  values?: number
  nulls?: number
  nans?: number
  lower?: Uint8Array
  upper?: Uint8Array
}

/** What a file of a table holds: rows, or which rows of other files are deleted. */
export type Content = 'data' | 'position deletes' | 'equality deletes'
const contents: readonly Content[] = ['data', 'position deletes', 'equality deletes']

/** A Parquet file of a table. */
export interface DataFile {
  /** Without it: `data`. */
  content?: Content
  /** Field ids by which rows are deleted, for equality deletes. */
  equalityIds?: readonly number[]
  /** The one data file that position deletes are about, if it is one. */
  referenced?: string
  /** Absolute location. */
  path: string
  rows: number
  bytes: number
  /** The partition's values in the order of the spec's fields; `null` is SQL's NULL. */
  partition: readonly (Value | null)[]
  columns: ReadonlyMap<number, ColumnStatistics>
  splitOffsets?: readonly number[]
  /** Its format, where that is not Parquet: `ORC`, `AVRO`, `PUFFIN`. */
  format?: string
  /** SHA-256 of its bytes, in hex; files of earlier versions and of other writers have none. */
  sha256?: string
}

export type EntryStatus = 'existing' | 'added' | 'deleted'
const statuses: readonly EntryStatus[] = ['existing', 'added', 'deleted']

export interface ManifestEntry {
  status: EntryStatus
  snapshotId: Id
  sequenceNumber: number | null
  fileSequenceNumber: number | null
  file: DataFile
}

/** A row of a manifest list (spec, Manifest Lists), under the spec's own names. */
export interface ManifestFile {
  manifest_path: string
  manifest_length: number
  partition_spec_id: number
  content: number
  sequence_number: number
  min_sequence_number: number
  added_snapshot_id: Id
  added_files_count: number
  existing_files_count: number
  deleted_files_count: number
  added_rows_count: number
  existing_rows_count: number
  deleted_rows_count: number
  partitions: PartitionSummary[] | null
  key_metadata: null
  /** SHA-256 of its bytes, which the header of the list says and not its row. */
  sha256?: string
}

export interface PartitionSummary {
  contains_null: boolean
  contains_nan: boolean | null
  lower_bound: Buffer | null
  upper_bound: Buffer | null
}

const field = (id: number, name: string, type: unknown) => ({ name, type, 'field-id': id })
const optional = (id: number, name: string, type: unknown) => ({
  name,
  type: ['null', type],
  default: null,
  'field-id': id,
})

const mapOf = (key: number, value: number, type: string) => ({
  type: 'array',
  logicalType: 'map',
  items: {
    type: 'record',
    name: `k${key}_v${value}`,
    fields: [field(key, 'key', 'int'), field(value, 'value', type)],
  },
})

function entrySchema(fields: readonly PartitionField[], schema: Schema, deletes: boolean) {
  const partition = {
    type: 'record',
    name: 'r102',
    fields: fields.map((f) =>
      optionalPartition(f, resultType(f.transform, sourceType(schema, f['source-id']))),
    ),
  }
  const dataFile = {
    type: 'record',
    name: 'r2',
    fields: [
      field(134, 'content', 'int'),
      field(100, 'file_path', 'string'),
      field(101, 'file_format', 'string'),
      field(102, 'partition', partition),
      field(103, 'record_count', 'long'),
      field(104, 'file_size_in_bytes', 'long'),
      optional(108, 'column_sizes', mapOf(117, 118, 'long')),
      optional(109, 'value_counts', mapOf(119, 120, 'long')),
      optional(110, 'null_value_counts', mapOf(121, 122, 'long')),
      optional(137, 'nan_value_counts', mapOf(138, 139, 'long')),
      optional(125, 'lower_bounds', mapOf(126, 127, 'bytes')),
      optional(128, 'upper_bounds', mapOf(129, 130, 'bytes')),
      optional(131, 'key_metadata', 'bytes'),
      optional(132, 'split_offsets', { type: 'array', items: 'long', 'element-id': 133 }),
      optional(135, 'equality_ids', { type: 'array', items: 'int', 'element-id': 136 }),
      optional(140, 'sort_order_id', 'int'),
      ...(deletes ? [optional(143, 'referenced_data_file', 'string')] : []),
    ],
  }
  return {
    type: 'record',
    name: 'manifest_entry',
    fields: [
      field(0, 'status', 'int'),
      optional(1, 'snapshot_id', 'long'),
      optional(3, 'sequence_number', 'long'),
      optional(4, 'file_sequence_number', 'long'),
      field(2, 'data_file', dataFile),
    ],
  }
}

function optionalPartition(partition: PartitionField, type: string) {
  const name = plainName(partition.name)
  const made = optional(partition['field-id'], name, avroType(type, name))
  return name === partition.name ? made : { ...made, 'iceberg-field-name': partition.name }
}

/** Avro types of Iceberg types (spec, Appendix A). */
function avroType(type: string, name: string): unknown {
  const decimal = decimalOf(type)
  if (decimal)
    return {
      type: 'fixed',
      name: `decimal_${name}`,
      size: bytesFor(decimal.precision),
      logicalType: 'decimal',
      ...decimal,
    }
  if (type === 'date') return { type: 'int', logicalType: 'date' }
  if (type === 'timestamp' || type === 'timestamptz')
    return {
      type: 'long',
      logicalType: 'timestamp-micros',
      'adjust-to-utc': type === 'timestamptz',
    }
  return type
}

/** The least number of bytes that hold any decimal of a precision. */
function bytesFor(precision: number): number {
  return minimalBigEndian(10n ** BigInt(precision) - 1n).length
}

function toAvroValue(value: Value | null, type: string): unknown {
  if (value === null) return null
  const decimal = decimalOf(type)
  if (decimal) return padded(minimalBigEndian(value as bigint), bytesFor(decimal.precision))
  if (type === 'boolean') return value === 1n
  if (typeof value !== 'bigint') return value
  return type === 'long' || type.startsWith('timestamp') ? value : Number(value)
}

function padded(bytes: Uint8Array, size: number): Buffer {
  const fill = (bytes[0] as number) >= 128 ? 0xff : 0
  return Buffer.concat([Buffer.alloc(size - bytes.length, fill), bytes])
}

function fromAvroValue(value: unknown, type: string): Value | null {
  if (value === null) return null
  if (Buffer.isBuffer(value)) {
    const hex = value.toString('hex')
    return decimalOf(type) ? BigInt.asIntN(value.length * 8, BigInt(`0x${hex}`)) : hex
  }
  if (typeof value === 'boolean') return value ? 1n : 0n
  if (typeof value === 'number' && type !== 'float' && type !== 'double') return BigInt(value)
  return value as Value
}

type Pairs<T> = { key: number; value: T }[] | null

function pairs<T>(file: DataFile, pick: (s: ColumnStatistics) => T | undefined): Pairs<T> {
  const found = [...file.columns].flatMap(([key, statistics]) => {
    const value = pick(statistics)
    return value === undefined ? [] : [{ key, value }]
  })
  return found.length > 0 ? found.sort((a, b) => a.key - b.key) : null
}

const asBuffer = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes)

/** What is fixed for all entries of a manifest. */
export interface ManifestContext {
  schema: Schema
  spec: PartitionSpec
}

export function encodeManifest(
  { schema, spec }: ManifestContext,
  entries: readonly ManifestEntry[],
  sync: Uint8Array,
): Uint8Array {
  const types = partitionTypes(schema, spec)
  const deletes = entries.some(({ file }) => isDeletes(file))
  const records = entries.map(
    ({ status, snapshotId, sequenceNumber, fileSequenceNumber, file }) => ({
      status: statuses.indexOf(status),
      snapshot_id: snapshotId,
      sequence_number: sequenceNumber,
      file_sequence_number: fileSequenceNumber,
      data_file: {
        content: contents.indexOf(file.content ?? 'data'),
        file_path: file.path,
        file_format: file.format ?? 'PARQUET',
        partition: Object.fromEntries(
          spec.fields.map((f, i) => [
            plainName(f.name),
            toAvroValue(file.partition[i] ?? null, types[i] as string),
          ]),
        ),
        record_count: file.rows,
        file_size_in_bytes: file.bytes,
        column_sizes: pairs(file, (s) => s.size),
        value_counts: pairs(file, (s) => s.values),
        null_value_counts: pairs(file, (s) => s.nulls),
        nan_value_counts: pairs(file, (s) => s.nans),
        lower_bounds: pairs(file, (s) => asBuffer(s.lower)),
        upper_bounds: pairs(file, (s) => asBuffer(s.upper)),
        key_metadata: null,
        split_offsets: file.splitOffsets ?? null,
        equality_ids: file.equalityIds ?? null,
        sort_order_id: isDeletes(file) ? null : 0,
        ...(deletes ? { referenced_data_file: file.referenced ?? null } : {}),
      },
    }),
  )
  const metadata = {
    schema: JSON.stringify(schema),
    'schema-id': String(schema['schema-id']),
    'partition-spec': JSON.stringify(spec.fields),
    'partition-spec-id': String(spec['spec-id']),
    'format-version': '2',
    content: deletes ? 'deletes' : 'data',
    ...checksumHeader(entries.map(({ file }) => file)),
  }
  return encodeContainer(entrySchema(spec.fields, schema, deletes), metadata, records, sync)
}

export function isDeletes({ content = 'data' }: DataFile): boolean {
  return content !== 'data'
}

export function partitionTypes(schema: Schema, spec: PartitionSpec): string[] {
  return spec.fields.map((f) => resultType(f.transform, sourceType(schema, f['source-id'])))
}

/** Reads a manifest; sequence numbers that are inherited come from its entry in the list. */
export function decodeManifest(
  bytes: Uint8Array,
  listed: ManifestFile,
  inflate?: Inflate,
): ManifestEntry[] {
  const { metadata, records } = decodeContainer(bytes, inflate)
  const schema: Schema = JSON.parse(metadata.schema as string)
  const fields: PartitionField[] = JSON.parse(metadata['partition-spec'] as string)
  const types = partitionTypes(schema, { 'spec-id': listed.partition_spec_id, fields })
  const keys = partitionKeys(JSON.parse(metadata['avro.schema'] as string), fields)
  const sums = checksumsIn(metadata, records.length)
  return (records as any[]).map((record, i) => {
    // All of version 1 has the number 0, whatever its status (spec, Sequence Numbers).
    const inherits = record.status === 1 || listed.sequence_number === 0
    const inherited = inherits ? listed.sequence_number : null
    return {
      status: statuses[record.status] as EntryStatus,
      snapshotId: record.snapshot_id ?? listed.added_snapshot_id,
      sequenceNumber: record.sequence_number ?? inherited,
      fileSequenceNumber: record.file_sequence_number ?? inherited,
      file: { ...toDataFile(record.data_file, keys, types), ...sums[i] },
    }
  })
}

/** The field of position deletes that names data files. */
const FILE_PATH = positionsSchema.fields[0]?.id as number

/**
 * The data file that deletes are about: writers that do not say so give the path as both bounds,
 * which are exact (spec, Position Delete Files).
 */
function referencedBy(record: any, columns: ReadonlyMap<number, ColumnStatistics>) {
  if (record.referenced_data_file) return { referenced: record.referenced_data_file as string }
  const { lower, upper } = columns.get(FILE_PATH) ?? {}
  const isOne = contents[record.content] === 'position deletes' && lower && upper
  if (!isOne || Buffer.compare(lower, upper) !== 0) return {}
  return { referenced: new TextDecoder().decode(lower) }
}

function toDataFile(record: any, keys: readonly string[], types: string[]): DataFile {
  const columns = new Map<number, ColumnStatistics>()
  const put = <N extends keyof ColumnStatistics>(list: Pairs<ColumnStatistics[N]>, name: N) => {
    for (const { key, value } of list ?? []) {
      const known = columns.get(key)
      if (known) known[name] = value
      else columns.set(key, { [name]: value })
    }
  }
  put(record.column_sizes, 'size')
  put(record.value_counts, 'values')
  put(record.null_value_counts, 'nulls')
  put(record.nan_value_counts, 'nans')
  put(record.lower_bounds, 'lower')
  put(record.upper_bounds, 'upper')
  return {
    path: record.file_path,
    rows: record.record_count,
    bytes: record.file_size_in_bytes,
    partition: keys.map((key, i) =>
      fromAvroValue(record.partition[key] ?? null, types[i] as string),
    ),
    columns,
    ...(/^parquet$/i.test(record.file_format) ? {} : { format: String(record.file_format) }),
    ...(record.content ? { content: contents[record.content] as Content } : {}),
    ...(record.equality_ids ? { equalityIds: record.equality_ids } : {}),
    ...referencedBy(record, columns),
    ...(record.split_offsets ? { splitOffsets: record.split_offsets } : {}),
  }
}
