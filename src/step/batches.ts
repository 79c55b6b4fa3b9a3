import type { BronzeEncoding, BronzeFile } from '../engine/engine.js'
import type { BatchPointer } from '../log/commit.js'
import { once } from '../process/once.js'
import type { NamesOutside } from '../source/text/names.js'
import { readJson } from '../storage/checked.js'
import { sha256 } from '../storage/checksum.js'
import { type Storage, stagingOf } from '../storage/storage.js'
import { type Naming, namesInBatch } from './naming.js'

/** The columns of a bronze relation beside those of its files. */
export const bronzeLineage = ['_batch', '_source_file', '_source_line', '_error', '_raw']

/** One source file in a batch. */
export interface BatchFile extends BronzeEncoding, NamesOutside {
  /** The name that lineage shows. */
  name: string
  size: number
  /** Milliseconds since 1970. */
  modified: number
  sha256: string
  /** Records, broken ones included. */
  rows: number
  broken: number
  /** The rows do not say their batch and file: the manifest does. */
  bare?: true
  /**
   * Path of the Parquet file that holds them. Small files may share one, which the first of them
   * describes.
   */
  data: string
  /** The source file as it came: several that were packed together have the same. */
  original?: { path: string; bytes: number; sha256: string }
  /**
   * It could not be read, and is one row that says why: what it was tried to be read as, as a hash.
   */
  unread?: string
  /** It was given up, and is one row that says so: this. */
  message?: string
  /** Bytes of the Parquet file; 0 where another source file describes it. */
  bytes: number
  /** SHA-256 of that file; earlier versions of Moraine did not note it. */
  dataSha256?: string
}

/** The immutable description of a batch. */
export interface BatchManifest {
  /** 1, in the words of earlier versions, is read as 2. */
  format: 2
  dataset: string
  batch: string
  number: number
  created: string
  /** What its dataset was read as, as a hash. */
  reading?: string
  columns: string[]
  files: BatchFile[]
  /** Where rows of a database were read, and which. */
  source?: object
  /** It was discarded: the files that it had, which are known all the same. */
  discarded?: { time: string; author: string; rows: number; files: KnownFile[] }
  /** Objects that could not be read, whose place it holds. */
  quarantined?: readonly KnownFile[]
  /**
   * Its rows are of an object that was in quarantine, by its id: they come where the batch's name
   * sorts.
   */
  restored?: string
}

/** A batch's description as earlier versions wrote it. */
interface EarlierManifest extends Omit<BatchManifest, 'format' | 'files'> {
  format: 1
  files: readonly (BatchFile & { inexact?: number; sound?: boolean; said?: string })[]
}

/** A batch's description in the words of now (ADR 86); its files stay as they were written. */
export function manifestInPlainWords(manifest: BatchManifest | EarlierManifest): BatchManifest {
  if (manifest.format !== 1) return manifest
  const files = manifest.files.map(({ inexact, sound, said, ...file }): BatchFile => {
    return {
      ...file,
      ...(inexact === undefined ? {} : { nonCanonical: inexact, rawValues: '_texts' }),
      ...(sound ? { clean: sound } : {}),
      ...(said === undefined ? {} : { message: said }),
    }
  })
  return { ...manifest, format: 2, files }
}

/**
 * Makes the data files of a batch durable.
 *
 * @returns the same files with the checksums of what they are kept in; of those that share one, the
 *   first has it.
 */
export async function sealFiles<F extends Pick<BatchFile, 'data' | 'bytes'>>(
  storage: Storage,
  files: readonly F[],
): Promise<F[]> {
  const sums = new Map(await storage.seal([...new Set(files.map(({ data }) => data))]))
  return files.map((file) => {
    const dataSha256 = sums.get(file.data)
    sums.delete(file.data)
    return dataSha256 ? { ...file, dataSha256 } : file
  })
}

/** Writes the description of a batch; returns where it is, as a pointer to the batch says it. */
export async function writeManifest(
  storage: Storage,
  path: string,
  manifest: BatchManifest,
  indent = 1,
): Promise<Required<Pick<BatchPointer, 'manifest' | 'sha256'>> & { body: Uint8Array }> {
  const body = new TextEncoder().encode(JSON.stringify(manifest, null, indent))
  await storage.write(path, body)
  return { manifest: path, sha256: sha256(body), body }
}

