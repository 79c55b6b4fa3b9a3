import { createReadStream } from 'node:fs'
import { rm, stat } from 'node:fs/promises'
import { fullName } from '../../define/dataset.js'
import type { Session } from '../../engine/engine.js'
import { MoraineError } from '../../errors.js'
import type { LakeState } from '../../log/commit.js'
import { decode } from '../../source/decoder/client.js'
import type { LogChunk } from '../../source/decoder/job-types.js'
import { discoverFiles as filesOf, nothingThere } from '../../source/files/discover.js'
import { type IngestedFile, textOf } from '../../source/files/ingested.js'
import type { SourceFile } from '../../source/files/source-file.js'
import {
  continues,
  isAsItWas,
  isCopy,
  type Readable,
  readableOf,
  type Stream,
  streamAt,
} from '../../source/follow/streams.js'
import { ingestWritten } from '../../source/formats/ingest-json.js'
import { withUnpacked } from '../../source/unpack/unpack.js'
import {
  Batches,
  type BatchFile,
  type BatchManifest,
  columnsOf,
  sealFiles,
} from '../../step/batches.js'
import { withSession } from '../../step/context.js'
import { commitRows, type NewBatch, newBatch, nothingYet } from '../batch-commit.js'
import type { FilesIngestion, FilesLookup } from '../ingestion.js'
import type { Intake, Offer } from '../offer.js'
import { faultOf, isFault, writeUnreadable } from './unreadable.js'

/**
 * Where the places are written down up to which logs were read: in the manifest of the last batch.
 */
interface Watermark {
  follow: string
}

/** Milliseconds after which a log that does not grow has said all of its last event. */
const IDLE = 10_000
/** What is known of the content of a file that can't be read: it is like no other. */
const UNREAD = 'unread'
/** Logs that are known again though no file of them is there. */
const REMEMBERED = 10_000

/** Looks which logs have grown, without reading more than what tells them apart. */
export async function discoverLogs({
  dataset,
  source,
  state,
  batches,
}: FilesLookup): Promise<Offer> {
  refuseOtherReading(dataset, state)
  const passed: string[] = []
  const offered = await filesOf(source, passed)
  const streams = await streamsOf(dataset, state, batches)
  const missing = await nothingThere(source, offered, streams.length, passed)
  const known: SourceFile[] = []
  const grown: SourceFile[] = []
  const added: SourceFile[] = []
  for (const file of offered) {
    const same = await find(streams, (stream) => isAsItWas(file, stream))
    const before = streams.find(({ name }) => name === file.name)
    // Of a packed log, and of one that can't be unpacked, the size tells nothing of what was read.
    const isWhole = (stream: Stream) =>
      isPacked(file.name) || stream.head === UNREAD || stream.offset >= stream.size
    if (same && isWhole(same)) known.push(file)
    else (before ? grown : added).push(file)
  }
  const news = [...added, ...grown]
  return {
    discovery: {
      added: added.length,
      changed: grown.length,
      bytes: news.reduce((sum, { size }) => sum + size, 0),
      known: known.length,
      notes: [...passed, ...missing],
    },
    ingest: (context, base) => new LogIngest({ context, dataset, source }, base).all(offered),
  }
}

/** Rows of a log that was read as a file are there already, and nobody knows up to which line. */
function refuseOtherReading(dataset: FilesLookup['dataset'], state: LakeState): void {
  const name = fullName(dataset)
  const watermark = state.watermarks[name] as Partial<Watermark> | undefined
  if (watermark === undefined || watermark.follow !== undefined) return
  throw new MoraineError('source', `${name} was read without follow before`, {
    hint: 'Its rows would be ingested twice. Rename the dataset, or remove follow.',
  })
}

/**
 * Logs that are to be known again: all that are there, however many, as what is forgotten would be
 * read once more; of those that are gone, the last.
 */
export function remembered<T extends { isThere: boolean }>(
  logs: readonly T[],
  most = REMEMBERED,
): T[] {
  let beyond = logs.filter(({ isThere }) => !isThere).length - most
  return logs.filter(({ isThere }) => isThere || beyond-- <= 0)
}

const isPacked = (name: string) => /\.(gz|zst)$/i.test(name)

async function streamsOf(
  dataset: FilesLookup['dataset'],
  state: LakeState,
  batches: Batches,
): Promise<Stream[]> {
  const watermark = state.watermarks[fullName(dataset)] as Watermark | undefined
  if (watermark?.follow === undefined) return []
  const { source } = await batches.manifest({ manifest: watermark.follow } as never)
  return (source as { logs?: Stream[] } | undefined)?.logs ?? []
}

