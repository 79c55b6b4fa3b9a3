import { liveRows, type Planned } from './deletes.js'
import { type Contents, without } from './difference.js'
import { isLive } from './manifests.js'
import {
  type DataFile,
  isDeletes,
  type ManifestEntry,
  type ManifestFile,
  partitionTypes,
} from './spec/manifest.js'
import { isSameId, type Snapshot } from './spec/metadata.js'
import { isSame } from './spec/updates/json.js'
import { compareValues, decodeValue } from './spec/values.js'
import type { Table } from './table.js'

/**
 * Holds snapshots that another engine has made, one upon the other, against the version that they
 * follow: what the last one lists as it was must be so, and what is new must be listed as it is.
 * What data files hold is not looked at.
 *
 * @param added the ids of the snapshots.
 * @returns what is wrong; `undefined` where nothing is.
 */
export async function flawOf(
  before: { table: Table; contents: Contents },
  after: { table: Table; contents: Contents },
  added: ReadonlySet<string>,
): Promise<string | undefined> {
  const snapshots = after.table.metadata.snapshots.filter((one) =>
    added.has(String(one['snapshot-id'])),
  )
  if (after.contents.twice !== undefined) return `${after.contents.twice} is listed twice`
  const known = new Map((await before.table.manifests()).map((one) => [one.manifest_path, one]))
  for (const manifest of await after.table.manifests()) {
    const old = known.get(manifest.manifest_path)
    const flaw = old
      ? changedRow(old, manifest)
      : flawOfManifest(after.table, snapshots, manifest, await after.table.entries(manifest))
    if (flaw !== undefined) return `${manifest.manifest_path}: ${flaw}`
  }
  for (const [path, planned] of after.contents.entries) {
    const old = before.contents.entries.get(path)
    const flaw = old ? changedEntry(old, planned) : flawOfFresh(planned, added)
    if (flaw !== undefined) return `${path}: ${flaw}`
  }
  return undefined
}

/** Files that snapshots add and drop, of rows and of deletes, and what that means for rows. */
export function changesBetween(before: Contents, after: Contents) {
  const files = (planned: readonly Planned[]) => planned.map(({ entry }) => entry.file)
  const [had, has] = [before, after].map(rowsOfFiles) as [Map<string, number>, Map<string, number>]
  let [added, removed] = [0, 0]
  for (const path of new Set([...had.keys(), ...has.keys()])) {
    const more = (has.get(path) ?? 0) - (had.get(path) ?? 0)
    if (more > 0) added += more
    else removed -= more
  }
  return {
    gone: files(without(before, after)),
    fresh: files(without(after, before)),
    rows: { added, removed },
  }
}

/** Live rows of each data file. */
const rowsOfFiles = ({ tasks }: Contents) =>
  new Map(tasks.map((task) => [task.file.path, liveRows(task)]))

/** What a list says of a manifest that was there before must be what it said. */
function changedRow(old: ManifestFile, row: ManifestFile): string | undefined {
  const fields = [
    'manifest_length',
    'partition_spec_id',
    'content',
    'sequence_number',
    'min_sequence_number',
    'added_snapshot_id',
    'added_files_count',
    'existing_files_count',
    'deleted_files_count',
    'added_rows_count',
    'existing_rows_count',
  ] as const
  const changed = fields.find((name) => String(old[name]) !== String(row[name]))
  if (changed) return `its ${changed} is ${row[changed]} now, and was ${old[changed]}`
  const isLess = !row.partitions || row.partitions.length === 0
  if (isLess || isSame(textOf(old.partitions), textOf(row.partitions))) return undefined
  return 'its partitions are described otherwise than before'
}

const textOf = (partitions: ManifestFile['partitions']) =>
  (partitions ?? []).map((one) => [
    one.contains_null,
    one.lower_bound?.toString('hex') ?? null,
    one.upper_bound?.toString('hex') ?? null,
  ])

