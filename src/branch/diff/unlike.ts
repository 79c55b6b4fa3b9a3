import type { ScanTask } from '../../iceberg/deletes.js'
import type { PartOfFile } from '../../step/table-files.js'

/** The files of two versions of a table that may hold rows which only one of them has. */
export interface Unlike {
  before: readonly PartOfFile[]
  after: readonly PartOfFile[]
  /** Data files that both have, with the same rows: they are not read. */
  shared: number
  /** All rows that both have, in those files and in what is left of others. */
  common: readonly ScanTask[]
}

/**
 * Leaves out what both versions share. Of a file from which one of them has deleted rows by their
 * positions, those rows alone are left; of one with deletes by values, all.
 */
export function unlikeFiles(before: readonly ScanTask[], after: readonly ScanTask[]): Unlike {
  const later = new Map(after.map((task) => [task.file.path, task]))
  const found: { before: PartOfFile[]; after: PartOfFile[] } = { before: [], after: [] }
  const seen = new Set<string>()
  const common: ScanTask[] = []
  let shared = 0
  for (const task of before) {
    const other = later.get(task.file.path)
    if (!other) {
      found.before.push(task)
      continue
    }
    seen.add(task.file.path)
    if (haveSameDeletes(task, other)) {
      shared++
      common.push(other)
    } else if ([...task.deletes, ...other.deletes].every(({ content }) => isPositions(content))) {
      if (other.deletes.length > 0) found.before.push({ ...task, only: other.deletes })
      if (task.deletes.length > 0) found.after.push({ ...other, only: task.deletes })
      common.push({ ...other, deletes: bothDeletes(task, other) })
    } else {
      found.before.push(task)
      found.after.push(other)
    }
  }
  found.after.push(...after.filter(({ file }) => !seen.has(file.path)))
  return { ...found, shared, common }
}

function bothDeletes(a: ScanTask, b: ScanTask): ScanTask['deletes'] {
  const all = [...a.deletes, ...b.deletes]
  return [...new Map(all.map((one) => [one.path, one])).values()]
}

const isPositions = (content: string | undefined) => content === 'position deletes'

function haveSameDeletes(a: ScanTask, b: ScanTask): boolean {
  const paths = ({ deletes }: ScanTask) => deletes.map(({ path }) => path).sort()
  return JSON.stringify(paths(a)) === JSON.stringify(paths(b))
}
