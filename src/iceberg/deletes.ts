import { type DataFile, isDeletes, type ManifestEntry } from './spec/manifest.js'
import type { PartitionSpec } from './spec/transforms.js'

/** A data file to read, and the files that say which of its rows are deleted. */
export interface ScanTask {
  file: DataFile
  /** The spec that the file's partition follows. */
  spec: number
  deletes: readonly DataFile[]
}

/** A live entry and the spec of its manifest. */
export interface Planned {
  entry: ManifestEntry
  spec: number
}

/** Finds the deletes that apply to data files (spec, Scan Planning). */
class Deletes {
  /** Those that are about one data file, by its path. */
  private readonly byFile = new Map<string, Planned[]>()
  private readonly others: Planned[] = []

  constructor(
    found: readonly Planned[],
    private readonly specs: readonly PartitionSpec[],
  ) {
    for (const deletes of found) {
      const { referenced } = deletes.entry.file
      if (referenced === undefined) this.others.push(deletes)
      else this.byFile.set(referenced, [...(this.byFile.get(referenced) ?? []), deletes])
    }
  }

  of(data: Planned): DataFile[] {
    return [...(this.byFile.get(data.entry.file.path) ?? []), ...this.others]
      .filter((deletes) => this.applies(deletes, data))
      .map(({ entry }) => entry.file)
  }

  /** Whether deletes are about a data file: by its partition, and by which of them is older. */
  private applies(deletes: Planned, data: Planned): boolean {
    const [d, f] = [deletes.entry, data.entry]
    const [later, earlier] = [d.sequenceNumber ?? 0, f.sequenceNumber ?? 0]
    const positions = d.file.content === 'position deletes'
    if (positions ? later < earlier : later <= earlier) return false
    const spec = this.specs.find((s) => s['spec-id'] === deletes.spec)
    if (!positions && spec?.fields.length === 0) return true
    return (
      deletes.spec === data.spec &&
      JSON.stringify(d.file.partition.map(String)) === JSON.stringify(f.file.partition.map(String))
    )
  }
}

/** The data files among live entries, each with the files of deletes that apply to it. */
export function tasksOf(found: readonly Planned[], specs: readonly PartitionSpec[]): ScanTask[] {
  const deletes = new Deletes(
    found.filter(({ entry }) => isDeletes(entry.file)),
    specs,
  )
  return found
    .filter(({ entry }) => !isDeletes(entry.file))
    .map((data) => ({ file: data.entry.file, spec: data.spec, deletes: deletes.of(data) }))
}

/** Rows of a data file that lists of positions delete. */
export const deletedRows = ({ deletes }: ScanTask) => deletes.reduce((n, { rows }) => n + rows, 0)

/** Rows of a data file that are not deleted, where only positions are. */
export const liveRows = (task: ScanTask) => task.file.rows - deletedRows(task)

/** What goes when data files go: the files, and deletes that are about them alone. */
export function pathsOf(tasks: readonly ScanTask[]): Set<string> {
  return new Set(
    tasks.flatMap(({ file, deletes }) => [
      file.path,
      ...deletes.filter(({ referenced }) => referenced === file.path).map(({ path }) => path),
    ]),
  )
}