async function find<T>(items: readonly T[], is: (item: T) => Promise<boolean>) {
  for (const item of items) if (await is(item)) return item
  return undefined
}

/** Where the rows of logs go. */
interface Into {
  session: Session
  batch: NewBatch
}

/** What is new in a log: from where on, and how far it was read. */
interface Work {
  log: Readable
  before: Stream | undefined
  offset: number
  line: number
  reached: { offset: number; line: number }
  /** It has not grown for a while. */
  isIdle: boolean
  location: string
}

/** A row that stands for bytes that can't be read. */
interface DiscardedRow {
  name: string
  reason: string
  raw: Pick<BatchFile, 'name' | 'size' | 'modified' | 'sha256'>
}

/** The logs of one batch: which file is which log, and what is new in each. */
class LogIngest {
  private readonly files: (BatchFile & { columns: string[] })[] = []
  private readonly notes: string[] = []
  /** Logs that a file was found for, and those that were read on. */
  private readonly claimed = new Map<Stream, Readable>()
  private readonly reached = new Map<Stream | Readable, Stream>()
  private readonly fresh: Readable[] = []
  /** Files that can't be unpacked, and those of them that are new. */
  private readonly broken: { file: SourceFile; error: MoraineError }[] = []
  private readonly unread: Stream[] = []

  constructor(
    private readonly ingestion: FilesIngestion,
    private readonly base: LakeState,
  ) {}

  async all(files: readonly SourceFile[]): Promise<Intake> {
    const { base } = this
    const { context, dataset, source } = this.ingestion
    const streams = await streamsOf(dataset, base, new Batches(context.storage))
    const batch = newBatch(context, base, dataset)
    // Files that are packed are unpacked for as long as the batch is made, as one may be the rest
    // of another.
    const work = async (readable: Readable[], at: number): Promise<void> => {
      const file = files[at]
      if (!file) return this.read(readable, streams, batch)
      const how = { layout: source.layout, encoding: undefined }
      let isUnpacked = false
      try {
        await withUnpacked(file, how, context.signal, async (text) => {
          const one = await readableOf(text)
          isUnpacked = true
          await work([...readable, one], at + 1)
        })
      } catch (error) {
        // What is wrong with one of them holds back none of the others.
        if (isUnpacked || !isFault(error)) throw error
        this.broken.push({ file, error })
        await work(readable, at + 1)
      }
    }
    await work([], 0)
    const done = { ...nothingYet(base), notes: this.notes }
    if (this.files.length === 0) return done
    const sealed = await sealFiles(context.storage, this.files)
    const logs = this.logsAfter(streams, files)
    const watermark: Watermark = { follow: `${batch.folder}/manifest.json` }
    return commitRows(context, done, {
      dataset,
      batch,
      files: sealed.map(({ columns: _, ...file }) => file),
      columns: columnsOf(this.files as unknown as BatchManifest[]),
      source: { logs },
      watermark,
      more: {},
    })
  }

  /** The places up to which logs were read, once this batch is there. */
  private logsAfter(streams: readonly Stream[], files: readonly SourceFile[]): Stream[] {
    const print = ({ name, size, modified }: SourceFile | Stream) => [name, size, modified].join()
    const prints = new Set(files.map(print))
    const known = streams.map((stream) => ({
      stream: this.reached.get(stream) ?? this.renamed(stream),
      isThere: this.claimed.has(stream) || prints.has(print(stream)),
    }))
    const added = [...this.fresh.flatMap((log) => this.reached.get(log) ?? []), ...this.unread]
    const all = [...known, ...added.map((stream) => ({ stream, isThere: true }))]
    return remembered(all).map(({ stream }) => stream)
  }

  /** A log that was rotated, and has nothing new, is in another file now. */
  private renamed(stream: Stream): Stream {
    const log = this.claimed.get(stream)
    if (!log || log.size > stream.offset) return stream
    const { name, size, modified } = log.file
    return { ...stream, name, size, modified, inode: log.inode }
  }

