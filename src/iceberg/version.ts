import { MoraineError } from '../errors.js'
import { normalLocation, pathOf, type Storage } from '../storage/storage.js'
import type { Shape, TableChange } from './change.js'
import type { ScanTask } from './deletes.js'
import { FOREIGN, foreignPath } from './foreign-path.js'
import type { DataFile } from './spec/manifest.js'
import { currentSchema, type TableMetadata } from './spec/metadata.js'
import { fileMayMatch, type Predicate } from './spec/prune.js'
import type { Schema } from './spec/types.js'
import { withUpdates } from './spec/updates/apply.js'
import { emptyMetadata } from './spec/updates/metadata-json.js'
import { creating, reshaping } from './spec/updates/own-updates.js'
import type { TableUpdate } from './spec/updates/table-update.js'

/** The property that says how data files are compressed, for other engines too. */
export const CODEC = 'write.parquet.compression-codec'

/**
 * A version of a table as those see it who read it and write files for it: its shape, and which
 * files hold its rows. How they are listed in storage is another matter.
 */
export abstract class TableVersion {
  constructor(
    protected readonly storage: Storage,
    readonly metadata: TableMetadata,
  ) {}

  /** Path of the metadata file; `undefined` for a table that was never written. */
  abstract get file(): string | undefined

  /** The folder of the table, relative to the storage's root. */
  abstract get folder(): string

  /**
   * The data files that may hold rows meeting all predicates, with the files of deletes that apply
   * to each.
   */
  abstract plan(predicates?: readonly Predicate[]): Promise<ScanTask[]>

  /** This version with updates of its metadata, which nobody sees before it is saved or written. */
  abstract updated(updates: readonly TableUpdate[]): TableVersion

  get schema(): Schema {
    return currentSchema(this.metadata)
  }

  /** Where it lies, as a URL. */
  get location(): string {
    return this.storage.locate(this.folder)
  }

  /** The path for a new file below `data/`. */
  get dataFolder(): string {
    return `${this.folder}/data`
  }

  /** Whether another engine has written it: nothing is known of how its files are made. */
  get isForeign(): boolean {
    return false
  }

  /** Whether it is a table of other engines, who may have put its files apart from each other. */
  protected get isOthers(): boolean {
    return this.isForeign || (this.file?.startsWith(FOREIGN) ?? false)
  }

  /** How new data files are compressed. */
  get compression(): 'zstd' | 'snappy' {
    return this.metadata.properties[CODEC] === 'snappy' ? 'snappy' : 'zstd'
  }

  /** The path in storage of a location that metadata names. */
  pathOf(location: string): string {
    const { location: table } = this.metadata
    if (!this.isOthers && location.startsWith(`${table}/`))
      return `${this.folder}${location.slice(table.length)}`
    const path = this.isOthers
      ? foreignPath(this.storage, this, location)
      : pathOf(this.storage, normalLocation(location))
    if (path !== undefined) return path
    throw new MoraineError('corrupt', `${this.file} refers to a file outside the lake: ${location}`)
  }

  /** A file of this table with its checksum, as sealing it has told. */
  withChecksum(file: DataFile, sums: ReadonlyMap<string, string>): DataFile {
    const sha256 = sums.get(this.pathOf(file.path))
    return sha256 ? { ...file, sha256 } : file
  }

  /** This version with another shape; files that are written next follow it. */
  reshape(shape: Shape): this {
    const updates = reshaping(this.metadata, shape)
    return updates.length === 0 ? this : (this.updated(updates) as this)
  }
}

/** Metadata of a table that has no columns yet. */
export function begun(updates: readonly TableUpdate[]): TableMetadata {
  return withUpdates(emptyMetadata(2) as TableMetadata, updates)
}

/** A version as plain data: its metadata without snapshots, and its files. */
export interface TableData {
  metadata: TableMetadata
  folder: string
  /** Absent for a table that was never written. */
  file?: string | undefined
  files: readonly ScanTask[]
  /** Present where another engine has written it. */
  foreign?: true | undefined
}

/** A version whose files are told. */
export class ListedTable extends TableVersion {
  constructor(
    storage: Storage,
    private readonly data: TableData,
  ) {
    super(storage, data.metadata)
  }

  /** A table that does not exist yet, in the folder `path`. */
  static empty(storage: Storage, path: string): ListedTable {
    const metadata = begun(creating('', storage.locate(path)))
    return new ListedTable(storage, { metadata, folder: path, files: [] })
  }

  get file(): string | undefined {
    return this.data.file
  }

  get folder(): string {
    return this.data.folder
  }

  override get isForeign(): boolean {
    return this.data.foreign ?? false
  }

  async plan(predicates: readonly Predicate[] = []): Promise<ScanTask[]> {
    return this.data.files.filter(({ file }) => fileMayMatch(file, predicates, this.schema))
  }

  updated(updates: readonly TableUpdate[]): ListedTable {
    const metadata = withUpdates(this.metadata, updates)
    return new ListedTable(this.storage, { ...this.data, metadata })
  }
}

/** Files that come and go. */
export type FileChange = Required<Pick<TableChange, 'removed' | 'added' | 'deletes'>>

/** A version with a change of its files that nobody has written down yet. */
export class ChangedTable extends TableVersion {
  constructor(
    storage: Storage,
    private readonly before: TableVersion,
    private readonly change: FileChange,
  ) {
    super(storage, before.metadata)
  }

  get file(): string | undefined {
    return this.before.file
  }

  get folder(): string {
    return this.before.folder
  }

  async plan(predicates: readonly Predicate[] = []): Promise<ScanTask[]> {
    const { removed, added, deletes } = this.change
    const lists = new Map<string | undefined, DataFile[]>()
    for (const { file } of deletes)
      lists.set(file.referenced, [...(lists.get(file.referenced) ?? []), file])
    const before = removed === 'all' ? [] : await this.before.plan(predicates)
    const kept = before.flatMap((task) => {
      if (removed === 'all' || removed.has(task.file.path)) return []
      const old = task.deletes.filter(({ path }) => !removed.has(path))
      const fresh = lists.get(task.file.path) ?? []
      return [{ ...task, deletes: [...old, ...fresh] }]
    })
    const spec = this.metadata['default-spec-id']
    const more = added
      .filter((file) => fileMayMatch(file, predicates, this.schema))
      .map((file) => ({ file, spec, deletes: lists.get(file.path) ?? [] }))
    return [...kept, ...more]
  }

  updated(updates: readonly TableUpdate[]): ChangedTable {
    return new ChangedTable(this.storage, this.before.updated(updates), this.change)
  }
}
