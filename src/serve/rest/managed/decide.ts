import { isObject, type Json, textOf } from '../../../iceberg/spec/updates/json.js'
import type { AnyMetadata } from '../../../iceberg/spec/updates/metadata-json.js'
import { ownValue } from '../../../own-value.js'
import { refusedSnapshot, refusedUpdate } from './refusals.js'

/** What a client wants of a table that `lake.ts` defines. */
export interface ManagedRequest {
  /** `silver.orders`. */
  table: string
  metadata: AnyMetadata
  updates: readonly Json[]
}

/** What becomes of it; `did` says which names it changes, in words. */
export type ManagedDecision =
  /** Rows and shape stay as they are: tags and statistics come and go. */
  | { as: 'names'; did: readonly string[] }
  /** The same rows in other files, if the files hold what the snapshot says. */
  | { as: 'rewrite'; did: readonly string[] }
  | { as: 'refused'; why: string }

/** Whether a client may change a table that `lake.ts` defines, by what it wants changed. */
export function decideManaged({ table, metadata, updates }: ManagedRequest): ManagedDecision {
  const snapshots = updates.flatMap(({ action, snapshot }) =>
    action === 'add-snapshot' && isObject(snapshot) ? [snapshot] : [],
  )
  const did: string[] = []
  for (const update of updates) {
    if (isOfSnapshot(update, snapshots)) continue
    const named = naming(metadata, update)
    if (named === undefined) return { as: 'refused', why: refusedUpdate(table, update) }
    if (named) did.push(named)
  }
  const names = [...new Set(did)]
  const [snapshot] = snapshots
  if (!snapshot) return { as: 'names', did: names }
  const why = refusedRewrite(table, metadata, updates, snapshots)
  return why === undefined ? { as: 'rewrite', did: names } : { as: 'refused', why }
}

/** Whether an update adds a snapshot, or makes it the current one. */
function isOfSnapshot(update: Json, added: readonly Json[]): boolean {
  const { action, type, 'ref-name': name, 'snapshot-id': id } = update
  if (action === 'add-snapshot') return added.length > 0
  if (action !== 'set-snapshot-ref' || name !== 'main' || type !== 'branch') return false
  return added.some((snapshot) => isSameId(snapshot['snapshot-id'], id))
}

/** Why snapshots are not one that has the same rows in other files, by what they say themselves. */
function refusedRewrite(
  table: string,
  metadata: AnyMetadata,
  updates: readonly Json[],
  snapshots: readonly Json[],
): string | undefined {
  const other = snapshots.find(
    ({ summary }) => !isObject(summary) || summary.operation !== 'replace',
  )
  if (other) return refusedSnapshot(table, other)
  const cannot = `Cannot rewrite files of ${table}`
  const [snapshot, second] = snapshots
  if (second) return `${cannot}: the request has several snapshots. Send one at a time`
  const { 'parent-snapshot-id': parent, 'schema-id': schema } = snapshot as Json
  if (!isSameId(parent, metadata['current-snapshot-id']))
    return `${cannot}: snapshot ${parent ?? 'none'}, from which they were made, is not the current one`
  if (schema !== undefined && schema !== null && schema !== metadata['current-schema-id'])
    return `${cannot}: the snapshot has schema ${schema}, and the table has ${metadata['current-schema-id']}`
  const isShown = updates.some(
    (update) => update.action === 'set-snapshot-ref' && isOfSnapshot(update, snapshots),
  )
  return isShown
    ? undefined
    : `${cannot}: the snapshot is for a branch, and the table can have none`
}

const isSameId = (a: unknown, b: unknown) => String(a) === String(b)

/**
 * What an update that leaves rows and shape alone does, in words: nothing, where it says what is so
 * already. `undefined` for all others.
 */
function naming(metadata: AnyMetadata, update: Json): string | undefined {
  const name = String(update['ref-name'] ?? '')
  const type = name === 'main' ? 'branch' : ownValue(metadata.refs, name)?.type
  switch (textOf(update, 'action')) {
    case 'set-snapshot-ref':
      return update.type === 'tag' && type !== 'branch' ? `tag ${name}` : undefined
    case 'remove-snapshot-ref':
      return type === 'branch' ? undefined : `remove tag ${name}`
    case 'set-statistics':
    case 'set-partition-statistics':
      return 'set statistics'
    case 'remove-statistics':
    case 'remove-partition-statistics':
      return 'remove statistics'
    case 'assign-uuid':
      return isSameText(update.uuid, metadata['table-uuid']) ? '' : undefined
    case 'upgrade-format-version':
      return update['format-version'] === metadata['format-version'] ? '' : undefined
    default:
      return undefined
  }
}

const isSameText = (a: unknown, b: string) => String(a).toLowerCase() === b.toLowerCase()
