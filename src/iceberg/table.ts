import { randomBytes } from 'node:crypto'
import { MoraineError } from '../errors.js'
import { readChecked } from '../storage/checked.js'
import { sha256 } from '../storage/checksum.js'
import { pathOf, type Storage } from '../storage/storage.js'
import type { TableChange } from './change.js'
import type { ScanTask } from './deletes.js'
import { realEffects, type TableEffects } from './effects.js'
import { foreignFolder } from './foreign-path.js'
import { toJsonText } from './json.js'
import {
  isLive,
  Manifests,
  type ManifestTarget,
  mergeManifests,
  type SnapshotIds,
  writeAdded,
  writeManifest,
} from './manifests.js'
import { planFiles } from './plan-files.js'
import { metadataIn } from './read-metadata.js'
import { LIST_CHECKSUM } from './spec/checksums.js'
import type { DataFile, ManifestEntry, ManifestFile } from './spec/manifest.js'
import { encodeManifestList, withCounts } from './spec/manifest-list.js'
import {
  currentSnapshot,
  isSameId,
  namedSnapshots,
  type Snapshot,
  type TableMetadata,
} from './spec/metadata.js'
import type { Predicate } from './spec/prune.js'
import type { PartitionSpec } from './spec/transforms.js'
import type { Schema } from './spec/types.js'
import { applyUpdates, following, withUpdates } from './spec/updates/apply.js'
import { adding, creating, expiring } from './spec/updates/own-updates.js'
import { rebased } from './spec/updates/rebase.js'
import type { TableUpdate } from './spec/updates/table-update.js'
import { summarize } from './summary.js'
import { tableFolder } from './table-folder.js'
import { begun, TableVersion } from './version.js'

/** Where a version of a table is. */
export interface TablePointer {
  /** Path of the Iceberg metadata file, relative to the lake's root. */
  metadata: string
  /** SHA-256 of that file, in hex; earlier versions of Moraine did not note it. */
  sha256?: string
}

const decoder = new TextDecoder()
const encoder = new TextEncoder()

/**
 * One version of an Iceberg table (format version 2). A version never changes: `prepare` and
 * `write` give new ones, which nobody sees until the commit log points to them. What changes of its
 * metadata is a list of updates, which are applied when it is written.
 */
export class Table extends TableVersion {
  private constructor(
    storage: Storage,
    metadata: TableMetadata,
    /** The metadata file; `undefined` for a table that was never written. */
    private readonly at: TablePointer | undefined,
    private readonly effects: TableEffects,
    private readonly cache: Manifests,
    /**
     * The metadata as it lies in the file, and the updates that lead from there to this version.
     */
    private readonly saved: TableMetadata | undefined,
    private readonly updates: readonly TableUpdate[] = [],
  ) {
    super(storage, metadata)
  }

  /** Path of the metadata file; `undefined` for a table that was never written. */
  get file(): string | undefined {
    return this.at?.metadata
  }

  /** What the log has to know to find this version, once it is written. */
  get pointer(): TablePointer {
    return this.at as TablePointer
  }

  /** A table that does not exist yet, in the folder `path`. */
  static create(storage: Storage, path: string, effects = realEffects): Table {
    const updates = creating(effects.uuid(), storage.locate(path))
    const cache = new Manifests(storage)
    return new Table(storage, begun(updates), undefined, effects, cache, undefined, updates)
  }

  /**
   * @throws MoraineError of kind `corrupt` when the file is not the table metadata that was
   * written.
   */
  static async load(
    storage: Storage,
    at: TablePointer | string,
    effects = realEffects,
    cache = new Manifests(storage),
  ): Promise<Table> {
    const { metadata: file, sha256: sum } = typeof at === 'string' ? { metadata: at } : at
    const text = decoder.decode(await readChecked(storage, file, sum))
    const metadata = metadataIn(text, file)
    return new Table(
      storage,
      metadata,
      { metadata: file, ...(sum ? { sha256: sum } : {}) },
      effects,
      cache,
      metadata,
    )
  }

  get snapshot(): Snapshot | undefined {
    return currentSnapshot(this.metadata)
  }

  /** Snapshots that have names beside that of the current one. */
  get tagged(): { tag: string; snapshot: Snapshot }[] {
    const { snapshots, refs } = this.metadata
    return Object.entries(refs).flatMap(([tag, { 'snapshot-id': id }]) => {
      const snapshot = snapshots.find((one) => isSameId(one['snapshot-id'], id))
      return tag === 'main' || !snapshot ? [] : [{ tag, snapshot }]
    })
  }