function flawOfManifest(
  table: Table,
  snapshots: readonly Snapshot[],
  row: ManifestFile,
  entries: readonly ManifestEntry[],
): string | undefined {
  const spec = table.metadata['partition-specs'].find((s) => s['spec-id'] === row.partition_spec_id)
  if (!spec) return `the table has no partition spec ${row.partition_spec_id}`
  const snapshot = snapshots.find((one) => isSameId(one['snapshot-id'], row.added_snapshot_id))
  if (!snapshot) return 'it is listed as one of another snapshot'
  if (row.sequence_number !== snapshot['sequence-number'])
    return `its sequence number is ${row.sequence_number} instead of ${snapshot['sequence-number']}`
  if (entries.some(({ file }) => isDeletes(file) !== (row.content === 1)))
    return 'it mixes rows and deletes'
  for (const status of ['added', 'existing', 'deleted'] as const) {
    const of = entries.filter((entry) => entry.status === status)
    const files = row[`${status}_files_count`]
    if (files !== of.length)
      return `it is listed with ${files} ${status} files, and has ${of.length}`
    const rows = of.reduce((sum, { file }) => sum + file.rows, 0)
    const listed = row[`${status}_rows_count`]
    if (listed !== rows) return `it is listed with ${listed} ${status} rows, and has ${rows}`
  }
  const live = entries.filter(isLive)
  const early = live.find((entry) => (entry.sequenceNumber ?? 0) < row.min_sequence_number)
  if (early) return `its least sequence number is above that of ${early.file.path}`
  if (live.some(({ file }) => file.partition.length !== spec.fields.length))
    return 'its files have other partition fields than the table'
  const types = partitionTypes(table.schemaOf(spec), spec)
  return row.partitions?.length && !describes(row.partitions, live, types)
    ? 'its partitions are not those of its files'
    : undefined
}

/** Whether what a list says of a manifest's partitions holds for all of its files. */
function describes(
  partitions: NonNullable<ManifestFile['partitions']>,
  live: readonly ManifestEntry[],
  types: readonly string[],
): boolean {
  return types.every((type, i) => {
    const said = partitions[i]
    if (!said) return true
    const [lower, upper] = [said.lower_bound, said.upper_bound].map(
      (bound) => bound && decodeValue(bound, type),
    )
    return live.every(({ file }) => {
      const value = file.partition[i] ?? null
      if (value === null) return said.contains_null
      if (Number.isNaN(value)) return true
      if (lower === null || lower === undefined || upper === null || upper === undefined)
        return !said.contains_null
      return compareValues(lower, value) <= 0 && compareValues(value, upper) <= 0
    })
  })
}

/** A file that was there before must be listed as it was; its statistics may be left out. */
function changedEntry(old: Planned, now: Planned): string | undefined {
  const [a, b] = [old.entry, now.entry]
  if (a.sequenceNumber !== b.sequenceNumber)
    return `its sequence number is ${b.sequenceNumber} now, and was ${a.sequenceNumber}`
  const same = (file: DataFile) => [
    file.content ?? 'data',
    file.rows,
    file.bytes,
    file.format ?? '',
    file.referenced ?? '',
    (file.equalityIds ?? []).join(),
    file.partition.map(String),
  ]
  if (old.spec !== now.spec || !isSame(same(a.file), same(b.file)))
    return 'it is listed otherwise than before'
  for (const [field, { lower, upper, nulls }] of b.file.columns) {
    const was = a.file.columns.get(field)
    const isKept =
      (!lower || sameBytes(lower, was?.lower)) &&
      (!upper || sameBytes(upper, was?.upper)) &&
      (nulls === undefined || nulls === was?.nulls)
    if (!isKept) return `the statistics of field ${field} are others than before`
  }
  return undefined
}

const sameBytes = (a: Uint8Array, b: Uint8Array | undefined) =>
  b !== undefined && Buffer.compare(a, b) === 0

/** What must be so of each file that an engine adds. */
function flawOfFresh(
  { entry: { snapshotId, file } }: Planned,
  added: ReadonlySet<string>,
): string | undefined {
  if (!added.has(String(snapshotId)))
    return 'it is listed as a file that was there before, and was not'
  if (file.format !== undefined)
    return `it is a file of format ${file.format}: tables of the lake are of Parquet files`
  if (file.content === 'equality deletes')
    return 'it deletes rows by values, which cannot be counted without reading them'
  return undefined
}
