import { ownValue } from '../../../own-value.js'
import { type Apply, change, type Draft, draftOf } from './draft.js'
import { integerOf, type Json, longOf, namesOf, objectOf, textOf, textsOf } from './json.js'
import { type AnyMetadata, asWritten, emptyMetadata, VERSIONS } from './metadata-json.js'
import { invalid } from './refused.js'
import { partitionStatisticsFrom, statisticsFrom } from './sent-parts.js'
import { shapeUpdates } from './shape-updates.js'
import { snapshotUpdates, withoutGaps } from './snapshot-updates.js'

/** Where the metadata that are changed lie, and when that is. */
export interface Applied {
  /** The file of the metadata before, for their log; `undefined` for a table that is new. */
  previousFile?: string | undefined
  /** Milliseconds since 1970. */
  now: number
}

/**
 * Applies updates to table metadata (REST specification, TableUpdate): what a commit of a client
 * does to a table.
 *
 * @param before the metadata that lie there; `undefined` for a table that is being made.
 * @returns the metadata after it, or the very same where nothing changes.
 * @throws RefusedUpdate when an update can't be applied.
 */
export function applyUpdates(
  before: AnyMetadata | undefined,
  updates: readonly Json[],
  { previousFile, now }: Applied,
): AnyMetadata {
  const begun = before ?? emptyMetadata(versionOf(updates))
  const draft = draftOf(begun, now)
  for (const update of updates) applyOne(draft, update)
  if (draft.metadata === begun && before) return begun
  const metadata = withoutGaps(begun, draft)
  refuseIncomplete(metadata)
  const earlier = begun['last-updated-ms']
  return asWritten({
    ...metadata,
    'last-updated-ms': draft.updated ?? Math.max(now, earlier + (before ? 1 : 0)),
    'metadata-log': before && previousFile ? logged(begun, metadata, previousFile) : [],
  })
}

/**
 * Metadata with updates that nobody has written yet: when, and behind which file, is said once they
 * are.
 */
export function withUpdates<M extends AnyMetadata>(metadata: M, updates: readonly Json[]): M {
  const now = metadata['last-updated-ms']
  const draft = draftOf(metadata, now)
  for (const update of updates) applyOne(draft, update)
  return draft.metadata as M
}

/** The version of the format that a new table begins with. */
function versionOf(updates: readonly Json[]): number {
  const upgrade = updates.find(({ action }) => action === 'upgrade-format-version')
  return upgrade ? integerOf(upgrade, 'format-version') : 2
}

function applyOne(draft: Draft, update: Json): void {
  const action = textOf(update, 'action')
  const apply = ownValue(updates, action)
  if (!apply) throw invalid(`Unsupported update: ${action}`)
  apply(draft, update)
}

function refuseIncomplete(metadata: AnyMetadata): void {
  const missing = [
    metadata['table-uuid'] ? '' : 'uuid',
    metadata.location ? '' : 'location',
    metadata['current-schema-id'] < 0 ? 'schema' : '',
    metadata['default-spec-id'] < 0 ? 'partition spec' : '',
    metadata['default-sort-order-id'] < 0 ? 'sort order' : '',
  ].filter(Boolean)
  if (missing.length > 0) throw invalid(`The table has no ${missing.join(', no ')}`)
}

/** Metadata that were made of others otherwise than by updates: when, and behind which file. */
export function following<M extends AnyMetadata>(
  before: M,
  metadata: M,
  { previousFile, now }: { previousFile: string; now: number },
): M {
  return {
    ...metadata,
    'last-updated-ms': Math.max(now, before['last-updated-ms'] + 1),
    'metadata-log': logged(before, metadata, previousFile),
  }
}

function logged(before: AnyMetadata, after: AnyMetadata, file: string) {
  const most = Number(after.properties['write.metadata.previous-versions-max'] ?? 100)
  const entry = { 'timestamp-ms': before['last-updated-ms'], 'metadata-file': file }
  return [...before['metadata-log'], entry].slice(-Math.max(1, most || 1))
}

