import { randomBytes, randomUUID } from 'node:crypto'
import type { Field } from '../define/column-type.js'
import type { Partition } from '../define/partition.js'
import { MoraineError } from '../errors.js'
import { pathOf, type Storage } from '../storage/storage.js'
import {
  type DataFile,
  decodeManifest,
  encodeManifest,
  type ManifestEntry,
  type ManifestFile,
} from './spec/manifest.js'
import { decodeManifestList, describeManifest, encodeManifestList } from './spec/manifest-list.js'
import {
  currentSchema,
  currentSnapshot,
  newTable,
  type Operation,
  type Snapshot,
  type TableMetadata,
  withPartitions,
  withSchema,
  withSnapshot,
} from './spec/metadata.js'
import { fileMayMatch, manifestMayMatch, type Predicate } from './spec/prune.js'
import type { PartitionSpec } from './spec/transforms.js'
import type { Schema } from './spec/types.js'

export interface TableEffects {
  now: () => Date
  uuid: () => string
  /** Snapshot ids stay below 2^53, so that JSON can carry them. */
  snapshotId: () => number
}

const realEffects: TableEffects = {
  now: () => new Date(),
  uuid: randomUUID,
  snapshotId: () => Number(randomBytes(8).readBigUInt64BE() >> 12n),
}

/** What a table looks like: columns and partitioning. */
export interface Shape {
  columns: readonly Field[]
  partitions: readonly Partition[]
  /** Said of the table in its properties: `comment`, `owner`. */
  about?: Readonly<Record<string, string>>
}

/** A change of a table's files. */
export interface TableChange {
  /** Locations of files to drop, or all of them. */
  removed: ReadonlySet<string> | 'all'
  added: readonly DataFile[]
  /** What the snapshot's summary should say beside its counts. */
  summary?: Readonly<Record<string, string>>
}

const decoder = new TextDecoder()
const encoder = new TextEncoder()

/**
 * One version of an Iceberg table (format version 2). A version never changes: `prepare` and
 * `write` give new ones, which nobody sees until the commit log points to them.
 */
export class Table {
  private constructor(
    private readonly storage: Storage,
    readonly metadata: TableMetadata,
    /** Path of the metadata file; `undefined` for a table that was never written. */
    readonly file: string | undefined,
    private readonly effects: TableEffects,
  ) {}

  /** A table that does not exist yet, in the folder `path`. */
  static create(storage: Storage, path: string, effects = realEffects): Table {
    const metadata = newTable(effects.uuid(), storage.locate(path))
    return new Table(storage, metadata, undefined, effects)
  }

  /** @throws MoraineError of kind `corrupt` when the file is not table metadata. */
  static async load(storage: Storage, file: string, effects = realEffects): Promise<Table> {
    const text = decoder.decode(await storage.read(file))
    try {
      return new Table(storage, JSON.parse(text), file, effects)
    } catch (cause) {
      throw new MoraineError('corrupt', `${file} is damaged: it is not JSON`, { cause })
    }
  }

  get schema(): Schema {
    return currentSchema(this.metadata)
  }

  get snapshot(): Snapshot | undefined {
    return currentSnapshot(this.metadata)
  }

  /** The folder of the table, relative to the storage's root. */
  private get folder(): string {
    // A lake that was moved still finds its files: they lie where its tables have always lain.
    if (this.file !== undefined) return this.file.slice(0, this.file.lastIndexOf('/metadata/'))
    return pathOf(this.storage, this.metadata.location) as string
  }

  /** The path in storage of a location that metadata names. */
  pathOf(location: string): string {
    const { location: table } = this.metadata
    if (location.startsWith(`${table}/`)) return `${this.folder}${location.slice(table.length)}`
    const path = pathOf(this.storage, location)
    if (path !== undefined) return path
    throw new MoraineError('corrupt', `${this.file} names a file outside of the lake: ${location}`)
  }

  /** The path for a new file below `data/`. */
  get dataFolder(): string {
    return `${this.folder}/data`
  }

  /** This table with another shape; files that are written next follow it. */
  reshape({ columns, partitions, about }: Shape): Table {
    const shaped = withPartitions(withSchema(this.metadata, columns), partitions)
    const metadata = { ...shaped, properties: { ...shaped.properties, ...about } }
    return new Table(this.storage, metadata, this.file, this.effects)
  }

