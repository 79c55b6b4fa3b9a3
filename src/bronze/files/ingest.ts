import { fullName } from '../../define/dataset.js'
import type { Session } from '../../engine/engine.js'
import type { MoraineError } from '../../errors.js'
import type { Kept } from '../../source/files/encode.js'
import { isGoneSince } from '../../source/files/gone.js'
import { ingestFile } from '../../source/files/ingest-file.js'
import { inspectFile } from '../../source/files/inspect-file.js'
import { readerFor, settleKind } from '../../source/files/kind.js'
import { Pack } from '../../source/files/pack.js'
import { prefetched } from '../../source/files/prefetch.js'
import { decodeSmall, readSmall, type SmallFile } from '../../source/files/small-files.js'
import type { SourceFile } from '../../source/files/source-file.js'
import { withUnpacked } from '../../source/unpack/unpack.js'
import { type BatchFile, type KnownFile, sealFiles } from '../../step/batches.js'
import { requestedTypes } from '../../step/requested-types.js'
import type { NewBatch } from '../batch-commit.js'
import type { FilesIngestion } from '../ingestion.js'
import { besideBatch, Originals } from '../originals.js'
import { mayBeItsBytes, ObjectFailure } from '../quarantine/blame.js'
import { writtenAgain } from '../without-rows.js'
import type { FileColumns, KnownColumns } from './columns.js'
import {
  columnsOfUnreadable,
  digestOfFile,
  faultOf,
  isFault,
  readingOf,
  writeUnreadable,
} from './unreadable.js'

/** Files that are taken in at once, up to which each of them is kept by itself. */
const FEW = 16
/** Small files that are decoded together. */
const TOGETHER = 64

/** A file that was ingested, and its columns. */
type Ingested = BatchFile & { columns: string[] }
/** What is known of it before it is. */
type About = Omit<Ingested, 'data' | 'columns' | keyof Kept>

/** What the files of a batch are ingested into, and what is known of those before them. */
interface IntoBatch {
  batch: Pick<NewBatch, 'batch' | 'folder'>
  known: ReadonlyMap<string, KnownFile>
  columns: FileColumns
  /** Files are one full extract: one that can't be read is an error. */
  isFull?: boolean
}

/** The files of one batch, as they are ingested one after the other. */
export class FileIngest {
  readonly files: Ingested[] = []
  readonly notes: string[] = []
  readonly touched: Record<string, number> = {}
  private readonly originals: Originals
  private readonly requested: ReadonlyMap<string, string>
  private pack: Pack
  /** The files in the pack, as they will be described. */
  private packed: { file: SourceFile; about: About }[] = []
  /** Small files whose bytes were read, to be decoded together. */
  private readonly waiting: { small: SmallFile; file: SourceFile; about: About }[] = []
  private written = 0
  private rows = 0
  private readonly given = new Map<string, SourceFile>()
  private readonly faults: { file: SourceFile; error: MoraineError }[] = []
  /** Columns may not be others than before, and are. */
  private frozen: unknown

  private readonly context: FilesIngestion['context']
  private readonly dataset: FilesIngestion['dataset']
  private readonly source: FilesIngestion['source']
  private readonly batch: IntoBatch['batch']
  private readonly known: IntoBatch['known']
  private readonly columns: FileColumns
  private readonly isFull: boolean

  constructor(
    { context, dataset, source }: FilesIngestion,
    private readonly session: Session,
    { batch, known, columns, isFull = false }: IntoBatch,
  ) {
    const { lake, storage, signal } = context
    this.context = context
    this.dataset = dataset
    this.source = source
    this.batch = batch
    this.known = known
    this.columns = columns
    this.isFull = isFull
    this.originals = new Originals(storage, besideBatch(batch.folder), signal)
    this.requested = requestedTypes(lake.datasets, dataset)
    this.pack = new Pack(source)
  }

  /** Ingests all of the files, and makes durable what was written of them. */
  async all(files: readonly SourceFile[]): Promise<void> {
    const { context, dataset } = this
    const { signal, storage } = context
    for (const file of files) this.given.set(file.name, file)
    const { most } = this.source
    for await (const file of prefetched(files, signal)) {
      signal.throwIfAborted()
      await this.file(file, files.length > FEW && most === undefined)
      context.progress(fullName(dataset), { rows: this.rows })
      if (most !== undefined && this.rows >= most) break
    }
    await this.decodeWaiting()
    await this.keepPack()
    await this.keepFaults()
    this.notes.push(...this.columns.notes())
    this.files.splice(0, this.files.length, ...(await sealFiles(storage, this.files)))
    await this.originals.seal({})
    if (most !== undefined && this.rows > most) await this.keepFirst(most)
  }

