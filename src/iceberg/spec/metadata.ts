import type { Partition } from '../../define/partition.js'
import type { Field } from '../../define/types/column-type.js'
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
  'sort-orders': SortOrder[]
  properties: Record<string, string>
  'current-snapshot-id': Id
  refs: Record<string, SnapshotRef>
  snapshots: Snapshot[]
  'snapshot-log': { 'timestamp-ms': number; 'snapshot-id': Id }[]
  'metadata-log': { 'timestamp-ms': number; 'metadata-file': string }[]
  /** Files of statistics that engines have made, each of one snapshot. */
  statistics?: StatisticsFile[]
  'partition-statistics'?: StatisticsFile[]
}

/** What engines say of a file of statistics, as far as it is used here (spec, Statistics). */
export interface StatisticsFile extends Readonly<Record<string, unknown>> {
  'snapshot-id': Id
  'statistics-path': string
}

/** An id of a snapshot: other writers use all 63 bits, which JavaScript's numbers can't hold. */
export type Id = number | bigint

/**
 * A name for a snapshot (spec, Snapshot References), and how long it protects snapshots from
 * expiry.
 */
export interface SnapshotRef {
  'snapshot-id': Id
  type: 'branch' | 'tag'
  'min-snapshots-to-keep'?: number
  'max-snapshot-age-ms'?: number
  'max-ref-age-ms'?: number
}

export interface SortOrder {
  'order-id': number
  fields: SortField[]
}

export interface SortField {
  transform: string
  'source-id': number
  direction: 'asc' | 'desc'
  'null-order': 'nulls-first' | 'nulls-last'
}

export type Operation = 'append' | 'overwrite' | 'delete' | 'replace'

