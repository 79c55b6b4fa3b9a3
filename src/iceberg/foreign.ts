import type { Field } from '../define/types/column-type.js'
import type { Storage } from '../storage/storage.js'
import { filesOf, type ScanTask } from './deletes.js'
import { foreignMetadataIn, hasSnapshotOf, shapeOf } from './foreign-metadata.js'
import { FOREIGN, foreignPath, unreadable } from './foreign-path.js'
import { Manifests } from './manifests.js'
import { planFiles } from './plan-files.js'
import type { DataFile, ManifestFile } from './spec/manifest.js'
import { currentSchema, isSameId, type TableMetadata } from './spec/metadata.js'
import type { Predicate } from './spec/prune.js'
import { areSameColumns, columnsToRead, haveSameNames, type Unreadable } from './spec/readable.js'
import { withUpdates } from './spec/updates/apply.js'
import type { AnyMetadata, AnySnapshot } from './spec/updates/metadata-json.js'
import type { TableUpdate } from './spec/updates/table-update.js'
import type { TablePointer } from './table.js'
import { tableFolder } from './table-folder.js'
import { TableVersion } from './version.js'

/** How a table of another engine is read. */
export interface ForeignReading {
  /** Its full name, as errors call it: `ml.scores`. */
  name: string
  /** The columns that are read, and their types; all without it. */
  declared?: readonly Field[] | undefined
}

/** A version of a table that another engine has written; its columns are those that are read. */
export class ForeignTable extends TableVersion {
  private constructor(
    storage: Storage,
    metadata: TableMetadata,
    /** The metadata as they lie in the file. */
    private readonly written: AnyMetadata,
    private readonly how: ForeignReading & { at: TablePointer; manifests: Manifests },
  ) {
    super(storage, metadata)
  }

  /**
   * @throws MoraineError of kind `source` when its columns can't be read as declared, or not at
   *   all;
   *   of kind `corrupt` when the file is no metadata of a table.
   */
  static async load(
    storage: Storage,
    at: TablePointer,
    reading: ForeignReading,
    manifests = new Manifests(storage),
  ): Promise<ForeignTable> {
    const written = await foreignMetadataIn(storage, at)
    const { name, declared } = reading
    const refuse = ({ message, hint }: Unreadable) => unreadable(name, message, hint)
    const version = written['format-version']
    if (version > 2)
      throw refuse({
        message: `its format is version ${version} of Iceberg's`,
        hint: 'Datasets read versions 1 and 2. Create it with the property format-version = 2.',
      })
    const metadata = written as unknown as TableMetadata
    const current = currentSchema(metadata)
    const columns = columnsToRead(current, written, declared)
    if ('unreadable' in columns) throw refuse(columns.unreadable)
    const schema = { ...current, fields: columns.fields }
    const others = written.schemas.filter((one) => one['schema-id'] !== current['schema-id'])
    const known = { ...shapeOf(metadata), schemas: [...others, schema] }
    return new ForeignTable(storage, known, written, { ...reading, at, manifests })
  }

  get file(): string {
    return this.how.at.metadata
  }

  get folder(): string {
    return tableFolder(this.how.at.metadata)
  }

  override get location(): string {
    return this.written.location
  }

  override get isForeign(): boolean {
    return true
  }

  /** When its rows or its shape last changed, in milliseconds since 1970. */
  get lastUpdated(): number {
    return this.written['last-updated-ms']
  }

  override pathOf(location: string): string {
    const path = foreignPath(this.storage, this, location)
    if (path !== undefined) return path
    throw unreadable(
      this.how.name,
      `it has a file that does not lie below ${this.storage.url}/${FOREIGN}: ${location}`,
      'Datasets read nothing else. Have its engine write the rows again, where the catalog puts them.',
    )
  }

  private get snapshot(): AnySnapshot | undefined {
    const id = this.written['current-snapshot-id']
    return this.written.snapshots.find((one) => isSameId(one['snapshot-id'], id))
  }

  private async manifests(): Promise<ManifestFile[]> {
    const { snapshot } = this
    if (!snapshot) return []
    const list = snapshot['manifest-list']
    if (list === undefined)
      throw unreadable(
        this.how.name,
        'its snapshot has no manifest list',
        'Have its engine write to it once more: only early writers of version 1 left the list out.',
      )
    return this.how.manifests.list(this.pathOf(list))
  }

