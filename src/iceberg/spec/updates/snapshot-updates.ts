import { ownValue } from '../../../own-value.js'
import { type Id, isSameId } from '../metadata.js'
import { type Apply, change, type Draft } from './draft.js'
import { isSame, type Json, listOf, longOf, objectOf, textOf } from './json.js'
import type { AnyMetadata, AnySnapshot } from './metadata-json.js'
import { conflict, invalid } from './refused.js'
import { refFrom, snapshotFrom } from './sent-parts.js'

const addSnapshot: Apply = (draft, update) => {
  const sent = snapshotFrom(objectOf(update, 'snapshot'))
  const id = String(sent['snapshot-id'])
  const { metadata } = draft
  if (metadata.schemas.length === 0)
    throw invalid('Attempting to add a snapshot before a schema is added')
  // Whoever knows what snapshots of before lead to takes one with such an id for the same.
  if (
    draft.removed.has(id) ||
    metadata.snapshots.some((known) => isSameId(known['snapshot-id'], id))
  )
    throw invalid(`Snapshot already exists for id: ${id}`)
  const snapshot = sent as unknown as AnySnapshot
  change(draft, {
    snapshots: [...metadata.snapshots, snapshot],
    ...sequenced(metadata, sent),
    ...rowsOf(metadata, sent),
  })
  draft.added.add(id)
  draft.updated = changedAt(draft, snapshot['timestamp-ms'])
}

/** Milliseconds by which Iceberg's Java library lets clocks differ. */
const SKEW = 60_000

/**
 * When a table changed by a snapshot: when that was made, as far as the clock of its engine can be
 * right. Iceberg's Java library opens no table whose times go back, and adds no snapshot to one
 * whose last change is yet to come.
 */
function changedAt({ metadata, updated, now }: Draft, made: number): number {
  return Math.max(Math.min(made, now + SKEW), updated ?? metadata['last-updated-ms'])
}

/** Two that began at one state can't both be the next: who comes second has to look again. */
function sequenced(metadata: AnyMetadata, sent: Json): Partial<AnyMetadata> {
  if (metadata['format-version'] === 1) return {}
  const [number, last] = [longOf(sent, 'sequence-number'), metadata['last-sequence-number']]
  const parent = sent['parent-snapshot-id']
  if (number <= last && parent !== undefined)
    throw conflict(
      `Cannot add snapshot with sequence number ${number} older than last sequence number ${last}`,
    )
  return { 'last-sequence-number': number > last ? number : last }
}

/** Rows of version 3 have ids, which are given once (spec, Row Lineage). */
function rowsOf(metadata: AnyMetadata, sent: Json): Partial<AnyMetadata> {
  if (metadata['format-version'] < 3) return {}
  const [first, known] = [longOf(sent, 'first-row-id'), metadata['next-row-id'] ?? 0]
  if (first < known)
    throw conflict(
      `Cannot add a snapshot, first-row-id is behind table next-row-id: ${first} < ${known}`,
    )
  const after = BigInt(known) + BigInt(longOf(sent, 'added-rows'))
  return { 'next-row-id': after <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(after) : after }
}

const setRef: Apply = (draft, update) => {
  const name = textOf(update, 'ref-name')
  const ref = refFrom(update)
  const id = ref['snapshot-id']
  if (name === 'main' && ref.type === 'tag') throw invalid('main cannot be a tag')
  const { metadata } = draft
  const before = ownValue(metadata.refs, name)
  if (before && isSame(before, ref)) return
  const snapshot = metadata.snapshots.find((known) => String(known['snapshot-id']) === String(id))
  if (!snapshot) throw invalid(`Cannot set ${name} to unknown snapshot: ${id}`)
  change(draft, { refs: { ...metadata.refs, [name]: ref } })
  if (draft.added.has(String(id))) draft.updated = changedAt(draft, snapshot['timestamp-ms'])
  if (name === 'main') setCurrent(draft, id)
}

function setCurrent(draft: Draft, id: Id): void {
  const { metadata } = draft
  if (String(metadata['current-snapshot-id']) === String(id)) return
  const time = draft.updated ?? Math.max(draft.now, metadata['last-updated-ms'])
  draft.updated = time
  change(draft, {
    'current-snapshot-id': id,
    'snapshot-log': [...metadata['snapshot-log'], { 'timestamp-ms': time, 'snapshot-id': id }],
  })
}

const removeRef: Apply = (draft, update) => removeRefNamed(draft, textOf(update, 'ref-name'))

function removeRefNamed(draft: Draft, name: string): void {
  if (!Object.hasOwn(draft.metadata.refs, name)) return
  const { [name]: _, ...refs } = draft.metadata.refs
  change(draft, { refs, ...(name === 'main' ? { 'current-snapshot-id': -1 } : {}) })
}

const removeSnapshots: Apply = (draft, update) => {
  const sent = listOf(update, 'snapshot-ids')
  const ids = new Set(sent.map((id) => String(longOf({ id }, 'id'))))
  const { snapshots, statistics, 'partition-statistics': partitions } = draft.metadata
  const kept = snapshots.filter((known) => !ids.has(String(known['snapshot-id'])))
  if (kept.length === snapshots.length) return
  for (const id of ids) draft.removed.add(id)
  const stays = (file: Json) => !ids.has(String(file['snapshot-id']))
  change(draft, {
    snapshots: kept,
    ...(statistics ? { statistics: statistics.filter(stays) } : {}),
    ...(partitions ? { 'partition-statistics': partitions.filter(stays) } : {}),
  })
  for (const [name, ref] of Object.entries(draft.metadata.refs))
    if (ids.has(String(ref['snapshot-id']))) removeRefNamed(draft, name)
}

export const snapshotUpdates: Readonly<Record<string, Apply>> = {
  'add-snapshot': addSnapshot,
  'set-snapshot-ref': setRef,
  'remove-snapshot-ref': removeRef,
  'remove-snapshots': removeSnapshots,
}

/**
 * The log of snapshots says which were current. One that was added and replaced by the same updates
 * never was; and behind one that is gone, it begins anew (spec, Table Metadata Fields).
 */
export function withoutGaps(before: AnyMetadata, { metadata, added }: Draft): AnyMetadata {
  const current = String(metadata['current-snapshot-id'])
  const idOf = (entry: { 'snapshot-id': Id }) => String(entry['snapshot-id'])
  const there = new Set(metadata.snapshots.map(idOf))
  const removed = before.snapshots.some((snapshot) => !there.has(idOf(snapshot)))
  const log = metadata['snapshot-log'].filter(
    (entry, i) =>
      i < before['snapshot-log'].length || !added.has(idOf(entry)) || idOf(entry) === current,
  )
  const gap = removed ? log.findLastIndex((entry) => !there.has(idOf(entry))) : -1
  if (gap < 0 && log.length === metadata['snapshot-log'].length) return metadata
  return { ...metadata, 'snapshot-log': log.slice(gap + 1) }
}
