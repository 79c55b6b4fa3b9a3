import type { GlueColumn, GlueTable, TableInput } from '../client.js'
import { fitted } from '../limits.js'
import { type LakeMark, marked, markOf, shapeOf } from '../marks.js'
import type { ProjectOptions } from '../options.js'
import type { ProjectionReport } from '../report.js'
import type { BatchedTable } from '../wanted-table.js'
import { descriptorOf, type FileFormat, isFormat } from './formats.js'
import { type Moved, Partitions, partitionKeys } from './partitions.js'
import { bronzeParts, withColumnsOf } from './parts.js'

/** Batches whose manifests are read at once. */
const AT_ONCE = 200

export interface ProjectingBatches {
  mark: LakeMark
  /** The commit that is projected. */
  commit: number
  report: ProjectionReport
}

/**
 * Brings a table of batches to what the log says, some batches at a time: what is ended goes on
 * from there. The table has the columns of its partitions before these are there.
 */
export class BatchesProjector {
  private columns: readonly GlueColumn[] = []
  private format: FileFormat = 'parquet'
  /** Whether the table says that its partitions are not all there. */
  private isClaimed = false
  private readonly notes = new Set<string>()
  /** Whether anything was written of the table, or of its partitions. */
  hasChanged = false

  constructor(
    private readonly options: Pick<ProjectOptions, 'glue' | 'full' | 'signal'>,
    private readonly on: ProjectingBatches,
    private readonly wanted: BatchedTable,
    private readonly found: GlueTable | undefined,
  ) {}

  /**
   * @param isKept whether the table is as it should be, and partitions alone are looked at.
   * @returns what was changed; `undefined`: somebody else was quicker.
   */
  async project(isKept: boolean): Promise<Moved | undefined> {
    const { glue, full = false, signal } = this.options
    const { found, wanted } = this
    const { pointers } = wanted.batched
    const isKnown = found !== undefined && markOf(found)?.shape === shapeOf(found)
    const { database, table } = wanted
    // Columns that somebody has changed are those of the partitions, as these were made.
    const listed = found ? await glue.partitions(database, table, !isKnown) : []
    const partitions = new Partitions(glue, wanted, listed, this.on.commit)
    this.columns = isKnown
      ? (found.StorageDescriptor?.Columns ?? [])
      : withColumnsOf([], partitions.columns, this.notes)
    const format = found?.Parameters?.classification
    if (isKnown && isFormat(format)) this.format = format
    const unread = full ? pointers : pointers.filter((pointer) => !partitions.shows(pointer))
    const moved = { added: 0, removed: 0 }
    let exact: readonly GlueColumn[] = []
    for (let at = 0; at === 0 || at < unread.length; at += AT_ONCE) {
      signal?.throwIfAborted()
      const some = unread.slice(at, at + AT_ONCE)
      const { parts, notes } = await bronzeParts(wanted.batched.storage, some)
      for (const note of notes) this.notes.add(note)
      exact = withColumnsOf(exact, parts, this.notes)
      const isNewest = some.length > 0 && some.at(-1) === pointers.at(-1)
      if (!isKnown || isNewest) this.format = parts.at(-1)?.format ?? this.format
      const columns = withColumnsOf(this.columns, parts, this.notes)
      if (!isKept && !(await this.claim(columns))) return undefined
      if (at === 0) moved.removed += await partitions.removeOthers(pointers)
      const { added, removed } = await partitions.put(some, parts)
      moved.added += added
      moved.removed += removed
    }
    // Who has read all manifests knows of columns that no batch has any more.
    if (full) this.columns = exact
    const isWritten = isKept ? await this.mend() : await this.again(wanted.batches)
    this.hasChanged ||= moved.added + moved.removed > 0
    for (const note of this.notes) this.on.report.note(wanted.dataset, note)
    return isWritten ? moved : undefined
  }

  /** Says that partitions are not all there, and which columns they will have. */
  private async claim(columns: readonly GlueColumn[]): Promise<boolean> {
    if (this.isClaimed && isSame(columns, this.columns)) return true
    this.columns = columns
    const isDone = this.isClaimed ? await this.again('') : await this.write(this.found, '')
    this.isClaimed = true
    return isDone
  }

  /** Writes columns that all manifests have otherwise than the table, which is kept else. */
  private async mend(): Promise<boolean> {
    if (isSame(this.columns, this.found?.StorageDescriptor?.Columns ?? [])) return true
    return this.write(this.found, this.wanted.batches)
  }

  /** Writes the table once more, unless somebody else has written it since. */
  private async again(batches: string | undefined): Promise<boolean> {
    const { database, table } = this.wanted
    const now = await this.options.glue.table(database, table)
    const own = now && markOf(now)
    if (own?.commit !== this.on.commit || own.batches !== '') return false
    return this.write(now, batches)
  }

  private async write(over: GlueTable | undefined, batches: string | undefined): Promise<boolean> {
    const { glue } = this.options
    const { mark, commit } = this.on
    const { dataset, database, version } = this.wanted
    const { table, notes } = fitted(this.input())
    for (const note of notes) this.notes.add(note)
    const own = { ...mark, dataset, commit, version, batches }
    const input = marked(table, own, over?.Parameters)
    const done = over
      ? await glue.updateTable(database, input, over.VersionId)
      : await glue.createTable(database, input)
    this.hasChanged = true
    return done === 'written'
  }

  private input(): TableInput {
    const { table, description, batched } = this.wanted
    const location = batched.storage.locate(batched.folder)
    return {
      Name: table,
      ...(description ? { Description: description } : {}),
      TableType: 'EXTERNAL_TABLE',
      Parameters: { EXTERNAL: 'TRUE', classification: this.format },
      PartitionKeys: partitionKeys,
      StorageDescriptor: descriptorOf(this.format, this.columns, location),
    }
  }
}

const isSame = (a: readonly GlueColumn[], b: readonly GlueColumn[]) =>
  a.length === b.length &&
  a.every(({ Name, Type = '' }, i) => Name === b[i]?.Name && Type === (b[i]?.Type ?? ''))
