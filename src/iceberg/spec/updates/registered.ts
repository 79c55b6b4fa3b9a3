import {
  idOf,
  integerOf,
  type Json,
  longOf,
  objectOf,
  objectsOf,
  textOf,
  textsOf,
  withoutNulls,
} from './json.js'
import { type AnyMetadata, completed } from './metadata-json.js'
import { partitionStatisticsFrom, refFrom, snapshotFrom, statisticsFrom } from './sent-parts.js'
import { schemaFrom, sortField } from './shape-updates.js'
import { completedView, representationsOf, type ViewMetadata } from './view-metadata.js'

/*
 * Metadata that a client wants registered: nobody knows what wrote them. Whoever reads the table
 * from then on, and each commit to it, relies on them.
 */

/** @throws RefusedUpdate for what is no metadata of a table. */
export function registeredTable(read: Json): AnyMetadata {
  const sent = withoutNulls(read)
  for (const name of LISTS) if (sent[name] !== undefined) objectsOf(sent, name)
  for (const spec of (sent['partition-specs'] ?? []) as Json[]) objectsOf(spec, 'fields')
  const metadata = completed(sent)
  const json = metadata as unknown as Json
  for (const name of ['last-column-id', 'current-schema-id', 'default-spec-id']) idOf(json, name)
  for (const name of ['last-partition-id', 'default-sort-order-id']) idOf(json, name)
  integerOf(json, 'last-updated-ms')
  for (const name of ['last-sequence-number', 'current-snapshot-id']) longOf(json, name)
  textsOf(json, 'properties')
  schemasIn(json)
  for (const spec of objectsOf(json, 'partition-specs')) {
    idOf(spec, 'spec-id')
    for (const field of objectsOf(spec, 'fields')) partitionField(field)
  }
  for (const order of objectsOf(json, 'sort-orders')) {
    idOf(order, 'order-id')
    for (const field of objectsOf(order, 'fields'))
      if (field['source-ids'] === undefined) sortField(field)
  }
  for (const snapshot of objectsOf(json, 'snapshots')) snapshotFrom(snapshot)
  const refs = objectOf(json, 'refs')
  for (const name of Object.keys(refs)) refFrom(objectOf(refs, name))
  for (const entry of objectsOf(json, 'snapshot-log')) {
    longOf(entry, 'snapshot-id')
    integerOf(entry, 'timestamp-ms')
  }
  for (const entry of objectsOf(json, 'metadata-log')) textOf(entry, 'metadata-file')
  for (const [name, from] of STATISTICS)
    if (json[name] !== undefined) for (const file of objectsOf(json, name)) from(file)
  if (json['encryption-keys'] !== undefined) objectsOf(json, 'encryption-keys')
  return metadata
}

/** What versions of the format before lack is made of these. */
const LISTS = ['schemas', 'partition-specs', 'partition-spec', 'sort-orders', 'snapshots']

const STATISTICS = [
  ['statistics', statisticsFrom],
  ['partition-statistics', partitionStatisticsFrom],
] as const

/**
 * Old tables of version 1 give fields no ids, and transforms of version 3 may have many sources.
 */
function partitionField(field: Json): void {
  if (field['source-ids'] === undefined) idOf(field, 'source-id')
  if (field['field-id'] !== undefined) idOf(field, 'field-id')
  for (const name of ['name', 'transform']) textOf(field, name)
}

function schemasIn(json: Json): void {
  for (const schema of objectsOf(json, 'schemas')) {
    idOf(schema, 'schema-id')
    schemaFrom(schema)
  }
}

/** @throws RefusedUpdate for what is no metadata of a view. */
export function registeredView(read: Json): ViewMetadata {
  const view = completedView(read)
  const json = view as unknown as Json
  textsOf(json, 'properties')
  schemasIn(json)
  for (const version of objectsOf(json, 'versions')) {
    for (const name of ['version-id', 'schema-id']) idOf(version, name)
    integerOf(version, 'timestamp-ms')
    representationsOf(version)
  }
  for (const entry of objectsOf(json, 'version-log')) idOf(entry, 'version-id')
  return view
}
