import { randomBytes } from 'node:crypto'
import { MoraineError } from '../errors.js'
import { once } from '../process/once.js'
import { readChecked } from '../storage/checked.js'
import { sha256 } from '../storage/checksum.js'
import { remedyFor } from '../storage/remedy.js'
import { type Storage, stagingOf } from '../storage/storage.js'
import { unpackBlock } from './codecs/block.js'
import { keptEntries } from './kept-entries.js'
import {
  type DataFile,
  decodeManifest,
  encodeManifest,
  isDeletes,
  type ManifestEntry,
  type ManifestFile,
} from './spec/manifest.js'
import { decodeManifestList, describeManifest } from './spec/manifest-list.js'
import { type Id, isSameId } from './spec/metadata.js'
import type { PartitionSpec } from './spec/transforms.js'
import type { Schema } from './spec/types.js'
import { compareValues } from './spec/values.js'

/** Small manifests of one partition spec that are put together. */
const MANY = 12
/** Entries of a manifest beyond which it is left alone. */
const LARGE = 200
/**
 * Entries of a manifest at most; they are ordered by partition, so that most manifests are passed
 * over.
 */
const MOST = 250

export interface SnapshotIds {
  snapshotId: Id
  sequenceNumber: number
}

/** Writes manifests below a table's `metadata/`. */
export interface ManifestTarget {
  storage: Storage
  folder: string
  uuid: () => string
  /** The schema and spec for entries of a partition spec. */
  contextOf: (specId: number) => { schema: Schema; spec: PartitionSpec }
}

/** Reads manifests and their lists, each once: they never change. */
export class Manifests {
  private readonly lists = new Map<string, Promise<ManifestFile[]>>()
  private readonly entriesOf = new Map<string, Promise<ManifestEntry[]>>()

  constructor(private readonly storage: Storage) {}

  /** Whether a manifest's entries were read before. */
  isRead(path: string): boolean {
    return this.entriesOf.has(path)
  }

  /** @param sum SHA-256 of the list, where it is known. */
  list(path: string, sum?: string): Promise<ManifestFile[]> {
    return once(this.lists, path, async () =>
      guarded(path, async () =>
        decodeManifestList(await readChecked(this.storage, path, sum), unpackBlock),
      ),
    )
  }

  entries(path: string, manifest: ManifestFile): Promise<ManifestEntry[]> {
    const entries = once(this.entriesOf, path, () => this.read(path, manifest))
    const { added_files_count, existing_files_count, deleted_files_count } = manifest
    const count = added_files_count + existing_files_count + deleted_files_count
    keptEntries.use(entries, { count, drop: () => this.entriesOf.delete(path) })
    return entries
  }

  /** The same for who needs them once: they are not kept. */
  passing(path: string, manifest: ManifestFile): Promise<ManifestEntry[]> {
    return this.entriesOf.get(path) ?? this.read(path, manifest)
  }

  private read(path: string, manifest: ManifestFile): Promise<ManifestEntry[]> {
    return guarded(path, async () => {
      const bytes = await readChecked(this.storage, path, manifest.sha256)
      const entries = await decodeManifest(bytes, manifest, unpackBlock)
      stagingOf(this.storage).expect(
        entries.map(({ file }) => ({ location: file.path, sha256: file.sha256 })),
      )
      return entries
    })
  }
}

async function guarded<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (cause) {
    if (cause instanceof MoraineError) throw cause
    throw new MoraineError('corrupt', `${path} is damaged: ${(cause as Error).message}`, {
      cause,
      path,
      hint: remedyFor(path),
    })
  }
}

export const isLive = (entry: ManifestEntry) => entry.status !== 'deleted'

export async function writeManifest(
  target: ManifestTarget,
  entries: readonly ManifestEntry[],
  specId: number,
  ids: SnapshotIds,
): Promise<ManifestFile> {
  const { storage, folder, uuid, contextOf } = target
  const { schema, spec } = contextOf(specId)
  const bytes = encodeManifest({ schema, spec }, entries, randomBytes(16))
  const path = `${folder}/metadata/${uuid()}-m0.avro`
  await storage.write(path, bytes)
  return describeManifest(
    { path: storage.locate(path), bytes: bytes.length, sha256: sha256(bytes), ...ids },
    entries,
    schema,
    spec,
  )
}

/**
 * Manifests for added files: rows and deletes lie in manifests of their own, and so do those of
 * each spec.
 */
export async function writeAdded(
  target: ManifestTarget,
  files: readonly { file: DataFile; spec: number }[],
  ids: SnapshotIds,
): Promise<ManifestFile[]> {
  const groups = new Map<string, (typeof files)[number][]>()
  for (const added of files) {
    const key = `${added.spec} ${isDeletes(added.file)}`
    groups.set(key, [...(groups.get(key) ?? []), added])
  }
  const { snapshotId } = ids
  const lots = [...groups.values()].flatMap((group) => {
    const spec = group[0]?.spec as number
    const sorted = group.map(({ file }) => file).sort(comparePartitions)
    return chunks(sorted).map((lot) => ({
      spec,
      entries: lot.map((file): ManifestEntry => {
        return { status: 'added', snapshotId, sequenceNumber: null, fileSequenceNumber: null, file }
      }),
    }))
  })
  return Promise.all(lots.map(({ spec, entries }) => writeManifest(target, entries, spec, ids)))
}

function chunks<T>(items: readonly T[]): T[][] {
  const count = Math.ceil(items.length / MOST)
  return Array.from({ length: count }, (_, i) => items.slice(i * MOST, (i + 1) * MOST))
}

/**
 * Puts small manifests of one partition spec and content together once there are many, ordered by
 * partition, so that planning a query reads few of them and passes over most (spec, Manifest
 * Lists).
 */
export async function mergeManifests(
  target: ManifestTarget,
  manifests: readonly ManifestFile[],
  read: (manifest: ManifestFile) => Promise<ManifestEntry[]>,
  ids: SnapshotIds,
): Promise<ManifestFile[]> {
  const isSmall = (m: ManifestFile) =>
    m.added_files_count + m.existing_files_count + m.deleted_files_count < LARGE
  const groups = new Map<string, ManifestFile[]>()
  for (const manifest of manifests)
    if (isSmall(manifest) && !isSameId(manifest.added_snapshot_id, ids.snapshotId)) {
      const key = `${manifest.partition_spec_id} ${manifest.content}`
      groups.set(key, [...(groups.get(key) ?? []), manifest])
    }
  let result = [...manifests]
  for (const group of groups.values()) {
    if (group.length < MANY) continue
    const specId = group[0]?.partition_spec_id as number
    const entries = (await Promise.all(group.map(read))).flat().filter(isLive)
    const existing = entries
      .map((entry): ManifestEntry => ({ ...entry, status: 'existing' }))
      .sort((a, b) => comparePartitions(a.file, b.file))
    const merged: ManifestFile[] = []
    for (const chunk of chunks(existing))
      merged.push(await writeManifest(target, chunk, specId, ids))
    const gone = new Set(group)
    result = [...merged, ...result.filter((manifest) => !gone.has(manifest))]
  }
  return result
}

function comparePartitions(a: DataFile, b: DataFile): number {
  for (let i = 0; i < a.partition.length; i++) {
    const [x, y] = [a.partition[i] ?? null, b.partition[i] ?? null]
    if (x === null || y === null) {
      if (x !== y) return x === null ? -1 : 1
      continue
    }
    const order = compareValues(x, y)
    if (order !== 0) return order
  }
  return 0
}
