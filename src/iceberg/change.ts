import type { Partition } from '../define/partition.js'
import type { Field } from '../define/types/column-type.js'
import type { DataFile } from './spec/manifest.js'

/** What a table looks like: columns and partitioning. */
export interface Shape {
  columns: readonly Field[]
  partitions: readonly Partition[]
  /** Said of the table in its properties: `comment`, `owner`. */
  about?: Readonly<Record<string, string>>
  /** New names of columns, by the old ones. */
  renamed?: Readonly<Record<string, string>>
}

/** A change of a table's files. */
export interface TableChange {
  /** Locations of files to drop, rows or deletes, or all of them. */
  removed: ReadonlySet<string> | 'all'
  added: readonly DataFile[]
  /** New files of deletes, with the spec of the files that they are about. */
  deletes?: readonly { file: DataFile; spec: number }[]
  /** What the snapshot's summary should say beside its counts. */
  summary?: Readonly<Record<string, string>>
  /** The rows stay the same, in other files (spec, Snapshots: `replace`). */
  sameRows?: boolean
  /**
   * Nothing of files that are gone stays in manifests: what they say of a file, such as the least
   * and the greatest of its values, is of rows that nobody may know of any more.
   */
  withoutTraces?: boolean
}
