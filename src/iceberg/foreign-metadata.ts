import { MoraineError } from '../errors.js'
import { readChecked } from '../storage/checked.js'
import { remedyFor } from '../storage/remedy.js'
import type { Storage } from '../storage/storage.js'
import { parseJson } from './json.js'
import { currentSchema, type TableMetadata } from './spec/metadata.js'
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