  /** The paths of files of statistics: of snapshots that have names, or of all. */
  statistics({ others = false } = {}): string[] {
    const named = namedSnapshots(this.metadata)
    const { statistics = [], 'partition-statistics': partitions = [] } = this.metadata
    return [...statistics, ...partitions]
      .filter((file) => others || named.has(String(file['snapshot-id'])))
      .map((file) => this.pathOf(file['statistics-path']))
  }

  /** The folder of the table, relative to the storage's root. */
  get folder(): string {
    const { file, storage } = this
    const { location } = this.metadata
    if (file === undefined) return pathOf(storage, location) as string
    // A lake that was moved still finds its files: they lie where its tables have always lain.
    const own = this.isOthers ? foreignFolder(storage, file, location) : undefined
    return own ?? tableFolder(file)
  }

  /** When its rows or its shape last changed, in milliseconds since 1970. */
  get lastUpdated(): number {
    return this.metadata['last-updated-ms']
  }

  /** The table as other metadata of it would have it, to be read: nobody writes on it. */
  withMetadata(metadata: TableMetadata): Table {
    return new Table(this.storage, metadata, this.at, this.effects, this.cache, metadata)
  }

  updated(updates: readonly TableUpdate[]): Table {
    const { storage, at, effects, cache, saved } = this
    const metadata = withUpdates(this.metadata, updates)
    return new Table(storage, metadata, at, effects, cache, saved, [...this.updates, ...updates])
  }

  async manifests(snapshot = this.snapshot): Promise<ManifestFile[]> {
    if (!snapshot) return []
    return this.cache.list(
      this.pathOf(snapshot['manifest-list']),
      snapshot.summary?.[LIST_CHECKSUM],
    )
  }

  private async passing(manifest: ManifestFile): Promise<ManifestEntry[]> {
    return this.cache.passing(this.pathOf(manifest.manifest_path), manifest)
  }

  async entries(manifest: ManifestFile): Promise<ManifestEntry[]> {
    return this.cache.entries(this.pathOf(manifest.manifest_path), manifest)
  }

  /**
   * The paths of all files that snapshots lead to, a list or manifest before what it names: those
   * of the current snapshot, of those that have a name, and their statistics.
   *
   * @param isKnown says of a list or manifest that what it names is known: it is not read again.
   * @param others also of all other snapshots, as far as their files are there: they may have been
   *   removed with the commits that showed them.
   */
  async *paths(
    isKnown: (path: string) => boolean = () => false,
    { others = false } = {},
  ): AsyncGenerator<string> {
    const { snapshots } = this.metadata
    const named = namedSnapshots(this.metadata).add(String(this.metadata['current-snapshot-id']))
    yield* this.statistics({ others })
    const read = new Set<string>()
    for (const snapshot of snapshots) {
      const needed = named.has(String(snapshot['snapshot-id']))
      const list = this.pathOf(snapshot['manifest-list'])
      if (!needed && (!others || isKnown(list))) continue
      const manifests = await this.there(list, needed, this.manifests(snapshot))
      if (manifests) yield list
      for (const manifest of manifests ?? []) {
        const path = this.pathOf(manifest.manifest_path)
        if (read.has(path) || isKnown(path)) continue
        read.add(path)
        const entries = await this.there(path, needed, this.entries(manifest))
        if (entries) yield path
        for (const { status, file } of entries ?? [])
          if (status !== 'deleted') yield this.pathOf(file.path)
      }
    }
  }

  /** What is read of a file, which need not be there unless it is needed. */
  private async there<T>(path: string, needed: boolean, read: Promise<T>): Promise<T | undefined> {
    try {
      return await read
    } catch (error) {
      if (needed || (await this.storage.stat(path))) throw error
      return undefined
    }
  }

  /**
   * The data files that may hold rows meeting all predicates: first whole manifests are passed
   * over by their partitions, then files by their bounds.
   * Who reads their rows asks {@link plan}, which also tells what was deleted of them.
   */
  async scan(predicates: readonly Predicate[] = []): Promise<DataFile[]> {
    return (await this.plan(predicates)).map(({ file }) => file)
  }

