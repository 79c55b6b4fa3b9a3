import { MoraineError } from '../errors.js'
import { readChecked } from '../storage/checked.js'
import { remedyFor } from '../storage/remedy.js'
import type { Storage } from '../storage/storage.js'
import { parseJson } from './json.js'
import { currentSchema, type Id, isSameId, type TableMetadata } from './spec/metadata.js'
import { areSameColumns, haveSameNames } from './spec/readable.js'
import { isObject } from './spec/updates/json.js'
import { type AnyMetadata, completed } from './spec/updates/metadata-json.js'
import { creating } from './spec/updates/own-updates.js'
import type { TablePointer } from './table.js'
import { begun } from './version.js'

/**
 * What is known of a table beside its snapshots, which stay in the metadata as they were written.
 */
export function shapeOf(metadata: TableMetadata): TableMetadata {
  return {
    ...begun(creating(metadata['table-uuid'], metadata.location)),
    'last-updated-ms': metadata['last-updated-ms'],
    'last-column-id': metadata['last-column-id'],
    'current-schema-id': metadata['current-schema-id'],
    schemas: metadata.schemas,
    'default-spec-id': metadata['default-spec-id'],
    'partition-specs': metadata['partition-specs'],
    'last-partition-id': metadata['last-partition-id'],
    properties: metadata.properties,
  }
}

/**
 * The metadata of a table that another engine has written, of any version.
 *
 * @throws MoraineError of kind `corrupt` when the file is no such thing.
 */
export async function foreignMetadataIn(
  storage: Storage,
  { metadata: path, sha256 }: TablePointer,
): Promise<AnyMetadata> {
  const bytes = await readChecked(storage, path, sha256)
  try {
    const json = parseJson(new TextDecoder().decode(bytes))
    if (!isObject(json)) throw new Error('it is not an object')
    const metadata = completed(json)
    if (!currentSchema(metadata as unknown as TableMetadata)) throw new Error('it has no schema')
    return metadata
  } catch (cause) {
    const message = `${path} is damaged: ${(cause as Error).message}`
    throw new MoraineError('corrupt', message, { cause, path, hint: remedyFor(path) })
  }
}

/** Whether a version has the rows of an earlier one, whatever its columns are. */
export function hasSnapshotOf(now: AnyMetadata, earlier: AnyMetadata): boolean {
  const before = earlier['current-snapshot-id']
  let id: Id | undefined = now['current-snapshot-id']
  if (String(id) === String(before)) return true
  // What only puts files together leaves the rows as they are (spec, Snapshots).
  while (id !== undefined) {
    const snapshot = now.snapshots.find((one) => isSameId(one['snapshot-id'], id))
    if (snapshot?.summary?.operation !== 'replace') return false
    id = snapshot['parent-snapshot-id']
    if (String(id) === String(before)) return true
  }
  return false
}

/**
 * Whether who has read an earlier version of a table would read the same rows of it now, by what
 * the metadata of both say.
 *
 * @param declared whether its reader names columns and their types: others may come and go.
 */
export async function readsTheSame(
  storage: Storage,
  now: TablePointer,
  before: string,
  declared: boolean,
): Promise<boolean> {
  if (now.metadata === before) return true
  if (!(await storage.stat(before))) return false
  const [after, earlier] = await Promise.all([
    foreignMetadataIn(storage, now),
    foreignMetadataIn(storage, { metadata: before }),
  ])
  const [a, b] = [after, earlier].map((of) => currentSchema(of as unknown as TableMetadata).fields)
  const isKept = declared
    ? b?.every(({ id, name }) => (a?.find((one) => one.name === name)?.id ?? id) === id)
    : areSameColumns(a ?? [], b ?? [])
  return (
    isKept === true &&
    after['table-uuid'] === earlier['table-uuid'] &&
    haveSameNames(after, earlier) &&
    hasSnapshotOf(after, earlier)
  )
}
