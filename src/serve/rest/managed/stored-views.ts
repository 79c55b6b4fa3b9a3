import { typeNamed } from '../../../define/types/parse-type.js'
import { toFields } from '../../../iceberg/spec/types.js'
import type { ViewMetadata } from '../../../iceberg/spec/updates/view-metadata.js'
import type { LakeState, ViewState } from '../../../log/commit.js'
import { ownValue } from '../../../own-value.js'
import { sha256, stableUuid } from '../../../storage/checksum.js'
import type { Storage } from '../../../storage/storage.js'

/** A view that `lake.ts` defines, as clients are told of it: no file has its metadata. */
export interface StoredView {
  /** Where they would lie. */
  location: string
  metadata: ViewMetadata
  /** Changes with them. */
  version: string
}

/**
 * A gold dataset that is stored as its query, as a view of Iceberg. Its SQL is in DuckDB's dialect,
 * and names tables by their namespaces.
 */
export function storedView(
  storage: Storage,
  state: LakeState,
  name: string,
): StoredView | undefined {
  const view = ownValue(state.views ?? {}, name)
  if (!view) return undefined
  const folder = name.replace('.', '/')
  const made = state.definitions && ownValue(state.definitions, name)?.at(-1)?.time
  const time = new Date(made ?? 0).getTime()
  const metadata = metadataOf(view, storage.locate(folder), time)
  const version = sha256(JSON.stringify(metadata))
  return { location: storage.locate(`${folder}/metadata/view.json`), metadata, version }
}

function metadataOf(view: ViewState, location: string, time: number): ViewMetadata {
  const columns = view.columns.map(({ name, type }) => ({
    name,
    type: typeNamed(type) ?? ({ kind: 'string' } as const),
  }))
  const { fields } = toFields(columns, [], 0)
  return {
    'view-uuid': stableUuid(location),
    'format-version': 1,
    location,
    schemas: [{ type: 'struct', 'schema-id': 0, fields }],
    'current-version-id': 1,
    versions: [
      {
        'version-id': 1,
        'timestamp-ms': time,
        'schema-id': 0,
        summary: { 'engine-name': 'moraine' },
        representations: [{ type: 'sql', sql: view.sql, dialect: 'duckdb' }],
        'default-namespace': [],
      },
    ],
    'version-log': [{ 'version-id': 1, 'timestamp-ms': time }],
    properties: { 'moraine.managed': 'true' },
  }
}