  async manifests(): Promise<ManifestFile[]> {
    const { snapshot } = this
    if (!snapshot) return []
    return decodeManifestList(await this.storage.read(this.pathOf(snapshot['manifest-list'])))
  }

  async entries(manifest: ManifestFile): Promise<ManifestEntry[]> {
    return decodeManifest(await this.storage.read(this.pathOf(manifest.manifest_path)), manifest)
  }

  /**
   * The data files that may hold rows meeting all predicates: first whole manifests are passed
   * over by their partitions, then files by their bounds.
   */
  async scan(predicates: readonly Predicate[] = []): Promise<DataFile[]> {
    const specs = this.metadata['partition-specs']
    const manifests = (await this.manifests()).filter((manifest) => {
      const spec = specs.find((s) => s['spec-id'] === manifest.partition_spec_id)
      return !spec || manifestMayMatch(manifest, predicates, this.schema, spec)
    })
    const entries = await Promise.all(manifests.map((manifest) => this.entries(manifest)))
    return entries
      .flat()
      .filter((entry) => entry.status !== 'deleted')
      .map((entry) => entry.file)
      .filter((file) => fileMayMatch(file, predicates, this.schema))
  }

  /** The files of the partitions that new files belong to: what an overwrite of them drops. */
  async filesInPartitionsOf(added: readonly DataFile[]): Promise<Set<string>> {
    const key = ({ partition }: DataFile) => JSON.stringify(partition.map(String))
    const partitions = new Set(added.map(key))
    const specId = this.metadata['default-spec-id']
    const manifests = (await this.manifests()).filter((m) => m.partition_spec_id === specId)
    const entries = (await Promise.all(manifests.map((m) => this.entries(m)))).flat()
    const live = entries.filter((entry) => entry.status !== 'deleted')
    return new Set(
      live.filter(({ file }) => partitions.has(key(file))).map(({ file }) => file.path),
    )
  }

  /**
   * Writes a snapshot with the change and returns the version that has it. Manifests that the
   * change does not touch are kept as they are.
   */
  async write(change: TableChange): Promise<Table> {
    const snapshotId = this.effects.snapshotId()
    const sequenceNumber = this.metadata['last-sequence-number'] + 1
    const ids = { snapshotId, sequenceNumber }
    const before = await this.manifests()
    const { kept, removed } = await this.rewriteManifests(before, change.removed, ids)
    const manifests = [...kept]
    if (change.added.length > 0) {
      const entries = change.added.map(
        (file): ManifestEntry => ({
          status: 'added',
          snapshotId,
          sequenceNumber: null,
          fileSequenceNumber: null,
          file,
        }),
      )
      manifests.push(await this.writeManifest(entries, this.metadata['default-spec-id'], ids))
    }
    const listPath = `${this.folder}/metadata/snap-${snapshotId}-${this.effects.uuid()}.avro`
    const parentId = this.snapshot?.['snapshot-id'] ?? null
    const list = encodeManifestList(manifests, { ...ids, parentId }, randomBytes(16))
    await this.storage.write(listPath, list)
    return this.writeMetadata({
      'snapshot-id': snapshotId,
      ...(parentId === null ? {} : { 'parent-snapshot-id': parentId }),
      'sequence-number': sequenceNumber,
      'timestamp-ms': Math.max(this.effects.now().getTime(), this.metadata['last-updated-ms'] + 1),
      summary: this.summarize(change, removed, manifests),
      'manifest-list': this.storage.locate(listPath),
      'schema-id': this.schema['schema-id'],
    })
  }

