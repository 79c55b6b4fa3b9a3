import { type Content, type DataFile, isDeletes, type ManifestFile } from './spec/manifest.js'
import type { Operation, Snapshot } from './spec/metadata.js'

type Summary = Snapshot['summary']

/** Files that a snapshot adds and drops. */
export interface FileChange {
  added: readonly DataFile[]
  removed: readonly DataFile[]
  /** The rows stay the same, in other files (spec, Snapshots: `replace`). */
  sameRows?: boolean | undefined
  /** Nothing stays of what was there before. */
  isAnew?: boolean
}

/**
 * A snapshot's summary: what was done, and the table's totals (spec, Optional Snapshot Summary
 * Fields).
 */
export function summarize(
  { added, removed, sameRows, isAnew }: FileChange,
  manifests: readonly ManifestFile[],
  before: Summary | undefined,
): Summary {
  const changed = added.some((f) => !isDeletes(f)) ? 'overwrite' : 'delete'
  const allGoes = isAnew && Number(before?.['total-data-files'] ?? 0) > 0
  const nothingGoes = removed.length === 0 && !allGoes && !added.some(isDeletes)
  const operation: Operation = sameRows ? 'replace' : nothingGoes ? 'append' : changed
  // Of what can't be read it is not known what goes; where all goes, what was there before does not
  // count.
  const left = (name: string, less: number) => (isAnew ? 0 : Number(before?.[name] ?? 0) - less)
  const live = (content: number, pick: (m: ManifestFile) => number) =>
    manifests.filter((m) => m.content === content).reduce((sum, m) => sum + pick(m), 0)
  const files = (m: ManifestFile) => m.added_files_count + m.existing_files_count
  const rows = (m: ManifestFile) => m.added_rows_count + m.existing_rows_count
  const counts: Record<string, number> = {
    'added-data-files': of(added, 'data').length,
    'deleted-data-files': of(removed, 'data').length,
    'added-records': rowsOf(added, 'data'),
    'deleted-records': rowsOf(removed, 'data'),
    'added-files-size': bytesOf(added),
    'removed-files-size': bytesOf(removed),
    ...said('added-delete-files', added.filter(isDeletes).length),
    ...said('removed-delete-files', removed.filter(isDeletes).length),
    'total-records': live(0, rows),
    'total-data-files': live(0, files),
    'total-files-size': left('total-files-size', bytesOf(removed)) + bytesOf(added),
    'total-delete-files': live(1, files),
  }
  for (const content of ['position deletes', 'equality deletes'] as const) {
    const name = content.replace(' ', '-')
    const [more, less] = [rowsOf(added, content), rowsOf(removed, content)]
    Object.assign(counts, said(`added-${name}`, more), said(`removed-${name}`, less))
    counts[`total-${name}`] = left(`total-${name}`, less) + more
  }
  return {
    operation,
    ...Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, String(count)])),
  }
}

const said = (name: string, count: number) => (count > 0 ? { [name]: count } : {})

const of = (files: readonly DataFile[], content: Content) =>
  files.filter((file) => (file.content ?? 'data') === content)

const rowsOf = (files: readonly DataFile[], content: Content) =>
  of(files, content).reduce((sum, { rows }) => sum + rows, 0)

const bytesOf = (files: readonly DataFile[]) => files.reduce((sum, { bytes }) => sum + bytes, 0)
