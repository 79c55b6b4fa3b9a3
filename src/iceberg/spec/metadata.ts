import type { PartitionSpec } from './transforms.js'
import type { Schema } from './types.js'

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
export type SnapshotRef = {
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

export function currentSchema(metadata: TableMetadata): Schema {
  return metadata.schemas.find((s) => s['schema-id'] === metadata['current-schema-id']) as Schema
}

export function currentSpec(metadata: TableMetadata): PartitionSpec {
  const id = metadata['default-spec-id']
  return metadata['partition-specs'].find((s) => s['spec-id'] === id) as PartitionSpec
}

/** Whether two ids are the same: one may be a number where the other is a bigint. */
export const isSameId = (a: unknown, b: unknown) => String(a) === String(b)

export function currentSnapshot(metadata: TableMetadata): Snapshot | undefined {
  const id = metadata['current-snapshot-id']
  return metadata.snapshots.find((s) => isSameId(s['snapshot-id'], id))
}

/** The snapshots that a branch or tag names, by their ids. */
export function namedSnapshots({ refs }: Pick<TableMetadata, 'refs'>): Set<string> {
  return new Set(Object.values(refs).map((ref) => String(ref['snapshot-id'])))
}