  /** The same, with the files of deletes that apply to each (spec, Scan Planning). */
  async plan(predicates: readonly Predicate[] = []): Promise<ScanTask[]> {
    const passing = (manifest: ManifestFile, keep: boolean) =>
      keep ? this.entries(manifest) : this.passing(manifest)
    return planFiles(
      {
        name: this.folder,
        schema: this.schema,
        specs: this.metadata['partition-specs'],
        manifests: await this.manifests(),
        read: passing,
      },
      predicates,
    )
  }

  /** The files of the partitions that new files belong to: what an overwrite of them drops. */
  async filesInPartitionsOf(added: readonly DataFile[]): Promise<Set<string>> {
    const key = ({ partition }: DataFile) => JSON.stringify(partition.map(String))
    const partitions = new Set(added.map(key))
    const specId = this.metadata['default-spec-id']
    const manifests = (await this.manifests()).filter((m) => m.partition_spec_id === specId)
    const entries = (await Promise.all(manifests.map((m) => this.entries(m)))).flat()
    return new Set(
      entries
        .filter(isLive)
        .filter(({ file }) => partitions.has(key(file)))
        .map(({ file }) => file.path),
    )
  }

  /**
   * Writes a snapshot with the change and returns the version that has it. Manifests that the
   * change does not touch are kept as they are, or put together when there are many.
   */
  async write(change: TableChange): Promise<Table> {
    const snapshotId = this.effects.snapshotId()
    const sequenceNumber = this.metadata['last-sequence-number'] + 1
    const ids: SnapshotIds = { snapshotId, sequenceNumber }
    // What goes as a whole need not be read: so a damaged table is made anew.
    const read = (manifest: ManifestFile) => this.entries(manifest)
    const known = this.manifests().then((manifests) => withCounts(manifests, read))
    const before = await known.catch((error) => {
      if (change.removed !== 'all') throw error
      return []
    })
    const { kept, removed } = await this.rewriteManifests(before, change, ids)
    const deletes = change.deletes ?? []
    const written = await writeAdded(
      this.target,
      [
        ...change.added.map((file) => ({ file, spec: this.metadata['default-spec-id'] })),
        ...deletes,
      ],
      ids,
    )
    const manifests = await mergeManifests(this.target, [...kept, ...written], read, ids)
    const listPath = `${this.folder}/metadata/snap-${snapshotId}-${this.effects.uuid()}.avro`
    const parentId = this.snapshot?.['snapshot-id'] ?? null
    const list = encodeManifestList(manifests, { ...ids, parentId }, randomBytes(16))
    await this.storage.write(listPath, list)
    const listed = { [LIST_CHECKSUM]: sha256(list) }
    const snapshot: Snapshot = {
      'snapshot-id': snapshotId,
      ...(parentId === null ? {} : { 'parent-snapshot-id': parentId }),
      'sequence-number': sequenceNumber,
      'timestamp-ms': Math.max(this.effects.now().getTime(), this.metadata['last-updated-ms'] + 1),
      summary: {
        ...summarize(
          {
            added: [...change.added, ...deletes.map(({ file }) => file)],
            removed,
            sameRows: change.sameRows,
            isAnew: change.removed === 'all',
          },
          manifests,
          this.snapshot?.summary,
        ),
        ...change.summary,
        ...listed,
      },
      'manifest-list': this.storage.locate(listPath),
      'schema-id': this.schema['schema-id'],
    }
    const added = adding(this.metadata, snapshot)
    const time = snapshot['timestamp-ms']
    return this.store([...added, ...expiring(withUpdates(this.metadata, added), time)], time)
  }

  /** Writes the metadata without a snapshot, where they differ from those in the file. */
  async save(): Promise<Table> {
    return this.store([], this.effects.now().getTime())
  }

  /** Without snapshots that are older than a time, but the newest and those that a name needs. */
  expired(before: Date): Table {
    const now = this.effects.now().getTime()
    const updates = expiring(this.metadata, now, { least: 1, age: now - before.getTime() })
    return updates.length === 0 ? this : this.updated(updates)
  }

  /**
   * This version on top of one that others have made meanwhile, where that has the rows and the
   * shape of the version that this one was made of; `undefined` where it has others.
   */
  async rebased(before: Table, theirs: Table): Promise<Table | undefined> {
    const metadata = rebased(this.metadata, before.metadata, theirs.metadata)
    if (!metadata) return undefined
    const now = Math.max(this.effects.now().getTime(), this.lastUpdated)
    const previousFile = this.storage.locate(theirs.file as string)
    return theirs.written(following(theirs.metadata, metadata, { previousFile, now }))
  }

