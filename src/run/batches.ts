import type { BatchPointer } from '../log/commit.js'
import type { Storage } from '../storage/storage.js'

/** One source file in a batch. */
export interface BatchFile {
  /** The name that lineage shows. */
  name: string
  size: number
  /** Milliseconds since 1970. */
  modified: number
  sha256: string
  /** Records, broken ones included. */
  rows: number
  broken: number
  /** Path of the Parquet file that holds them. */
  data: string
  bytes: number
}

/** The immutable description of a batch. */
export interface BatchManifest {
  format: 1
  dataset: string
  batch: string
  number: number
  created: string
  columns: string[]
  files: BatchFile[]
}

/** Reads batch manifests, each once. */
export class Batches {
  private readonly cache = new Map<string, Promise<BatchManifest>>()

  constructor(private readonly storage: Storage) {}

  manifest({ manifest }: BatchPointer): Promise<BatchManifest> {
    const known = this.cache.get(manifest)
    if (known) return known
    const read = this.storage
      .read(manifest)
      .then((bytes) => JSON.parse(new TextDecoder().decode(bytes)) as BatchManifest)
    this.cache.set(manifest, read)
    return read
  }

  manifests(pointers: readonly BatchPointer[]): Promise<BatchManifest[]> {
    return Promise.all(pointers.map((pointer) => this.manifest(pointer)))
  }

  /** The newest version of each source file that the batches hold, by name. */
  async knownFiles(pointers: readonly BatchPointer[]): Promise<Map<string, BatchFile>> {
    const manifests = await this.manifests(pointers)
    return new Map(manifests.flatMap((m) => m.files.map((file) => [file.name, file] as const)))
  }
}

/** All columns that batches have, in the order of their first appearance. */
export function columnsOf(manifests: readonly BatchManifest[]): string[] {
  const seen = new Map<string, string>()
  for (const column of manifests.flatMap((m) => m.columns))
    if (!seen.has(column.toLowerCase())) seen.set(column.toLowerCase(), column)
  return [...seen.values()]
}
