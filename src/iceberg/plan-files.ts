import { type Planned, type ScanTask, tasksOf } from './deletes.js'
import { isLive } from './manifests.js'
import { isDeletes, type ManifestEntry, type ManifestFile } from './spec/manifest.js'
import { fileMayMatch, manifestMayMatch, type Predicate } from './spec/prune.js'
import type { PartitionSpec } from './spec/transforms.js'
import type { Schema } from './spec/types.js'

/** Entries of manifests that are kept in memory for who asks again; more are read each time. */
const MOST_KEPT = 20_000

/** What planning asks of a version of a table. */
export interface Plannable {
  /** What errors call it. */
  name: string
  schema: Schema
  specs: readonly PartitionSpec[]
  manifests: readonly ManifestFile[]
  /** Reads a manifest; `keep` says whether its entries are kept for who asks again. */
  read(manifest: ManifestFile, keep: boolean): Promise<ManifestEntry[]>
}

/**
 * The data files that may hold rows meeting all predicates, with the files of deletes that apply to
 * each (spec, Scan Planning): first whole manifests are passed over by their partitions, then files
 * by their bounds.
 */
export async function planFiles(
  { name, schema, specs, manifests, read }: Plannable,
  predicates: readonly Predicate[],
): Promise<ScanTask[]> {
  const passed = manifests.filter((manifest) => {
    const spec = specs.find((s) => s['spec-id'] === manifest.partition_spec_id)
    return !spec || manifest.content === 1 || manifestMayMatch(manifest, predicates, schema, spec)
  })
  const found: Planned[] = []
  const count = passed.reduce((n, m) => n + m.added_files_count + m.existing_files_count, 0)
  for (const manifest of passed)
    for (const entry of await read(manifest, count <= MOST_KEPT))
      if (isLive(entry) && (isDeletes(entry.file) || fileMayMatch(entry.file, predicates, schema)))
        found.push({ entry, spec: manifest.partition_spec_id })
  return tasksOf(found, specs, name)
}