  /** Leaves the last rows of a sample out that are more than it has. */
  private async keepFirst(most: number): Promise<void> {
    const { context, session, batch, files } = this
    const { storage } = context
    while (this.rows > most) {
      const last = files.pop() as Ingested
      const left = last.rows - (this.rows - most)
      if (left > 0) {
        const path = last.data.replace(/\.parquet$/, '-first.parquet')
        const sample = { batch: batch.batch, sources: [last], path }
        const first = await writtenAgain({ storage, session }, sample, (kept) => {
          return `SELECT ${session.dialect.rows.except(['_row_of_file'])} FROM (${kept}) ORDER BY _row_of_file LIMIT ${left}`
        })
        files.push(...(await sealFiles(storage, first)))
      }
      await storage.remove(last.data)
      this.rows -= last.rows - Math.max(0, left)
    }
  }

  /** The columns of all files, these included. */
  get seen(): KnownColumns {
    return this.columns.all
  }

  /**
   * Ingests a file, or notes that it can't be read.
   *
   * @param mayPack whether it may be kept together with others.
   */
  private async file(file: SourceFile, mayPack: boolean): Promise<void> {
    const { signal } = this.context
    const ending = readerFor(this.source, file.name)
    try {
      if (file.fault) throw file.fault
      await withUnpacked(file, ending, signal, (readable) => this.read(file, readable, mayPack))
    } catch (error) {
      signal.throwIfAborted()
      if (!this.isFull && error !== this.frozen && (await isGoneSince(file, error))) {
        this.notes.push(`${file.name} was removed after it was listed`)
        return
      }
      this.fault(file, error)
    }
  }

  private async read(file: SourceFile, readable: SourceFile, mayPack: boolean): Promise<void> {
    const { context } = this
    const source = settleKind(readable, this.source)
    {
      const { signal, valuesFrom } = context
      const { requested } = this
      const inspection = await inspectFile(readable, source, { signal, requested, valuesFrom })
      const { name, size, modified } = file
      const { sha256 } = inspection
      const known = this.known.get(name)
      const again = context.reread.has(fullName(this.dataset))
      if (known?.sha256 === sha256 && known.unread === undefined && !again) {
        this.notes.push(`${name} has the same content as before`)
        this.touched[name] = modified
        return
      }
      delete this.touched[name]
      const isRaw = this.dataset.format === 'raw'
      const original = isRaw ? { original: await this.originals.keep(readable) } : {}
      const about = { name, size, modified, sha256, ...original }
      if (mayPack && Pack.fits(source, inspection)) {
        const small = await readSmall(readable, source, inspection, signal)
        this.waiting.push({ small, file: elsewhere(file), about })
        if (this.waiting.length >= TOGETHER) await this.decodeWaiting()
      } else {
        await this.decodeWaiting()
        await this.keepPack()
        const large = inspection.bytes >= context.valuesFrom
        const { data, target } = await this.place()
        const note = (text: string) => this.notes.push(`${name}: ${text}`)
        const how = { ...target, large, note }
        const { leftOut, ...kept } = await ingestFile({
          file: readable,
          source,
          inspection,
          target: how,
        })
        this.see(name, kept.columns, leftOut, source)
        this.add({ ...about, data, ...kept })
      }
    }
  }

  /** Compares a file's columns with those of the files before it. */
  private see(
    name: string,
    columns: readonly string[],
    leftOut: readonly string[] = [],
    source = this.pack.source,
  ): void {
    try {
      this.columns.compare(name, columns, leftOut, source)
    } catch (error) {
      this.frozen = error
      throw error
    }
  }

