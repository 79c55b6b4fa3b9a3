import type { Field } from '../../define/column-type.js'
import type { Partition } from '../../define/partition.js'
import {
  type PartitionField,
  type PartitionSpec,
  partitionFieldName,
  transformName,
} from './transforms.js'
import { type Schema, sameFields, toFields } from './types.js'

/** Table metadata, format version 2 (spec, Table Metadata and Appendix C). */
export interface TableMetadata {
  'format-version': 2
  'table-uuid': string
  location: string
  'last-sequence-number': number
  'last-updated-ms': number
  'last-column-id': number
  'current-schema-id': number
  schemas: Schema[]
  'default-spec-id': number
  'partition-specs': PartitionSpec[]
  'last-partition-id': number
  'default-sort-order-id': number
  'sort-orders': { 'order-id': number; fields: [] }[]
  properties: Record<string, string>
  'current-snapshot-id': number
  refs: Record<string, { 'snapshot-id': number; type: 'branch' | 'tag' }>
  snapshots: Snapshot[]
  'snapshot-log': { 'timestamp-ms': number; 'snapshot-id': number }[]
  'metadata-log': { 'timestamp-ms': number; 'metadata-file': string }[]
}

export type Operation = 'append' | 'overwrite' | 'delete'

export interface Snapshot {
  'snapshot-id': number
  'parent-snapshot-id'?: number
  'sequence-number': number
  'timestamp-ms': number
  summary: { operation: Operation } & Record<string, string>
  'manifest-list': string
  'schema-id': number
}

const FIRST_PARTITION_ID = 999

/** Metadata of a table without snapshots. */
export function newTable(uuid: string, location: string): TableMetadata {
  return {
    'format-version': 2,
    'table-uuid': uuid,
    location,
    'last-sequence-number': 0,
    'last-updated-ms': 0,
    'last-column-id': 0,
    'current-schema-id': 0,
    schemas: [],
    'default-spec-id': 0,
    'partition-specs': [],
    'last-partition-id': FIRST_PARTITION_ID,
    'default-sort-order-id': 0,
    'sort-orders': [{ 'order-id': 0, fields: [] }],
    // Moraine alone deletes data files: the log may still refer to what one table has dropped.
    properties: { 'gc.enabled': 'false', 'write.parquet.compression-codec': 'zstd' },
    'current-snapshot-id': -1,
    refs: {},
    snapshots: [],
    'snapshot-log': [],
    'metadata-log': [],
  }
}

export function currentSchema(metadata: TableMetadata): Schema {
  return metadata.schemas.find((s) => s['schema-id'] === metadata['current-schema-id']) as Schema
}

export function currentSpec(metadata: TableMetadata): PartitionSpec {
  const id = metadata['default-spec-id']
  return metadata['partition-specs'].find((s) => s['spec-id'] === id) as PartitionSpec
}

export function currentSnapshot(metadata: TableMetadata): Snapshot | undefined {
  const id = metadata['current-snapshot-id']
  return metadata.snapshots.find((s) => s['snapshot-id'] === id)
}

/** The metadata with these columns as its current schema; a schema it had before is used again. */
export function withSchema(metadata: TableMetadata, columns: readonly Field[]): TableMetadata {
  const known = metadata.schemas.flatMap((s) => s.fields)
  const newest = metadata.schemas.length > 0 ? currentSchema(metadata).fields : []
  const { fields, lastColumnId } = toFields(
    columns,
    [...newest, ...known],
    metadata['last-column-id'],
  )
  const same = metadata.schemas.find((s) => sameFields(s.fields, fields))
  if (same) return { ...metadata, 'current-schema-id': same['schema-id'] }
  const id = metadata.schemas.reduce((max, s) => Math.max(max, s['schema-id']), -1) + 1
  return {
    ...metadata,
    schemas: [...metadata.schemas, { type: 'struct', 'schema-id': id, fields }],
    'current-schema-id': id,
    'last-column-id': lastColumnId,
  }
}

/** The metadata with this partitioning as its default; a spec it had before is used again. */
export function withPartitions(
  metadata: TableMetadata,
  partitions: readonly Partition[],
): TableMetadata {
  const schema = currentSchema(metadata)
  const known = metadata['partition-specs'].flatMap((s) => s.fields)
  let last = metadata['last-partition-id']
  const fields = partitions.map((partition): PartitionField => {
    const source = schema.fields.find((f) => f.name === partition.column)?.id ?? 0
    const transform = transformName(partition)
    const old = known.find((f) => f['source-id'] === source && f.transform === transform)
    return {
      'source-id': source,
      'field-id': old?.['field-id'] ?? ++last,
      name: partitionFieldName(partition),
      transform,
    }
  })
  const same = metadata['partition-specs'].find(
    (s) => JSON.stringify(s.fields) === JSON.stringify(fields),
  )
  if (same) return { ...metadata, 'default-spec-id': same['spec-id'] }
  const id = metadata['partition-specs'].reduce((max, s) => Math.max(max, s['spec-id']), -1) + 1
  return {
    ...metadata,
    'partition-specs': [...metadata['partition-specs'], { 'spec-id': id, fields }],
    'default-spec-id': id,
    'last-partition-id': last,
  }
}

/** The metadata after a snapshot; `previousFile` is where the metadata before it lies. */
export function withSnapshot(
  metadata: TableMetadata,
  snapshot: Snapshot,
  previousFile: string | undefined,
): TableMetadata {
  const id = snapshot['snapshot-id']
  const time = snapshot['timestamp-ms']
  const before = {
    'timestamp-ms': metadata['last-updated-ms'],
    'metadata-file': previousFile ?? '',
  }
  return {
    ...metadata,
    'last-sequence-number': snapshot['sequence-number'],
    'last-updated-ms': time,
    'current-snapshot-id': id,
    refs: { ...metadata.refs, main: { 'snapshot-id': id, type: 'branch' } },
    snapshots: [...metadata.snapshots, snapshot],
    'snapshot-log': [...metadata['snapshot-log'], { 'timestamp-ms': time, 'snapshot-id': id }],
    'metadata-log': previousFile ? [...metadata['metadata-log'], before] : metadata['metadata-log'],
  }
}
