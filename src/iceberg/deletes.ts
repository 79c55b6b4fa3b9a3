import { MoraineError } from '../errors.js'
import { type DataFile, isDeletes, type ManifestEntry } from './spec/manifest.js'
import type { PartitionSpec } from './spec/transforms.js'

/** A data file to read, and the files that say which of its rows are deleted. */
export interface ScanTask {
  file: DataFile
  /** The spec that the file's partition follows. */
  spec: number
  /** In the order in which they came; tasks with the same ones share the list. */
  deletes: readonly DataFile[]
}

/** A live entry and the spec of its manifest. */
export interface Planned {
  entry: ManifestEntry
  spec: number
}

/** Deletes in all lists of them, at most: each data file may have a list of its own. */
const MOST_LISTED = 1_000_000

/** What deletes are about that are about all partitions. */
const ALL = ''

const numberOf = ({ entry }: Planned) => entry.sequenceNumber ?? 0

const isOfPositions = ({ entry }: Planned) => entry.file.content === 'position deletes'

/** A text that tells partitions apart, also those of several specs. */
const partitionOf = ({ entry, spec }: Planned) =>
  `${spec} ${JSON.stringify(entry.file.partition.map(String))}`

/** Whether rows of data files with a sequence number are among those that are deleted. */
const isLater = (deletes: Planned, number: number) =>
  isOfPositions(deletes) ? numberOf(deletes) >= number : numberOf(deletes) > number

/** Finds the deletes that apply to data files (spec, Scan Planning). */
class Deletes {
  /** Those that are about one data file, by its path. */
  private readonly byFile = new Map<string, Planned[]>()
  /** Others, by what they are about. */
  private readonly others = new Map<string, Planned[]>()
  /** The same with those that are about all partitions, in the order in which they came. */
  private readonly ordered = new Map<string, Planned[]>()
  private readonly lists = new Map<string, readonly DataFile[]>()
  private readonly none: readonly DataFile[] = []
  private listed = 0

  constructor(
    found: readonly Planned[],
    private readonly specs: readonly PartitionSpec[],
    private readonly table: string,
  ) {
    for (const deletes of found) {
      const { referenced } = deletes.entry.file
      if (referenced === undefined) put(this.others, this.scopeOf(deletes), deletes)
      else put(this.byFile, referenced, deletes)
    }
  }

  of(data: Planned): readonly DataFile[] {
    if (this.byFile.size + this.others.size === 0) return this.none
    const [partition, number] = [partitionOf(data), numberOf(data)]
    const own = (this.byFile.get(data.entry.file.path) ?? [])
      .filter((one) => [ALL, partition].includes(this.scopeOf(one)) && isLater(one, number))
      .map(({ entry }) => entry.file)
    const shared = this.shared(partition, number)
    if (shared.length === 0) return own
    return own.length === 0 ? shared : this.counted([...own, ...shared])
  }

  /** Those that are about all data files of a partition with a sequence number. */
  private shared(partition: string, number: number): readonly DataFile[] {
    const key = `${number} ${partition}`
    const known = this.lists.get(key)
    if (known) return known
    const all = this.orderedOf(partition)
    const later = all.slice(firstFrom(all, number)).filter((one) => isLater(one, number))
    const list = later.length === 0 ? this.none : this.counted(later.map(({ entry }) => entry.file))
    this.lists.set(key, list)
    return list
  }

  private orderedOf(partition: string): readonly Planned[] {
    const known = this.ordered.get(partition)
    if (known) return known
    const both = [partition, ALL].flatMap((scope) => this.others.get(scope) ?? [])
    const path = ({ entry }: Planned) => entry.file.path
    const all = both.sort((a, b) => numberOf(a) - numberOf(b) || (path(a) < path(b) ? -1 : 1))
    this.ordered.set(partition, all)
    return all
  }

  private scopeOf(deletes: Planned): string {
    const spec = this.specs.find((one) => one['spec-id'] === deletes.spec)
    return !isOfPositions(deletes) && spec?.fields.length === 0 ? ALL : partitionOf(deletes)
  }

  private counted(list: readonly DataFile[]): readonly DataFile[] {
    this.listed += list.length
    if (this.listed <= MOST_LISTED) return list
    throw new MoraineError(
      'source',
      `${this.table} has more deletes than can be read: ${MOST_LISTED.toLocaleString('en')}, counted for each of its data files that they are about`,
      {
        hint: 'Have its engine apply them: rewrite_data_files in Spark or Flink, OPTIMIZE in Trino.',
      },
    )
  }
}

function put(map: Map<string, Planned[]>, key: string, one: Planned): void {
  const known = map.get(key)
  if (known) known.push(one)
  else map.set(key, [one])
}

/** Where the deletes with at least a sequence number begin. */
function firstFrom(ordered: readonly Planned[], number: number): number {
  let [from, to] = [0, ordered.length]
  while (from < to) {
    const middle = (from + to) >> 1
    if (numberOf(ordered[middle] as Planned) < number) from = middle + 1
    else to = middle
  }
  return from
}

/**
 * The data files among live entries, each with the files of deletes that apply to it.
 *
 * @param table what errors call it.
 * @throws MoraineError of kind `source` where there are too many of both.
 */
export function tasksOf(
  found: readonly Planned[],
  specs: readonly PartitionSpec[],
  table: string,
): ScanTask[] {
  const deletes = new Deletes(
    found.filter(({ entry }) => isDeletes(entry.file)),
    specs,
    table,
  )
  return found
    .filter(({ entry }) => !isDeletes(entry.file))
    .map((data) => ({ file: data.entry.file, spec: data.spec, deletes: deletes.of(data) }))
}

/** All files that tasks lead to, each once. */
export function filesOf(tasks: readonly ScanTask[]): DataFile[] {
  const lists = new Set(tasks.map(({ deletes }) => deletes))
  return [...new Set([...tasks.map(({ file }) => file), ...[...lists].flat()])]
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