/** Reads batch manifests, each once. */
export class Batches {
  private readonly cache = new Map<string, Promise<BatchManifest>>()
  /** The index that was read last: a run asks for it twice. */
  private lastIndex: { path: string; files: Promise<KnownFile[]> } | undefined

  /**
   * @param tell what a manifest says, by its path: what lies in storage, unless somebody else
   * tells.
   */
  constructor(
    readonly storage: Storage,
    private readonly tell = (path: string, sha256: string | undefined) =>
      readJson<BatchManifest | EarlierManifest>(storage, path, sha256),
  ) {}

  /** @throws MoraineError of kind `corrupt` when it is not what was written. */
  manifest({
    manifest,
    sha256,
  }: Pick<BatchPointer, 'manifest' | 'sha256'>): Promise<BatchManifest> {
    return once(this.cache, manifest, () => this.read(manifest, sha256))
  }

  private async read(path: string, sha256: string | undefined): Promise<BatchManifest> {
    const manifest = manifestInPlainWords(await this.tell(path, sha256))
    const at = (path: string) => this.storage.locate(path)
    const staging = stagingOf(this.storage)
    for (const { data, dataSha256, original } of manifest.files) {
      if (dataSha256) staging.expect([{ location: at(data), sha256: dataSha256 }])
      if (original) staging.expect([{ location: at(original.path), sha256: original.sha256 }])
    }
    return manifest
  }

  manifests(pointers: readonly BatchPointer[]): Promise<BatchManifest[]> {
    return Promise.all(pointers.map((pointer) => this.manifest(pointer)))
  }

  /** The newest version of each source file that the batches hold, by name. */
  async knownFiles(
    pointers: readonly BatchPointer[],
    index: FileIndex | undefined,
  ): Promise<Map<string, KnownFile>> {
    const { through = 0 } = index ?? {}
    const indexed: KnownFile[] = index === undefined ? [] : await this.indexed(index)
    const manifests = await this.manifests(pointers.filter(({ number }) => number > through))
    const files = [...indexed, ...manifests.flatMap(filesOf)]
    return new Map(files.map((file) => [file.name, file]))
  }

  private indexed(index: FileIndex): Promise<KnownFile[]> {
    if (this.lastIndex?.path !== index.path) {
      const files = this.readIndex(index)
      this.lastIndex = { path: index.path, files }
      files.catch(() => {
        if (this.lastIndex?.files === files) this.lastIndex = undefined
      })
    }
    return this.lastIndex.files
  }

  private async readIndex({ path, sha256 }: FileIndex): Promise<KnownFile[]> {
    const { files } = await readJson<{ files: unknown }>(this.storage, path, sha256)
    type Line = [name: string, size: number, modified: number, sha256: string, unread?: string]
    return (files as Line[]).map(([name, size, modified, sha256, unread]) => {
      return { name, size, modified, sha256, ...(unread ? { unread } : {}) }
    })
  }

  /**
   * Writes down which files are known, once there are many batches since it was last done.
   *
   * @param chosen which of them stay known.
   */
  async index(
    known: ReadonlyMap<string, KnownFile>,
    place: Pick<FileIndex, 'path' | 'through'>,
    before: FileIndex | undefined,
    chosen = (files: readonly KnownFile[]) => files,
  ): Promise<FileIndex | undefined> {
    // Few files are written down sooner: each batch since is one more object to read.
    const every = Math.min(INDEXED, Math.max(INDEXED_LEAST, known.size / 500))
    if (place.through - (before?.through ?? 0) < every) return before
    return this.writeIndex(chosen([...known.values()]), place)
  }

  /** Writes down the files that are known through a batch. */
  async writeIndex(
    known: readonly KnownFile[],
    place: Pick<FileIndex, 'path' | 'through'>,
  ): Promise<FileIndex> {
    const files = known.map((f) => [
      f.name,
      f.size,
      f.modified,
      f.sha256,
      ...(f.unread ? [f.unread] : []),
    ])
    const bytes = new TextEncoder().encode(JSON.stringify({ format: 1, files }))
    await this.storage.write(place.path, bytes)
    return { ...place, sha256: sha256(bytes) }
  }
}