  async plan(predicates: readonly Predicate[] = []): Promise<ScanTask[]> {
    const { schema, written } = this
    const { manifests, name } = this.how
    return planFiles(
      {
        name,
        schema,
        specs: written['partition-specs'],
        manifests: await this.manifests(),
        read: (manifest, keep) => {
          const path = this.pathOf(manifest.manifest_path)
          return keep ? manifests.entries(path, manifest) : manifests.passing(path, manifest)
        },
      },
      predicates,
    )
  }

  /**
   * Looks at which files hold its rows.
   *
   * @param tasks those that are to be read; all without them.
   * @param isOther tells of a path that it is another table's, which may not be read: whoever
   *   writes files of this one by itself can have them name any.
   * @throws MoraineError of kind `source` when some of them can't be read.
   */
  async checkFiles(
    tasks?: readonly ScanTask[],
    isOther: (path: string) => boolean = () => false,
  ): Promise<void> {
    const files = filesOf(tasks ?? (await this.plan()))
    const paths = files.map((file) => this.checkFile(file))
    const other = paths.find(isOther)
    if (other !== undefined)
      throw unreadable(
        this.how.name,
        `it names ${other}, which lies in a table that may not be read`,
        'Grant read on that table in lake.ts, or have the engine write the rows into files of this one.',
      )
    const strange = await this.storage.strangeAmong?.(paths)
    if (strange === undefined) return
    throw unreadable(
      this.how.name,
      `${strange} is a link or a device, which may lead out of the lake`,
      'Datasets and queries read plain files. Have its engine write the rows again.',
    )
  }

  /** Returns where the file lies. */
  private checkFile({ path, format, content, equalityIds = [] }: DataFile): string {
    const { name } = this.how
    const there = this.pathOf(path)
    if (format !== undefined)
      throw unreadable(
        name,
        `it has files of the format ${format.toUpperCase()}: ${path}`,
        'Datasets read Parquet. Set its property write.format.default to parquet, and have its engine write the rows again.',
      )
    if (content !== 'equality deletes') return there
    const gone = equalityIds.find((id) => !this.schema.fields.some((field) => field.id === id))
    if (gone === undefined) return there
    const column = this.written.schemas
      .flatMap(({ fields }) => fields)
      .find(({ id }) => id === gone)?.name
    throw unreadable(
      name,
      `rows of it are deleted by their values of '${column ?? gone}', which is not among the columns that are read`,
      'Declare that column as well; if the table does not have it any more, have its engine compact the table.',
    )
  }

  /** Whether an earlier version has the same rows, in the same columns. */
  hasRowsOf(earlier: ForeignTable): boolean {
    return this.hasColumnsOf(earlier) && hasSnapshotOf(this.written, earlier.written)
  }

  /** Whether its files can be compared with those of an earlier version. */
  hasColumnsOf(earlier: ForeignTable): boolean {
    return (
      this.written['table-uuid'] === earlier.written['table-uuid'] &&
      areSameColumns(this.schema.fields, earlier.schema.fields) &&
      haveSameNames(this.written, earlier.written)
    )
  }

  /** Rows (without deleted ones), data files and bytes of the current snapshot. */
  get totals(): Promise<{ rows: number; files: number; bytes: number }> {
    return this.counted()
  }

  private async counted() {
    const { snapshot } = this
    const of = (name: string) => Number(snapshot?.summary?.[name] ?? Number.NaN)
    const known = {
      rows: of('total-records') - (of('total-position-deletes') || 0),
      files: of('total-data-files'),
      bytes: of('total-files-size'),
    }
    if (!Object.values(known).some(Number.isNaN)) return known
    const files = (await this.plan()).map(({ file }) => file)
    const sum = (name: 'rows' | 'bytes') => files.reduce((total, file) => total + file[name], 0)
    return { rows: sum('rows'), files: files.length, bytes: sum('bytes') }
  }

  updated(updates: readonly TableUpdate[]): ForeignTable {
    const metadata = withUpdates(this.metadata, updates)
    return new ForeignTable(this.storage, metadata, this.written, this.how)
  }
}
