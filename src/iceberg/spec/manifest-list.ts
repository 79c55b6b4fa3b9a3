import { decodeContainer, encodeContainer, type Inflate } from './avro.js'
import { checksumHeader, checksumsIn } from './checksums.js'
import {
  isDeletes,
  type ManifestEntry,
  type ManifestFile,
  type PartitionSummary,
  partitionTypes,
} from './manifest.js'
import type { Id } from './metadata.js'
import type { PartitionSpec } from './transforms.js'
import type { Schema } from './types.js'
import { compareValues, encodeValue, lowerBound, upperBound, type Value } from './values.js'

const field = (id: number, name: string, type: unknown) => ({ name, type, 'field-id': id })

const listSchema = {
  type: 'record',
  name: 'manifest_file',
  fields: [
    field(500, 'manifest_path', 'string'),
    field(501, 'manifest_length', 'long'),
    field(502, 'partition_spec_id', 'int'),
    field(517, 'content', 'int'),
    field(515, 'sequence_number', 'long'),
    field(516, 'min_sequence_number', 'long'),
    field(503, 'added_snapshot_id', 'long'),
    field(504, 'added_files_count', 'int'),
    field(505, 'existing_files_count', 'int'),
    field(506, 'deleted_files_count', 'int'),
    field(512, 'added_rows_count', 'long'),
    field(513, 'existing_rows_count', 'long'),
    field(514, 'deleted_rows_count', 'long'),
    {
      ...field(507, 'partitions', [
        'null',
        {
          type: 'array',
          'element-id': 508,
          items: {
            type: 'record',
            name: 'r508',
            fields: [
              field(509, 'contains_null', 'boolean'),
              { ...field(518, 'contains_nan', ['null', 'boolean']), default: null },
              { ...field(510, 'lower_bound', ['null', 'bytes']), default: null },
              { ...field(511, 'upper_bound', ['null', 'bytes']), default: null },
            ],
          },
        },
      ]),
      default: null,
    },
    { ...field(519, 'key_metadata', ['null', 'bytes']), default: null },
  ],
}

export function encodeManifestList(
  manifests: readonly ManifestFile[],
  ids: { snapshotId: Id; parentId: Id | null; sequenceNumber: number },
  sync: Uint8Array,
): Uint8Array {
  const metadata = {
    'snapshot-id': String(ids.snapshotId),
    'parent-snapshot-id': String(ids.parentId),
    'sequence-number': String(ids.sequenceNumber),
    'format-version': '2',
    ...checksumHeader(manifests),
  }
  return encodeContainer(listSchema, metadata, manifests, sync)
}

export function decodeManifestList(bytes: Uint8Array, inflate?: Inflate): ManifestFile[] {
  const { metadata, records } = decodeContainer(bytes, inflate)
  const sums = checksumsIn(metadata, records.length)
  return (records as Record<string, unknown>[]).map(
    (record, i) =>
      ({
        ...record,
        ...numbered(record),
        ...renamed(record),
        ...sums[i],
      }) as unknown as ManifestFile,
  )
}

/** What lists of version 1 do not say: there all files are of rows, and nothing is numbered. */
function numbered(record: Record<string, unknown>) {
  const names = ['content', 'sequence_number', 'min_sequence_number']
  return Object.fromEntries(names.map((name) => [name, record[name] ?? 0]))
}

/** Names that writers of the first Iceberg versions gave to three counts. */
function renamed(record: Record<string, unknown>) {
  const counts = ['added', 'existing', 'deleted'].flatMap((kind) => {
    const old = record[`${kind}_data_files_count`]
    return old === undefined ? [] : [[`${kind}_files_count`, old] as const]
  })
  return Object.fromEntries(counts)
}

function countsOf(entries: readonly ManifestEntry[]) {
  const count = (status: string) => entries.filter((e) => e.status === status)
  const rows = (status: string) => count(status).reduce((sum, e) => sum + e.file.rows, 0)
  return {
    added_files_count: count('added').length,
    existing_files_count: count('existing').length,
    deleted_files_count: count('deleted').length,
    added_rows_count: rows('added'),
    existing_rows_count: rows('existing'),
    deleted_rows_count: rows('deleted'),
  }
}

/** Rows of a list with all of their counts, which lists of version 1 may leave out. */
export function withCounts(
  manifests: readonly ManifestFile[],
  read: (manifest: ManifestFile) => Promise<ManifestEntry[]>,
): Promise<ManifestFile[]> {
  return Promise.all(
    manifests.map(async (one) => {
      const known = Object.keys(countsOf([])) as (keyof ReturnType<typeof countsOf>)[]
      // Those of other writers may be null, or not there at all.
      if (known.every((name) => (one[name] as unknown) != null)) return one
      return { ...one, ...countsOf(await read(one)) }
    }),
  )
}

/** The list's row for a manifest with these entries. */
export function describeManifest(
  at: { path: string; bytes: number; sha256?: string; snapshotId: Id; sequenceNumber: number },
  entries: readonly ManifestEntry[],
  schema: Schema,
  spec: PartitionSpec,
): ManifestFile {
  const live = entries.filter((e) => e.status !== 'deleted')
  const sequences = live.map((e) => e.sequenceNumber ?? at.sequenceNumber)
  return {
    manifest_path: at.path,
    manifest_length: at.bytes,
    partition_spec_id: spec['spec-id'],
    content: entries.some(({ file }) => isDeletes(file)) ? 1 : 0,
    sequence_number: at.sequenceNumber,
    min_sequence_number: sequences.reduce((a, b) => Math.min(a, b), at.sequenceNumber),
    added_snapshot_id: at.snapshotId,
    ...countsOf(entries),
    partitions: partitionTypes(schema, spec).map((type, i) =>
      summarize(
        entries.map((e) => e.file.partition[i] ?? null),
        type,
      ),
    ),
    key_metadata: null,
    ...(at.sha256 ? { sha256: at.sha256 } : {}),
  }
}

function summarize(values: readonly (Value | null)[], type: string): PartitionSummary {
  const present = values.filter((v): v is Value => v !== null).sort(compareValues)
  const [lowest, highest] = [present[0], present.at(-1)]
  const isFloat = type === 'float' || type === 'double'
  return {
    contains_null: present.length < values.length,
    contains_nan: isFloat ? null : false,
    lower_bound: lowest === undefined ? null : Buffer.from(lowerBound(lowest, type)),
    upper_bound:
      highest === undefined
        ? null
        : Buffer.from(upperBound(highest, type) ?? encodeValue(highest, type)),
  }
}