  private get target(): ManifestTarget {
    const { storage, folder } = this
    const contextOf = (specId: number) => {
      const spec = this.metadata['partition-specs'].find((s) => s['spec-id'] === specId)
      if (!spec) throw new MoraineError('corrupt', `${this.file} has no partition spec ${specId}`)
      return { schema: this.schemaOf(spec), spec }
    }
    return { storage, folder, uuid: this.effects.uuid, contextOf }
  }

  private async rewriteManifests(
    manifests: readonly ManifestFile[],
    { removed, withoutTraces = false }: TableChange,
    ids: SnapshotIds,
  ) {
    const kept: ManifestFile[] = []
    const gone: DataFile[] = []
    const isRemoved = (file: DataFile) => removed === 'all' || removed.has(file.path)
    const live = manifests.filter((m) => m.added_files_count + m.existing_files_count > 0)
    const wasRead = (manifest: ManifestFile) =>
      this.cache.isRead(this.pathOf(manifest.manifest_path))
    // Who removes files has found them in manifests that were read: the others come last, if at
    // all.
    const ordered = [...live.filter(wasRead), ...live.filter((manifest) => !wasRead(manifest))]
    for (const manifest of ordered) {
      const traced = withoutTraces && manifest.deleted_files_count > 0
      const done = removed !== 'all' && gone.length === removed.size && !traced
      const read = done ? [] : await this.entriesUnless(manifest, removed === 'all')
      if (!read) continue
      const entries = read.filter(isLive)
      if (!traced && !entries.some((entry) => isRemoved(entry.file))) {
        kept.push(manifest)
        continue
      }
      const next = entries.map(
        (entry): ManifestEntry =>
          isRemoved(entry.file)
            ? { ...entry, status: 'deleted', snapshotId: ids.snapshotId }
            : { ...entry, status: 'existing' },
      )
      for (const entry of next) if (!isLive(entry)) gone.push(entry.file)
      kept.push(await writeManifest(this.target, next, manifest.partition_spec_id, ids))
    }
    return { kept, removed: gone }
  }

  /**
   * A manifest's entries; `undefined` where they can't be read and `spare` says that they need not
   * be.
   */
  private async entriesUnless(manifest: ManifestFile, spare: boolean) {
    return this.entries(manifest).catch((error) => {
      if (!spare) throw error
      return undefined
    })
  }

  /** The newest schema that has all columns a partition spec is made from. */
  schemaOf(spec: PartitionSpec): Schema {
    const has = (schema: Schema) =>
      spec.fields.every((p) => schema.fields.some((f) => f.id === p['source-id']))
    const newestFirst = [this.schema, ...[...this.metadata.schemas].reverse()]
    return newestFirst.find(has) ?? this.schema
  }

  /** Writes what the updates of this version, and more, make of the metadata in the file. */
  private async store(more: readonly TableUpdate[], now: number): Promise<Table> {
    const previousFile = this.file === undefined ? undefined : this.storage.locate(this.file)
    const updates = [...this.updates, ...more]
    const metadata = applyUpdates(this.saved, updates, { previousFile, now }) as TableMetadata
    if (metadata === this.saved) return this
    return this.written(metadata)
  }

  /** Metadata that follow this version's, in a file of their own. */
  private async written(metadata: TableMetadata): Promise<Table> {
    const before = /\/v?(\d+)[^/]*\.metadata\.json$/.exec(this.file ?? '')?.[1]
    const version = String(Number(before ?? 0) + 1).padStart(5, '0')
    const file = `${this.folder}/metadata/${version}-${this.effects.uuid()}.metadata.json`
    const bytes = encoder.encode(toJsonText(metadata))
    await this.storage.write(file, bytes)
    const at = { metadata: file, sha256: sha256(bytes) }
    return new Table(this.storage, metadata, at, this.effects, this.cache, metadata)
  }

  /** Rows (without deleted ones), data files and bytes of the current snapshot. */
  get totals(): { rows: number; files: number; bytes: number } {
    const { summary } = this.snapshot ?? {}
    return {
      rows:
        Number(summary?.['total-records'] ?? 0) - Number(summary?.['total-position-deletes'] ?? 0),
      files: Number(summary?.['total-data-files'] ?? 0),
      bytes: Number(summary?.['total-files-size'] ?? 0),
    }
  }
}
