import { deletedRows, liveRows, type Planned, type ScanTask, tasksOf } from './deletes.js'
import { isLive } from './manifests.js'
import type { Table } from './table.js'

/** Manifests that are read at once. */
const TOGETHER = 16

/** The files of a version of a table, and what they amount to. */
export interface Contents {
  /** All live entries, of data and of deletes, by their paths. */
  entries: ReadonlyMap<string, Planned>
  tasks: readonly ScanTask[]
  /** A path that is listed twice. */
  twice: string | undefined
  totals: Totals
}

/** What a version of a table amounts to. */
export interface Totals {
  /**
   * Rows that are not deleted; `undefined` where deletes must be read to know it: those of values,
   * and those of many data files.
   */
  rows: number | undefined
  /** Deleted rows of data files that are there. */
  deleted: number
  /** Data files. */
  files: number
  deleteFiles: number
  /** Of all files. */
  bytes: number
}

/** Reads all manifests of a version. */
export async function contentsOf(table: Table): Promise<Contents> {
  const manifests = await table.manifests()
  const found: Planned[] = []
  for (let at = 0; at < manifests.length; at += TOGETHER) {
    const read = manifests.slice(at, at + TOGETHER).map(async (manifest) => {
      const live = (await table.entries(manifest)).filter(isLive)
      return live.map((entry) => ({ entry, spec: manifest.partition_spec_id }))
    })
    found.push(...(await Promise.all(read)).flat())
  }
  const entries = new Map<string, Planned>()
  let twice: string | undefined
  for (const planned of found) {
    const { path } = planned.entry.file
    if (entries.has(path)) twice = path
    entries.set(path, planned)
  }
  const tasks = tasksOf(found, table.metadata['partition-specs'], table.folder)
  const sum = (count: (task: ScanTask) => number) => tasks.reduce((n, task) => n + count(task), 0)
  const deleted = sum(deletedRows)
  const isCounted = tasks.every((task) =>
    task.deletes.every(
      ({ content, referenced }) => content === 'position deletes' && referenced === task.file.path,
    ),
  )
  return {
    entries,
    tasks,
    twice,
    totals: {
      rows: isCounted ? sum(({ file }) => file.rows) - deleted : undefined,
      deleted,
      files: tasks.length,
      deleteFiles: found.length - tasks.length,
      bytes: found.reduce((n, { entry }) => n + entry.file.bytes, 0),
    },
  }
}

/** Files that are in one version and not in another. */
export function without(contents: Contents, other: Contents): Planned[] {
  return [...contents.entries].flatMap(([path, planned]) =>
    other.entries.has(path) ? [] : [planned],
  )
}

/** Live rows of each partition, by a text that tells partitions apart. */
export function rowsByPartition({ tasks }: Contents): Map<string, number> {
  const found = new Map<string, number>()
  for (const task of tasks) {
    const key = `${task.spec} ${JSON.stringify(task.file.partition.map(String))}`
    found.set(key, (found.get(key) ?? 0) + liveRows(task))
  }
  return found
}