const assignUuid: Apply = (draft, update) => {
  const [uuid, known] = [textOf(update, 'uuid'), draft.metadata['table-uuid']]
  if (known && known.toLowerCase() !== uuid.toLowerCase())
    throw invalid(`Cannot reassign uuid: ${known}`)
  if (!known) change(draft, { 'table-uuid': uuid })
}

const upgrade: Apply = (draft, update) => {
  const [version, known] = [integerOf(update, 'format-version'), draft.metadata['format-version']]
  if (!VERSIONS.includes(version)) throw invalid(`Unsupported format version: v${version}`)
  if (version < known) throw invalid(`Cannot downgrade v${known} table to v${version}`)
  if (version === known) return
  const rows = version >= 3 ? { 'next-row-id': draft.metadata['next-row-id'] ?? 0 } : {}
  const { schema: _, 'partition-spec': __, ...rest } = draft.metadata
  draft.metadata = { ...rest, 'format-version': version, ...rows }
}

const setLocation: Apply = (draft, update) => {
  const location = textOf(update, 'location').replace(/\/+$/, '')
  if (location !== draft.metadata.location) change(draft, { location })
}

const setProperties: Apply = (draft, update) => {
  const updates = textsOf(update, 'updates')
  if (Object.keys(updates).length === 0) return
  change(draft, { properties: { ...draft.metadata.properties, ...updates } })
}

const removeProperties: Apply = (draft, update) => {
  const removals = new Set(namesOf(update, 'removals'))
  if (removals.size === 0) return
  const kept = Object.entries(draft.metadata.properties).filter(([name]) => !removals.has(name))
  change(draft, { properties: Object.fromEntries(kept) })
}

/** Files of statistics, of which each snapshot has one. */
function setFile(name: 'statistics' | 'partition-statistics', from: (json: Json) => Json): Apply {
  return (draft, update) => {
    const file = from(objectOf(update, name))
    const id = String(file['snapshot-id'])
    const others = (draft.metadata[name] ?? []).filter((one) => String(one['snapshot-id']) !== id)
    change(draft, { [name]: [...others, file] })
  }
}

function removeFile(name: 'statistics' | 'partition-statistics'): Apply {
  return (draft, update) => {
    const id = String(longOf(update, 'snapshot-id'))
    const before = draft.metadata[name] ?? []
    const kept = before.filter((one) => String(one['snapshot-id']) !== id)
    if (kept.length < before.length) change(draft, { [name]: kept })
  }
}

const addKey: Apply = (draft, update) => {
  const key = objectOf(update, 'encryption-key')
  const id = textOf(key, 'key-id')
  const known = draft.metadata['encryption-keys'] ?? []
  if (known.some((one) => one['key-id'] === id)) return
  change(draft, { 'encryption-keys': [...known, key] })
}

const removeKey: Apply = (draft, update) => {
  const id = textOf(update, 'key-id')
  const known = draft.metadata['encryption-keys'] ?? []
  const kept = known.filter((one) => one['key-id'] !== id)
  if (kept.length < known.length) change(draft, { 'encryption-keys': kept })
}

/** All updates of tables, by their action. */
const updates: Readonly<Record<string, Apply>> = {
  'assign-uuid': assignUuid,
  'upgrade-format-version': upgrade,
  'set-location': setLocation,
  'set-properties': setProperties,
  'remove-properties': removeProperties,
  'set-statistics': setFile('statistics', statisticsFrom),
  'remove-statistics': removeFile('statistics'),
  'set-partition-statistics': setFile('partition-statistics', partitionStatisticsFrom),
  'remove-partition-statistics': removeFile('partition-statistics'),
  'add-encryption-key': addKey,
  'remove-encryption-key': removeKey,
  ...shapeUpdates,
  ...snapshotUpdates,
}