  private async read(files: readonly Readable[], streams: readonly Stream[], batch: NewBatch) {
    // The longest first: of a log that is there twice, while it is rotated, the other is a copy.
    const sorted = [...files].sort((a, b) => b.size - a.size || Number(a.packed) - Number(b.packed))
    const owners = await ownersOf(streams, files)
    for (const log of sorted) {
      if (log.size === 0) continue
      const isOwn = async (stream: Stream) =>
        (owners.get(stream) ?? log) === log && (await continues(log, stream))
      const own = await find(byInode(streams, log.inode), isOwn)
      if (own) {
        if (!this.claimed.has(own)) this.claimed.set(own, log)
        continue
      }
      const all = [...this.claimed.values(), ...this.fresh]
      const original = await find(all, (other) => isCopy(log, other))
      if (original) {
        this.passOver(log, original)
        continue
      }
      const cut = streams.find(({ name, inode }) => name === log.file.name && inode === log.inode)
      if (cut) this.notes.push(`${log.file.name} was truncated and is read from its start`)
      this.fresh.push(log)
    }
    // In the order of their names: rotated files have rows that are older, but silver looks at
    // cursors.
    await withSession(this.ingestion.context, fullName(this.ingestion.dataset), async (session) => {
      const into = { session, batch }
      for (const [stream, log] of this.claimed) await this.chunk(into, log, stream)
      for (const log of this.fresh) await this.chunk(into, log, undefined)
      for (const one of this.broken) await this.discard(into, streams, one)
    })
  }

  /** Logs of two services may begin alike: that one is taken for a copy is said. */
  private passOver({ file, packed }: Readable, original: Readable): void {
    if (packed !== original.packed) return
    this.notes.push(
      `${file.name} is taken for a copy of ${original.file.name}, which has the same lines so far: it is read once its lines differ`,
    )
  }

  /**
   * One row stands for a file that can't be unpacked; until it is another one, nothing more is said
   * of it.
   */
  private async discard(
    into: Into,
    streams: readonly Stream[],
    { file, error }: { file: SourceFile; error: MoraineError },
  ): Promise<void> {
    if (await find(streams, (stream) => isAsItWas(file, stream))) return
    const { name, size, modified } = file
    if (Date.now() - modified <= IDLE) {
      this.notes.push(`${name} can't be read yet and will be retried: ${faultOf(file, error)}`)
      return
    }
    const { ino } = await stat(file.path)
    const unread = { head: UNREAD, headLength: 0, tail: UNREAD, offset: 0, line: 0 }
    this.unread.push({ name, inode: ino, size, modified, ...unread })
    const reason = faultOf(file, error)
    this.notes.push(`${name} can't be read and is discarded completely: ${reason}`)
    await this.discardedRow(into, { name, reason, raw: { name, size, modified, sha256: '' } })
  }

  private async discardedRow(
    { session, batch }: Into,
    { name, reason, raw }: DiscardedRow,
  ): Promise<void> {
    const { context, source } = this.ingestion
    const { storage } = context
    const data = this.dataOf(batch)
    await storage.prepare(data)
    const row = { name, batch: batch.batch, reason, columns: source.columns ?? [] }
    const written = await writeUnreadable(session, row, storage.locate(data))
    this.files.push({ ...raw, data, ...written, broken: 1, columns: [...row.columns] })
  }

  private dataOf({ folder }: NewBatch): string {
    return `${folder}/${String(this.files.length + 1).padStart(5, '0')}.parquet`
  }

  /** Reads what is new in a log. */
  private async chunk(into: Into, log: Readable, before: Stream | undefined): Promise<void> {
    const { offset = 0, line = 0 } = before ?? {}
    if (log.size <= offset) return
    const { storage } = this.ingestion.context
    const data = this.dataOf(into.batch)
    await storage.prepare(data)
    const reached = { offset, line }
    const isIdle = Date.now() - log.file.modified > IDLE
    const work = { log, before, offset, line, reached, isIdle, location: storage.locate(data) }
    const kept = await this.write(into, work)
    if ('fault' in kept) return this.discardRest(into, work, kept.fault)
    await this.keep(work, data, kept)
  }