export interface Snapshot {
  'snapshot-id': Id
  'parent-snapshot-id'?: Id
  'sequence-number': number
  'timestamp-ms': number
  summary: { operation: Operation } & Record<string, string>
  'manifest-list': string
  'schema-id'?: number
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
    properties: {
      'gc.enabled': 'false',
      'write.parquet.compression-codec': 'zstd',
      'write.metadata.previous-versions-max': '100',
      'history.expire.min-snapshots-to-keep': '100',
    },
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

/**
 * The metadata with these columns as its current schema; a schema it had before is used again, but
 * a column that was gone in between comes back under a new id, without its old values.
 */
export function withSchema(
  metadata: TableMetadata,
  columns: readonly Field[],
  renamed: Readonly<Record<string, string>> = {},
): TableMetadata {
  const newest = metadata.schemas.length > 0 ? currentSchema(metadata).fields : []
  const { fields, lastColumnId } = toFields(columns, newest, metadata['last-column-id'], renamed)
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
  return {
    ...metadata,
    'last-sequence-number': snapshot['sequence-number'],
    'last-updated-ms': time,
    'current-snapshot-id': id,
    refs: { ...metadata.refs, main: { ...metadata.refs.main, 'snapshot-id': id, type: 'branch' } },
    snapshots: [...metadata.snapshots, snapshot],
    'snapshot-log': [...metadata['snapshot-log'], { 'timestamp-ms': time, 'snapshot-id': id }],
    'metadata-log': withPrevious(metadata, previousFile),
  }
}

function withPrevious(metadata: TableMetadata, previousFile: string | undefined) {
  const log = metadata['metadata-log'] ?? []
  if (previousFile === undefined) return log
  const most = Number(metadata.properties?.['write.metadata.previous-versions-max'] ?? 100)
  const entry = { 'timestamp-ms': metadata['last-updated-ms'], 'metadata-file': previousFile }
  return [...log, entry].slice(-most)
}

/** The metadata after a change that makes no snapshot, such as a new column. */
export function withUpdate(
  metadata: TableMetadata,
  now: number,
  previousFile: string | undefined,
): TableMetadata {
  return {
    ...metadata,
    'last-updated-ms': Math.max(now, metadata['last-updated-ms'] + 1),
    'metadata-log': withPrevious(metadata, previousFile),
  }
}

/** The metadata with a name for a snapshot, or with it moved there. */
export function withRef(metadata: TableMetadata, name: string, ref: SnapshotRef): TableMetadata {
  return { ...metadata, refs: { ...metadata.refs, [name]: ref } }
}

export function withoutRef(metadata: TableMetadata, name: string): TableMetadata {
  const { [name]: _, ...refs } = metadata.refs
  return { ...metadata, refs }
}

/**
 * The metadata with this order as its default; one that it had before is used again (spec,
 * Sorting).
 */
export function withSortOrder(
  metadata: TableMetadata,
  fields: readonly SortField[],
): TableMetadata {
  const same = metadata['sort-orders'].find(
    (order) => JSON.stringify(order.fields) === JSON.stringify(fields),
  )
  if (same) return { ...metadata, 'default-sort-order-id': same['order-id'] }
  const id = Math.max(...metadata['sort-orders'].map((order) => order['order-id'])) + 1
  const order = { 'order-id': id, fields: [...fields] }
  return {
    ...metadata,
    'sort-orders': [...metadata['sort-orders'], order],
    'default-sort-order-id': id,
  }
}

/**
 * The metadata without snapshots that nobody needs: each branch keeps its newest ones (as many as
 * its reference or the table says, and all that are young enough), each tag its own. Files stay: an
 * older commit of the lake still leads to them.
 *
 * @param keep how many and how old (in milliseconds before `now`), where the table is not to be
 *   asked.
 */
export function expireSnapshots(
  metadata: TableMetadata,
  now: number,
  keep?: { least: number; age: number },
): TableMetadata {
  const byId = new Map(metadata.snapshots.map((s) => [String(s['snapshot-id']), s]))
  const { properties } = metadata
  const {
    least = Number(properties['history.expire.min-snapshots-to-keep'] ?? 1),
    age = Number(properties['history.expire.max-snapshot-age-ms'] ?? 0),
  } = keep ?? {}
  const refs = Object.entries(metadata.refs).filter(([name, ref]) => {
    const snapshot = byId.get(String(ref['snapshot-id']))
    const oldest = now - (ref['max-ref-age-ms'] ?? Number.POSITIVE_INFINITY)
    return name === 'main' || (snapshot !== undefined && snapshot['timestamp-ms'] >= oldest)
  })
  const kept = new Set<string>()
  for (const [, ref] of refs) {
    const tag = ref.type === 'tag'
    const most = tag ? 1 : (ref['min-snapshots-to-keep'] ?? least)
    const youngest = now - (ref['max-snapshot-age-ms'] ?? age)
    let id: Id | undefined = ref['snapshot-id']
    for (let n = 0; id !== undefined; n++) {
      const snapshot = byId.get(String(id))
      if (!snapshot || (n >= most && (tag || snapshot['timestamp-ms'] < youngest))) break
      kept.add(String(id))
      id = snapshot['parent-snapshot-id']
    }
  }
  if (kept.size === metadata.snapshots.length) return metadata
  // The log of snapshots may only go back to the first gap (spec, Table Metadata Fields).
  const log = metadata['snapshot-log']
  const gap = log.findLastIndex((entry) => !kept.has(String(entry['snapshot-id'])))
  return {
    ...metadata,
    refs: Object.fromEntries(refs),
    snapshots: metadata.snapshots.filter((s) => kept.has(String(s['snapshot-id']))),
    'snapshot-log': log.slice(gap + 1),
    ...statisticsOf(metadata, kept),
  }
}

/** The statistics of those snapshots that are kept. */
export function statisticsOf(
  metadata: Pick<TableMetadata, 'statistics' | 'partition-statistics'>,
  kept: ReadonlySet<string>,
): Pick<TableMetadata, 'statistics' | 'partition-statistics'> {
  const left = (files: readonly StatisticsFile[]) =>
    files.filter((file) => kept.has(String(file['snapshot-id'])))
  const { statistics, 'partition-statistics': partitions } = metadata
  return {
    ...(statistics ? { statistics: left(statistics) } : {}),
    ...(partitions ? { 'partition-statistics': left(partitions) } : {}),
  }
}

/** The snapshots that a branch or tag names, by their ids. */
export function namedSnapshots({ refs }: Pick<TableMetadata, 'refs'>): Set<string> {
  return new Set(Object.values(refs).map((ref) => String(ref['snapshot-id'])))
}
