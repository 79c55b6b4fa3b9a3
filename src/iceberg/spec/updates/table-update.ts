import type { SnapshotRef, SortField } from '../metadata.js'
import type { PartitionField } from '../transforms.js'
import type { Schema } from '../types.js'
import type { AnySnapshot } from './metadata-json.js'

/**
 * Updates that Moraine makes of its own tables, in the words of the REST protocol (REST
 * specification, TableUpdate). An id of -1 stands for what was added last.
 */
export type TableUpdate =
  | { action: 'assign-uuid'; uuid: string }
  | { action: 'set-location'; location: string }
  | { action: 'set-properties'; updates: Readonly<Record<string, string>> }
  | { action: 'add-schema'; schema: Schema }
  | { action: 'set-current-schema'; 'schema-id': number }
  | { action: 'add-spec'; spec: { fields: readonly NewPartitionField[] } }
  | { action: 'set-default-spec'; 'spec-id': number }
  | { action: 'add-sort-order'; 'sort-order': { fields: readonly SortField[] } }
  | { action: 'set-default-sort-order'; 'sort-order-id': number }
  | { action: 'add-snapshot'; snapshot: AnySnapshot }
  | ({ action: 'set-snapshot-ref'; 'ref-name': string } & SnapshotRef)
  | { action: 'remove-snapshot-ref'; 'ref-name': string }
  | { action: 'remove-snapshots'; 'snapshot-ids': readonly (number | bigint)[] }

/** A partition field that gets its id when it is added: the one it had before, or a new one. */
export type NewPartitionField = Omit<PartitionField, 'field-id'>