  /** Writes the rows of a chunk; gives what is wrong with it where nothing more will come. */
  private async write({ session, batch }: Into, work: Work) {
    const { source, context } = this.ingestion
    const { signal } = context
    const { file, size, packed } = work.log
    const { offset, line, before, isIdle } = work
    const isRotated = packed || /\.\d+$/.test(file.name) || (before && before.name !== file.name)
    const chunk: LogChunk = {
      source,
      offset,
      line,
      end: size,
      eventsEnd: packed || isIdle,
      linesEnd: packed || (isIdle && isRotated === true),
    }
    const requested = new Map<string, string>()
    const where = { location: work.location, batch: batch.batch }
    const target = { session, ...where, requested, large: false, signal }
    const columns = source.columns ? { columns: source.columns } : { columns: undefined }
    const write = async (to: string) => {
      const found = await decode('events', file, { chunk, to }, signal)
      Object.assign(work.reached, found.reached)
      return found.written
    }
    return ingestWritten(file, columns, write, target).catch((error) => {
      signal.throwIfAborted()
      if (!isFault(error) || !isIdle) throw error
      return { fault: error }
    })
  }

  /**
   * Discards all of what is new of a log, as nobody can tell where in it the next line begins that
   * is one.
   */
  private async discardRest(into: Into, work: Work, fault: MoraineError): Promise<void> {
    const { log, offset, line, reached, before } = work
    const { file } = log
    Object.assign(reached, await endOf(file, offset, line, log.size))
    const after = await streamAt(log, reached)
    this.reached.set(before ?? log, after)
    const from = `${file.name}, bytes ${offset} to ${reached.offset}`
    const reason = faultOf(file, fault)
    this.notes.push(`${from} can't be read and are discarded: ${reason}`)
    const name = nameOf(file, after, offset)
    const [bytes, { modified }] = [reached.offset - offset, file]
    const raw = { name, size: bytes, modified, sha256: after.tail }
    const where = `${reason} (bytes ${offset} to ${reached.offset})`
    await this.discardedRow(into, { name, reason: where, raw })
  }

  /** Makes the rows of a chunk a file of the batch. */
  private async keep(work: Work, data: string, kept: IngestedFile): Promise<void> {
    const { context, dataset } = this.ingestion
    const { log, offset, reached, before, location } = work
    const { file } = log
    if (reached.offset < log.size)
      this.notes.push(`${file.name}: its last line is not complete yet and will be read later`)
    if (reached.offset === offset) return
    const after = await streamAt(log, reached)
    // What was read must still be what the log begins with: one that was cut meanwhile is read by
    // the next run.
    const now = await stat(textOf(file))
    const isSame = before === undefined || (await continues({ ...log, size: now.size }, before))
    if (now.size < reached.offset || !isSame)
      throw new MoraineError('source', `${file.name} changed while it was being read`, {
        retryable: true,
        hint: 'Nothing was ingested from it. Run again.',
      })
    this.reached.set(before ?? log, after)
    if (kept.rows === 0) return void (await rm(location, { force: true }).catch(() => {}))
    const name = nameOf(file, after, offset)
    const { modified } = file
    const sha256 = after.tail
    this.files.push({ name, size: reached.offset - offset, modified, sha256, data, ...kept })
    context.progress(fullName(dataset), {
      rows: this.files.reduce((sum, { rows }) => sum + rows, 0),
    })
  }
}

const nameOf = ({ name }: SourceFile, { head }: Stream, offset: number) =>
  `${name}@${head.slice(0, 8)}:${offset}`

/**
 * The file that each log is in still, by number and content: another one that begins alike is
 * another log, as the new file of a service may begin with the very line that the rotated one
 * consists of.
 */
async function ownersOf(
  streams: readonly Stream[],
  files: readonly Readable[],
): Promise<Map<Stream, Readable>> {
  const owners = new Map<Stream, Readable>()
  for (const stream of streams) {
    const same = files.filter(({ inode, packed }) => inode === stream.inode && !packed)
    const owner = await find(same, (file) => continues(file, stream))
    if (owner) owners.set(stream, owner)
  }
  return owners
}

function byInode(streams: readonly Stream[], inode: number): Stream[] {
  const own = streams.filter((stream) => stream.inode === inode)
  return [...own, ...streams.filter((stream) => stream.inode !== inode)]
}

/** Where the last line ends of what a log has from an offset on, and how many lines those are. */
async function endOf(file: SourceFile, offset: number, line: number, size: number) {
  let [at, end, lines] = [offset, size, 0]
  for await (const chunk of createReadStream(textOf(file), { start: offset, end: size - 1 })) {
    const bytes = chunk as Buffer
    for (let i = bytes.indexOf(LF); i >= 0; i = bytes.indexOf(LF, i + 1)) {
      end = at + i + 1
      lines++
    }
    at += bytes.length
  }
  return { offset: end, line: line + Math.max(1, lines) }
}

const LF = 10
