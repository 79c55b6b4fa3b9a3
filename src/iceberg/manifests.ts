import { randomBytes } from 'node:crypto'
import { inflateRawSync } from 'node:zlib'
import { MoraineError } from '../errors.js'
import type { Storage } from '../storage/storage.js'
import {
  type DataFile,
  decodeManifest,
  encodeManifest,
  isDeletes,
  type ManifestEntry,
  type ManifestFile,
} from './spec/manifest.js'
import { decodeManifestList, describeManifest } from './spec/manifest-list.js'
import type { Id } from './spec/metadata.js'
import type { PartitionSpec } from './spec/transforms.js'
import type { Schema } from './spec/types.js'
import { compareValues } from './spec/values.js'

const inflate = (bytes: Uint8Array): Uint8Array => inflateRawSync(bytes)

/** Small manifests of one partition spec that are put together. */
const MANY = 12
/** Entries of a manifest beyond which it is left alone. */
const LARGE = 200
/** Entries of a manifest at most; they are ordered by partition, so that most manifests are passed over. */
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

  list(path: string): Promise<ManifestFile[]> {
    return once(this.lists, path, async () =>
      guarded(path, async () => decodeManifestList(await this.storage.read(path), inflate)),
    )
  }

  entries(path: string, manifest: ManifestFile): Promise<ManifestEntry[]> {
    return once(this.entriesOf, path, async () =>
      guarded(path, async () => decodeManifest(await this.storage.read(path), manifest, inflate)),
    )
  }
}

async function guarded<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (cause) {
    if (cause instanceof MoraineError) throw cause
    throw new MoraineError('corrupt', `${path} is damaged: ${(cause as Error).message}`, {
      cause,
      hint: 'Restore it from a backup, or bring an earlier state back: moraine rollback --to COMMIT',
    })
  }
}

function once<T>(known: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  const found = known.get(key)
  if (found) return found
  const made = make()
  known.set(key, made)
  return made
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
    { path: storage.locate(path), bytes: bytes.length, ...ids },
    entries,
    schema,
    spec,
  )
}

/** Manifests for added files: rows and deletes lie in manifests of their own. */
export async function writeAdded(
  target: ManifestTarget,
  files: readonly DataFile[],
  specId: number,
  ids: SnapshotIds,
): Promise<ManifestFile[]> {
  const groups = [files.filter((file) => !isDeletes(file)), files.filter(isDeletes)]
  const entries = groups.flatMap((group) =>
    chunks(
      [...group].sort(comparePartitions).map((file): ManifestEntry => {
        const { snapshotId } = ids
        return { status: 'added', snapshotId, sequenceNumber: null, fileSequenceNumber: null, file }
      }),
    ),
  )
  return Promise.all(entries.map((group) => writeManifest(target, group, specId, ids)))
}

function chunks<T>(items: readonly T[]): T[][] {
  const count = Math.ceil(items.length / MOST)
  return Array.from({ length: count }, (_, i) => items.slice(i * MOST, (i + 1) * MOST))
}

/**
 * Puts small manifests of one partition spec together once there are many, ordered by partition, so that
 * planning a query reads few of them and passes over most (spec, Manifest Lists).
 */
export async function mergeManifests(
  target: ManifestTarget,
  manifests: readonly ManifestFile[],
  read: (manifest: ManifestFile) => Promise<ManifestEntry[]>,
  ids: SnapshotIds,
): Promise<ManifestFile[]> {
  const isSmall = (m: ManifestFile) =>
    m.content === 0 && m.added_files_count + m.existing_files_count + m.deleted_files_count < LARGE
  const groups = new Map<number, ManifestFile[]>()
  for (const manifest of manifests)
    if (isSmall(manifest) && manifest.added_snapshot_id !== ids.snapshotId)
      groups.set(manifest.partition_spec_id, [
        ...(groups.get(manifest.partition_spec_id) ?? []),
        manifest,
      ])
  let result = [...manifests]
  for (const [specId, group] of groups) {
    if (group.length < MANY) continue
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