/** A file of a batch, and which source files it holds. */
export interface OriginFile extends BronzeFile {
  rows: number
  bytes: number
  batch: string
  /** What its batch was read as, as a hash. */
  reading?: string
  /** Names of the source files that come first and last. */
  first: string
  last: string
}

/**
 * The files of batches as the engine reads them.
 *
 * @param marked whether files are marked that a newer version among the batches takes the place of.
 * @param naming what columns are called where names fall together.
 */
export function bronzeFiles(
  storage: Storage,
  manifests: readonly BatchManifest[],
  marked = false,
  naming?: Naming,
): OriginFile[] {
  // By name, as what was in quarantine comes later than where it belongs.
  const inOrder = [...manifests].sort((a, b) => (a.batch < b.batch ? -1 : 1))
  const newest = new Map(inOrder.flatMap(({ batch, files }) => files.map((f) => [f.name, batch])))
  return manifests.flatMap((manifest) => {
    const { batch, files } = manifest
    return byData(files).map((sources) => {
      const [first] = sources as [BatchFile, ...BatchFile[]]
      const { data, name, bare, values, nonCanonical, rawValues, clean, firstLine, known } = first
      const madeOf = naming?.madeOf(manifest, first)
      const gone = sources.filter((file) => newest.get(file.name) !== batch)
      const superseded = gone.length === sources.length || gone.map((file) => file.name)
      const names = sources.map((source) => source.name)
      return {
        location: storage.locate(data),
        rows: sources.reduce((sum, { rows }) => sum + rows, 0),
        bytes: sources.reduce((sum, { bytes }) => sum + bytes, 0),
        batch,
        ...(manifest.reading === undefined ? {} : { reading: manifest.reading }),
        first: names.reduce((a, b) => (a < b ? a : b)),
        last: names.reduce((a, b) => (a < b ? b : a)),
        ...(marked && gone.length > 0 ? { superseded } : {}),
        ...(bare ? { origin: { batch, file: name } } : {}),
        ...(values ? { values } : {}),
        ...(nonCanonical === undefined ? {} : { nonCanonical }),
        ...(rawValues ? { rawValues } : {}),
        ...(clean ? { clean } : {}),
        ...(firstLine === undefined ? {} : { firstLine }),
        ...(known && !madeOf ? { known } : {}),
        ...(madeOf ? { madeOf } : {}),
      }
    })
  })
}

/** Source files by the Parquet file that holds them. */
function byData(files: readonly BatchFile[]): BatchFile[][] {
  const found = new Map<string, BatchFile[]>()
  for (const file of files) {
    const same = found.get(file.data)
    if (same) same.push(file)
    else found.set(file.data, [file])
  }
  return [...found.values()]
}

/** Files of a batch as its manifest describes them, by what was read of each. */
export function describedFiles(
  taken: readonly (BatchFile & { columns: readonly string[] })[],
): BatchFile[] {
  const outside = new Map<string, NamesOutside>()
  // What a Parquet file is, the first of those that share it says.
  const first = taken.filter(({ bytes }) => bytes > 0)
  const columns = columnsOf(taken as unknown as BatchManifest[])
  for (const [i, names] of namesInBatch(first, columns).entries())
    outside.set((first[i] as BatchFile).name, names)
  return taken.map(({ columns: _, names: __, apart: ___, ...file }) => {
    return { ...file, ...outside.get(file.name) }
  })
}

const filesOf = ({ files, discarded, quarantined }: BatchManifest): readonly KnownFile[] => [
  ...(discarded?.files ?? []),
  ...(quarantined ?? []),
  ...files,
]

/** Batches from one index to the next, at most and at least. */
const INDEXED = 64
const INDEXED_LEAST = 8

/** A source file as it was when it was taken in. */
export type KnownFile = Pick<BatchFile, 'name' | 'size' | 'modified' | 'sha256' | 'unread'>

/**
 * An object that lists the files of all batches up to a number, so that nobody need read them all.
 */
export interface FileIndex {
  path: string
  through: number
  sha256?: string
}

/** All columns that batches have, in the order of their first appearance. */
export function columnsOf(manifests: readonly { columns: readonly string[] }[]): string[] {
  const seen = new Map<string, string>()
  for (const column of manifests.flatMap((m) => m.columns))
    if (!seen.has(column.toLowerCase())) seen.set(column.toLowerCase(), column)
  return [...seen.values()]
}