  /** Decodes the small files whose bytes were read, and packs them. */
  private async decodeWaiting(): Promise<void> {
    const waiting = this.waiting.splice(0)
    const decoded = waiting.length === 0 ? [] : decodeSmall(waiting.map(({ small }) => small))
    for (const [i, { small, file, about }] of waiting.entries()) {
      const found = decoded[i] as (typeof decoded)[number]
      if ('error' in found) {
        this.fault(file, found.error)
        continue
      }
      if (!this.pack.takes(small.source) || !this.pack.add(found)) {
        await this.keepPack(small.source)
        this.pack.add(found)
      }
      this.packed.push({ file, about })
      if (this.pack.isFull) await this.keepPack()
    }
  }

  /** Notes that a file can't be read, where that is its own fault. */
  private fault(file: SourceFile, error: unknown): void {
    if (this.isFull || error === this.frozen || error instanceof ObjectFailure) throw error
    if (!isFault(error))
      throw mayBeItsBytes(error)
        ? new ObjectFailure(this.given.get(file.name) ?? file, error)
        : error
    this.faults.push({ file, error })
  }

  /**
   * Files that can't be read are a row each, which says why. Where there is no other file, and
   * never was, what is wrong is what the definition says of them.
   */
  private async keepFaults(): Promise<void> {
    const { faults, known, source, session, dataset } = this
    const [first] = faults
    if (!first) return
    const isAny = [...known.values()].some(({ unread }) => unread === undefined)
    const again = this.context.reread.has(fullName(dataset))
    if (this.files.length === 0 && (again || !isAny)) throw first.error
    const reading = readingOf(source)
    for (const { file, error } of faults) {
      const { name, size, modified } = file
      const sha256 = await digestOfFile(file)
      const before = known.get(name)
      if (before?.unread === reading && before.sha256 === sha256 && sha256 !== '') {
        this.notes.push(`${name} has the same content as before`)
        this.touched[name] = modified
        continue
      }
      delete this.touched[name]
      const isRaw = dataset.format === 'raw'
      const original = isRaw ? await this.originals.keepAny(file) : undefined
      const { data, target } = await this.place()
      const columns = columnsOfUnreadable(this.seen.columns)
      const reason = faultOf(file, error)
      const kept = original ? { kept: original.path } : {}
      const row = { name, batch: target.batch, reason, columns, ...kept }
      const { rows, bytes } = await writeUnreadable(session, row, target.location)
      this.notes.push(`${name} can't be read and is discarded completely: ${reason}`)
      const about = { name, size, modified, sha256, ...(original ? { original } : {}) }
      this.add({ ...about, data, rows, bytes, broken: 1, unread: reading, columns })
    }
  }

  /**
   * Writes what is in the pack. What can't be written together is taken file by file, so that what
   * is wrong is told of the one that it is.
   */
  private async keepPack(next = this.pack.source): Promise<void> {
    const { pack, packed, context } = this
    this.pack = new Pack(next)
    this.packed = []
    if (packed.length === 0) return
    const { data, target } = await this.place()
    const kept = await pack.keep(target, context.valuesFrom).catch(() => undefined)
    context.signal.throwIfAborted()
    if (!kept) {
      for (const { file } of packed) await this.file(file, false)
      return
    }
    const { files, rows: _, broken: __, leftOut, ...facts } = kept
    this.see(packed[0]?.file.name ?? '', facts.columns, leftOut, pack.source)
    for (const [i, { about }] of packed.entries()) {
      const counts = files[i] as (typeof files)[number]
      const { columns } = facts
      // What the Parquet file is, its first one says.
      this.add({ ...about, data, ...(i === 0 ? facts : { bytes: 0, columns }), ...counts })
    }
  }

  private add(file: Ingested): void {
    if (file.rows === 0) this.notes.push(`${file.name} has no rows`)
    this.files.push(file)
    this.rows += file.rows
  }

  private async place() {
    const { context, session, requested } = this
    const { storage, signal } = context
    const { folder, batch } = this.batch
    this.written++
    const data = `${folder}/${String(this.written).padStart(5, '0')}.parquet`
    await storage.prepare(data)
    const only = this.columns.only
    const where = { session, location: storage.locate(data), batch, requested, signal }
    return { data, target: { ...where, ...(only ? { only } : {}) } }
  }
}

/** A file as it was before it was brought here: that copy is there for its turn alone. */
function elsewhere({ remote, ...file }: SourceFile): SourceFile {
  if (!remote) return file
  const { here: _, ...there } = remote
  return { ...file, remote: there }
}
