import type { Snapshot, SnapshotRef, SortOrder, TableMetadata } from '../metadata.js'
import type { PartitionSpec } from '../transforms.js'
import type { IcebergField, IcebergType, Schema } from '../types.js'
import { type Json, type Long, listOf, objectOf, withoutNulls } from './json.js'
import { invalid } from './refused.js'

/**
 * Table metadata of any version, as another engine may have written them; what is not known here
 * stays as it is.
 */
export interface AnyMetadata
  extends Omit<
    TableMetadata,
    'format-version' | 'last-sequence-number' | 'snapshots' | 'statistics' | 'partition-statistics'
  > {
  'format-version': number
  'last-sequence-number': Long
  snapshots: AnySnapshot[]
  statistics?: Json[]
  'partition-statistics'?: Json[]
  'next-row-id'?: Long
  'encryption-keys'?: Json[]
  /** Version 1 has the current ones here, too. */
  schema?: Schema
  'partition-spec'?: PartitionSpec['fields']
}

export interface AnySnapshot
  extends Omit<Snapshot, 'sequence-number' | 'summary' | 'manifest-list'> {
  'sequence-number'?: Long
  summary?: Readonly<Record<string, string>>
  /** Absent in old tables of version 1, which list their manifests. */
  'manifest-list'?: string
  manifests?: string[]
  'first-row-id'?: Long
  'added-rows'?: Long
}

/** Versions that can be written (spec, Format Versioning). */
export const VERSIONS = [1, 2, 3]

/** The partition field ids of specs begin behind it (spec, Partition Evolution). */
const BEFORE_FIRST_PARTITION = 999

/** What a table has that does not exist yet. */
export function emptyMetadata(version: number): AnyMetadata {
  return {
    'format-version': version,
    'table-uuid': '',
    location: '',
    'last-sequence-number': 0,
    'last-updated-ms': 0,
    'last-column-id': 0,
    'current-schema-id': -1,
    schemas: [],
    'default-spec-id': -1,
    'partition-specs': [],
    'last-partition-id': BEFORE_FIRST_PARTITION,
    'default-sort-order-id': -1,
    'sort-orders': [],
    properties: {},
    'current-snapshot-id': -1,
    refs: {},
    snapshots: [],
    'snapshot-log': [],
    'metadata-log': [],
    ...(version >= 3 ? { 'next-row-id': 0 } : {}),
  }
}

/**
 * Metadata as they were read, with all that later versions of the format have: version 1 leaves
 * much of it out (spec, Appendix C).
 *
 * @throws RefusedUpdate when they are no metadata of a table.
 */
export function completed(json: Json): AnyMetadata {
  const read = withoutNulls(json)
  const version = Number(read['format-version'])
  if (!VERSIONS.includes(version)) throw invalid(`Unsupported format version: ${version}`)
  const schemas = (read.schemas ?? [{ 'schema-id': 0, ...objectOf(read, 'schema') }]) as Schema[]
  const [first] = schemas
  const fields = read['partition-spec'] as PartitionSpec['fields'] | undefined
  const specs = (read['partition-specs'] ?? [
    { 'spec-id': 0, fields: (fields ?? []).map(withId) },
  ]) as PartitionSpec[]
  const current = (read['current-snapshot-id'] ?? -1) as Long
  const all = specs.flatMap((spec) => spec.fields.map((field) => field['field-id']))
  const known: AnyMetadata = {
    ...emptyMetadata(version),
    ...(read as unknown as AnyMetadata),
    schemas,
    'current-schema-id': (read['current-schema-id'] ?? first?.['schema-id'] ?? 0) as number,
    'partition-specs': specs,
    'default-spec-id': (read['default-spec-id'] ?? 0) as number,
    'last-partition-id': (read['last-partition-id'] ??
      Math.max(BEFORE_FIRST_PARTITION, ...all)) as number,
    'sort-orders': (read['sort-orders'] ?? [{ 'order-id': 0, fields: [] }]) as SortOrder[],
    'default-sort-order-id': (read['default-sort-order-id'] ?? 0) as number,
    'current-snapshot-id': current,
    refs: (read.refs ?? mainOf(current)) as Record<string, SnapshotRef>,
  }
  for (const name of ['schemas', 'partition-specs', 'sort-orders', 'snapshots'])
    listOf(known as unknown as Json, name)
  if (typeof known['table-uuid'] !== 'string' || typeof known.location !== 'string')
    throw invalid('table-uuid or location is missing')
  return known
}

const withId = (field: PartitionSpec['fields'][number], at: number) => ({
  ...field,
  'field-id': field['field-id'] ?? BEFORE_FIRST_PARTITION + 1 + at,
})

function mainOf(current: Long): Record<string, SnapshotRef> {
  return String(current) === '-1' ? {} : { main: { 'snapshot-id': current, type: 'branch' } }
}

/** Metadata as they are written: those of version 1 are readable by who knows no other. */
export function asWritten(metadata: AnyMetadata): AnyMetadata {
  if (metadata['format-version'] !== 1) return metadata
  const schema = metadata.schemas.find((s) => s['schema-id'] === metadata['current-schema-id'])
  const spec = metadata['partition-specs'].find((s) => s['spec-id'] === metadata['default-spec-id'])
  return {
    ...metadata,
    ...(schema ? { schema } : {}),
    ...(spec ? { 'partition-spec': spec.fields } : {}),
  }
}

/** A field of a type, or a part of a list or map, which has no name. */
interface FieldWithin {
  id: number
  required: boolean
  field?: IcebergField
}

/** All fields of a type, those within others included. */
export function* fieldsWithin(type: IcebergType): Generator<FieldWithin> {
  if (typeof type === 'string') return
  if (type.type === 'struct')
    for (const field of type.fields) {
      yield { id: field.id, required: field.required, field }
      yield* fieldsWithin(field.type)
    }
  if (type.type === 'list') {
    yield { id: type['element-id'], required: type['element-required'] }
    yield* fieldsWithin(type.element)
  }
  if (type.type === 'map') {
    yield { id: type['key-id'], required: true }
    yield { id: type['value-id'], required: type['value-required'] }
    yield* fieldsWithin(type.key)
    yield* fieldsWithin(type.value)
  }
}

/** The id of the field that was given last. */
export function highestId(schema: Schema): number {
  return Math.max(0, ...[...fieldsWithin(schema)].map(({ id }) => id))
}