  private async rewriteManifests(
    manifests: readonly ManifestFile[],
    removed: TableChange['removed'],
    ids: { snapshotId: number; sequenceNumber: number },
  ) {
    const kept: ManifestFile[] = []
    const gone: DataFile[] = []
    const isRemoved = (file: DataFile) => removed === 'all' || removed.has(file.path)
    for (const manifest of manifests) {
      if (manifest.added_files_count + manifest.existing_files_count === 0) continue
      const entries = removed === 'all' || removed.size > 0 ? await this.entries(manifest) : []
      const live = entries.filter((entry) => entry.status !== 'deleted')
      if (!live.some((entry) => isRemoved(entry.file))) {
        kept.push(manifest)
        continue
      }
      const next = live.map(
        (entry): ManifestEntry =>
          isRemoved(entry.file)
            ? { ...entry, status: 'deleted', snapshotId: ids.snapshotId }
            : { ...entry, status: 'existing' },
      )
      gone.push(...next.filter((e) => e.status === 'deleted').map((e) => e.file))
      kept.push(await this.writeManifest(next, manifest.partition_spec_id, ids))
    }
    return { kept, removed: gone }
  }

  private async writeManifest(
    entries: readonly ManifestEntry[],
    specId: number,
    ids: { snapshotId: number; sequenceNumber: number },
  ): Promise<ManifestFile> {
    const spec = this.metadata['partition-specs'].find((s) => s['spec-id'] === specId)
    if (!spec) throw new MoraineError('corrupt', `${this.file} has no partition spec ${specId}`)
    const schema = this.schemaOf(spec)
    const bytes = encodeManifest({ schema, spec }, entries, randomBytes(16))
    const path = `${this.folder}/metadata/${this.effects.uuid()}-m0.avro`
    await this.storage.write(path, bytes)
    const at = { path: this.storage.locate(path), bytes: bytes.length, ...ids }
    return describeManifest(at, entries, schema, spec)
  }

  /** The newest schema that has all columns a partition spec is made from. */
  private schemaOf(spec: PartitionSpec): Schema {
    const has = (schema: Schema) =>
      spec.fields.every((p) => schema.fields.some((f) => f.id === p['source-id']))
    const newestFirst = [this.schema, ...[...this.metadata.schemas].reverse()]
    return newestFirst.find(has) ?? this.schema
  }

  private summarize(
    { added, summary }: TableChange,
    removed: readonly DataFile[],
    manifests: readonly ManifestFile[],
  ): Snapshot['summary'] {
    const operation: Operation =
      removed.length === 0 ? 'append' : added.length === 0 ? 'delete' : 'overwrite'
    const rows = (files: readonly DataFile[]) => files.reduce((sum, f) => sum + f.rows, 0)
    const bytes = (files: readonly DataFile[]) => files.reduce((sum, f) => sum + f.bytes, 0)
    const total = (pick: (m: ManifestFile) => number) => manifests.reduce((n, m) => n + pick(m), 0)
    const before = Number(this.snapshot?.summary['total-files-size'] ?? 0)
    const counts: Record<string, number> = {
      'added-data-files': added.length,
      'deleted-data-files': removed.length,
      'added-records': rows(added),
      'deleted-records': rows(removed),
      'added-files-size': bytes(added),
      'removed-files-size': bytes(removed),
      'total-records': total((m) => m.added_rows_count + m.existing_rows_count),
      'total-data-files': total((m) => m.added_files_count + m.existing_files_count),
      'total-files-size': before + bytes(added) - bytes(removed),
      'total-delete-files': 0,
      'total-position-deletes': 0,
      'total-equality-deletes': 0,
    }
    const texts = Object.entries(counts).map(([name, count]) => [name, String(count)])
    return { operation, ...Object.fromEntries(texts), ...summary }
  }

  private async writeMetadata(snapshot: Snapshot): Promise<Table> {
    const previous = this.file === undefined ? undefined : this.storage.locate(this.file)
    const metadata = withSnapshot(this.metadata, snapshot, previous)
    const version = String(metadata.snapshots.length).padStart(5, '0')
    const file = `${this.folder}/metadata/${version}-${this.effects.uuid()}.metadata.json`
    await this.storage.write(file, encoder.encode(JSON.stringify(metadata, null, 1)))
    return new Table(this.storage, metadata, file, this.effects)
  }

  /** Rows, files and bytes of the current snapshot. */
  get totals(): { rows: number; files: number; bytes: number } {
    const { summary } = this.snapshot ?? {}
    return {
      rows: Number(summary?.['total-records'] ?? 0),
      files: Number(summary?.['total-data-files'] ?? 0),
      bytes: Number(summary?.['total-files-size'] ?? 0),
    }
  }
}
