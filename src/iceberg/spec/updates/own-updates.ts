import { partitionFieldName } from '../../../define/partition.js'
import type { Shape } from '../../change.js'
import {
  currentSchema,
  currentSpec,
  type Id,
  type Snapshot,
  type SnapshotRef,
  type TableMetadata,
} from '../metadata.js'
import { transformName } from '../transforms.js'
import { type IcebergField, toFields } from '../types.js'
import type { NewPartitionField, TableUpdate } from './table-update.js'

/** What a table of the lake begins with. */
export function creating(uuid: string, location: string): TableUpdate[] {
  return [
    { action: 'assign-uuid', uuid },
    { action: 'set-location', location },
    { action: 'add-sort-order', 'sort-order': { fields: [] } },
    { action: 'set-default-sort-order', 'sort-order-id': -1 },
    {
      action: 'set-properties',
      updates: {
        // Moraine alone deletes data files: the log may still refer to what one table has dropped.
        'gc.enabled': 'false',
        'write.parquet.compression-codec': 'zstd',
        'write.metadata.previous-versions-max': '100',
        'history.expire.min-snapshots-to-keep': '100',
      },
    },
  ]
}

/**
 * What gives a table these columns and partitions; nothing for what it has already. A schema or
 * spec it had before is used again, but a column that was gone in between comes back under a new
 * id, without its old values.
 */
export function reshaping(metadata: TableMetadata, shape: Shape): TableUpdate[] {
  const { columns, partitions, about = {}, renamed } = shape
  const before = metadata.schemas.length > 0 ? currentSchema(metadata).fields : []
  const { fields } = toFields(columns, before, metadata['last-column-id'], renamed)
  const { properties } = metadata
  const said = Object.entries(about).filter(([name, text]) => properties[name] !== text)
  const specFields = partitions.map((partition) => ({
    'source-id': fields.find(({ name }) => name === partition.column)?.id ?? 0,
    name: partitionFieldName(partition),
    transform: transformName(partition),
  }))
  return [
    ...schemaUpdates(metadata, fields),
    ...specUpdates(metadata, specFields),
    ...(said.length > 0
      ? [{ action: 'set-properties', updates: Object.fromEntries(said) } as const]
      : []),
  ]
}

function schemaUpdates(metadata: TableMetadata, fields: IcebergField[]): TableUpdate[] {
  const text = JSON.stringify(fields)
  const current = metadata.schemas.length > 0 ? currentSchema(metadata) : undefined
  if (current && JSON.stringify(current.fields) === text) return []
  const same = metadata.schemas.find((one) => JSON.stringify(one.fields) === text)
  if (same) return [{ action: 'set-current-schema', 'schema-id': same['schema-id'] }]
  return [
    // Which id it gets is decided when it is added.
    { action: 'add-schema', schema: { type: 'struct', 'schema-id': 0, fields } },
    { action: 'set-current-schema', 'schema-id': -1 },
  ]
}

function specUpdates(metadata: TableMetadata, fields: NewPartitionField[]): TableUpdate[] {
  const now = metadata['partition-specs'].length > 0 ? currentSpec(metadata).fields : undefined
  const isSame = fields.every((field, i) => {
    const { 'source-id': source, name, transform } = now?.[i] ?? {}
    return field['source-id'] === source && field.name === name && field.transform === transform
  })
  if (isSame && now?.length === fields.length) return []
  return [
    { action: 'add-spec', spec: { fields } },
    { action: 'set-default-spec', 'spec-id': -1 },
  ]
}

/** What makes a snapshot the newest of the main branch. */
export function adding({ refs }: TableMetadata, snapshot: Snapshot): TableUpdate[] {
  const id = snapshot['snapshot-id']
  return [{ action: 'add-snapshot', snapshot }, naming('main', { ...refs.main, ...branch(id) })]
}

const branch = (id: Id) => ({ 'snapshot-id': id, type: 'branch' as const })

/** What gives a snapshot a name, or moves it there. */
export const naming = (name: string, ref: SnapshotRef): TableUpdate => ({
  action: 'set-snapshot-ref',
  'ref-name': name,
  ...ref,
})

/**
 * What removes snapshots that nobody needs: each branch keeps its newest ones (as many as its
 * reference or the table says, and all that are young enough), each tag its own. Files stay: an
 * older commit of the lake still leads to them.
 *
 * @param keep how many and how old (in milliseconds before `now`), where the table is not to be
 *   asked.
 */
export function expiring(
  { snapshots, properties, refs: all }: TableMetadata,
  now: number,
  keep?: { least: number; age: number },
): TableUpdate[] {
  const byId = new Map(snapshots.map((s) => [String(s['snapshot-id']), s]))
  const {
    least = Number(properties['history.expire.min-snapshots-to-keep'] ?? 1),
    age = Number(properties['history.expire.max-snapshot-age-ms'] ?? 0),
  } = keep ?? {}
  const isKept = ([name, ref]: [string, SnapshotRef]) => {
    const snapshot = byId.get(String(ref['snapshot-id']))
    const oldest = now - (ref['max-ref-age-ms'] ?? Number.POSITIVE_INFINITY)
    return name === 'main' || (snapshot !== undefined && snapshot['timestamp-ms'] >= oldest)
  }
  const kept = new Set<string>()
  for (const [, ref] of Object.entries(all).filter(isKept)) {
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
  const gone = snapshots.map((s) => s['snapshot-id']).filter((id) => !kept.has(String(id)))
  if (gone.length === 0) return []
  const names = Object.entries(all).filter((ref) => !isKept(ref))
  return [
    ...names.map(([name]) => ({ action: 'remove-snapshot-ref', 'ref-name': name }) as const),
    { action: 'remove-snapshots', 'snapshot-ids': gone },
  ]
}
