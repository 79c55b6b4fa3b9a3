import { createHash, randomUUID } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { open, rename, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { secondsOf } from '../define/interval.js'
import type { Bronze } from '../define/model.js'
import { MoraineError } from '../errors.js'
import type { SourceFile } from '../source/files/source-file.js'
import { entriesOf } from '../source/unpack/archive.js'
import type { BatchFile } from '../step/batches.js'
import { scratchFolder } from '../storage/scratch.js'
import { type Storage, stagingOf } from '../storage/storage.js'

type Original = NonNullable<BatchFile['original']>

/** Whether nobody may write to originals again, or remove them for a time. */
export type Kept = Partial<Pick<Bronze, 'archive' | 'lock'>>

/** Where a source file is kept, by its number among others, its name and its content. */
export type Place = (number: number, name: string, sha256: string, file: SourceFile) => string

/** Beside the batch that it is part of. */
export const besideBatch =
  (folder: string): Place =>
  (number, name) =>
    `${folder}/raw/${String(number).padStart(5, '0')}-${name}`

/**
 * By its day and content: what was archived by a run that was killed is found there by the next
 * one.
 */
export const inArchive =
  (dataset: string): Place =>
  (_, name, sha256, { modified }) => {
    const day = new Date(modified).toISOString().slice(0, 10)
    return `archive/${dataset}/files/${day}/${sha256.slice(0, 16)}-${name}`
  }

/** Where the archive says which files a batch was made from. */
export const archivedBatch = (dataset: string, batch: string): string =>
  `archive/${dataset}/batches/${batch}.json`

/** What is kept of a file: of one that was packed with others, that. */
function originOf({ remote, name, path, archive }: SourceFile): string {
  if (!remote) return path
  return archive ? name.slice(0, -archive.entry.length - 1) : name
}

/** Keeps source files as they came, byte for byte, each once. */
export class Originals {
  private readonly kept = new Map<string, Original>()
  /** Those that were written now. */
  private readonly written: string[] = []

  constructor(
    private readonly storage: Storage,
    private readonly place: Place,
    private readonly signal: AbortSignal,
  ) {}

  /** Keeps a file also when it is elsewhere, or could not be unpacked. */
  async keepAny(file: SourceFile): Promise<Original> {
    const { remote } = file
    const known = this.kept.get(originOf(file))
    if (known) return known
    if (!remote) return this.keep(file)
    if (remote.here) return this.keepCopy(file, remote.here)
    const folder = await scratchFolder('object')
    try {
      const path = join(folder, 'object')
      await remote.download(path, this.signal)
      return await this.keepCopy(file, path)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }

  /**
   * Makes them durable, and write-once as far as the storage can; also those that a run which was
   * killed had written.
   */
  async seal({ archive, lock }: Kept): Promise<void> {
    await this.storage.seal(this.written)
    const paths = [...this.kept.values()].map(({ path }) => path)
    if (archive) await this.storage.protect(paths, lock === undefined ? lock : secondsOf(lock))
  }

  /** Keeps a file that is here; of one that was packed with others, what they were packed into. */
  async keep(file: SourceFile): Promise<Original> {
    return file.remote && file.archive ? this.keepAny(file) : this.keepCopy(file, file.path)
  }

  private async keepCopy(file: SourceFile, from: string): Promise<Original> {
    const of = originOf(file)
    const known = this.kept.get(of)
    if (known) return known
    const { sha256, bytes } = await this.measure(from)
    // Of its name only what can't mean anything to a file system.
    const name = basename(of).replace(/[^\w.-]+/g, '_')
    const path = this.place(this.kept.size + 1, name, sha256, file)
    const original = { path, bytes, sha256 }
    this.kept.set(of, original)
    if ((await this.storage.stat(path))?.size === bytes) return original
    await this.storage.prepare(path)
    await this.copy(from, stagingOf(this.storage).localPath(this.storage.locate(path)))
    this.written.push(path)
    return original
  }

  private async measure(path: string): Promise<{ sha256: string; bytes: number }> {
    const hash = createHash('sha256')
    let bytes = 0
    const measured = async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        bytes += chunk.length
        yield chunk
      }
    }
    await pipeline(createReadStream(path), measured, hash, { signal: this.signal })
    return { sha256: hash.digest('hex'), bytes }
  }

  /** Under another name first: what is there under its own is whole. */
  private async copy(from: string, to: string): Promise<void> {
    const temporary = `${to}.${randomUUID()}.tmp`
    try {
      await pipeline(createReadStream(from), createWriteStream(temporary), { signal: this.signal })
      const file = await open(temporary)
      await file.sync().finally(() => file.close())
      await rename(temporary, to)
    } finally {
      await rm(temporary, { force: true })
    }
  }
}

/** Keeps one source file. */
export async function keepOriginal(
  { storage, signal }: { storage: Storage; signal: AbortSignal },
  place: Place,
  file: SourceFile,
  kept: Kept,
): Promise<Original> {
  const originals = new Originals(storage, place, signal)
  const original = await originals.keepAny(file)
  await originals.seal(kept)
  return original
}

/**
 * The file that was kept of what was read, once it is known to be as it was.
 *
 * @throws MoraineError of kind `corrupt` when it is not there, or not as it was.
 */
export async function originalOf(
  storage: Storage,
  file: Pick<BatchFile, 'name' | 'modified' | 'original'>,
): Promise<SourceFile> {
  const { original, name } = file
  const missing = (why: string) =>
    new MoraineError('corrupt', `${original?.path ?? name} ${why}`, {
      hint: 'The lake is unchanged. Restore the file from a copy of the archive.',
    })
  if (!original) throw missing('was not archived')
  const location = storage.locate(original.path)
  const staging = stagingOf(storage)
  await staging.fetch([location])
  const path = staging.localPath(location)
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash).catch(() => {
    throw missing('is missing from the archive')
  })
  if (hash.digest('hex') !== original.sha256) throw missing('differs from what was archived')
  // What is read is the copy on this machine, whose time is its own.
  const { size, mtimeMs } = await stat(path)
  const modified = Math.floor(mtimeMs)
  const own = name.replace(/@[0-9a-f]{8}$/, '')
  const at = own.toLowerCase().indexOf('.zip/')
  if (at < 0) return { path, name: own, size, modified }
  const zip = { path, name: own.slice(0, at + 4), size, modified }
  const entry = (await entriesOf(zip)).find((one) => one.name === own)
  if (!entry) throw missing(`has no file ${own.slice(at + 5)}`)
  return entry
}
