import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fullName } from '../../define/dataset.js'
import type { Session } from '../../engine/engine.js'
import type { QuarantinedObject } from '../../log/quarantined.js'
import { ownValue } from '../../own-value.js'
import { isGoneSince } from '../../source/files/gone.js'
import type { SourceFile } from '../../source/files/source-file.js'
import { entriesOf, isZip } from '../../source/unpack/archive.js'
import {
  Batches,
  type BatchFile,
  type BatchManifest,
  columnsOf,
  describedFiles,
  type KnownFile,
} from '../../step/batches.js'
import { withSession } from '../../step/context.js'
import { scratchFolder } from '../../storage/scratch.js'
import type { NewBatch } from '../batch-commit.js'
import { columnsOfUnreadable, faultOf, isFault, writeUnreadable } from '../files/unreadable.js'
import type { InboxIngestion } from '../ingestion.js'
import type { Intake } from '../offer.js'
import { besideBatch, type Kept, Originals, originalOf, type Place } from '../originals.js'
import { mayBeItsBytes, ObjectFailure } from '../quarantine/blame.js'
import type { ReadAgain } from '../quarantine/retry.js'
import { withInspected } from './inspected.js'

type Ingested = BatchFile & { columns: string[] }

/** What files are ingested into, and what the lake has of those before them. */
interface IntoBatch {
  batch: NewBatch
  known: ReadonlyMap<string, KnownFile>
  originals: Originals
  done: Intake
}

/** The files of one batch, as they are ingested one after the other. */
export class InboxIngest {
  readonly files: Ingested[] = []
  readonly notes: string[] = []
  /** The file whose turn it is, with all that is packed into it. */
  private current: SourceFile | undefined

  private readonly context: InboxIngestion['context']
  private readonly dataset: InboxIngestion['dataset']
  private readonly batch: NewBatch
  private readonly known: ReadonlyMap<string, KnownFile>
  private readonly originals: Originals
  private readonly done: Intake

  constructor(
    private readonly ingestion: InboxIngestion,
    { batch, known, originals, done }: IntoBatch,
  ) {
    this.context = ingestion.context
    this.dataset = ingestion.dataset
    this.batch = batch
    this.known = known
    this.originals = originals
    this.done = done
  }

  get rows(): number {
    return this.files.reduce((sum, file) => sum + file.rows, 0)
  }

  /**
   * Ingests a file; one that can't be read is a row that says so, and one that is gone is another
   * run's.
   */
  async file(session: Session, file: SourceFile): Promise<void> {
    try {
      await this.unpacked(session, file)
    } catch (error) {
      this.context.signal.throwIfAborted()
      if (!(file.remote && (await isGoneSince(file, error)))) throw error
      this.notes.push(`${file.name} was removed after it was listed`)
    }
  }

  private async unpacked(session: Session, file: SourceFile): Promise<void> {
    this.current = file
    if (!isZip(file.path)) return this.entries(session, [file])
    const { remote } = file
    if (!remote) return this.zip(session, file)
    // All of it, as one version: what is read is what is removed from the bucket.
    const folder = await scratchFolder('object')
    try {
      const here = join(folder, 'object')
      await remote.download(here, this.context.signal)
      await this.zip(session, { ...file, remote: { ...remote, here } })
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }

  private async zip(session: Session, file: SourceFile): Promise<void> {
    const entries = await entriesOf(file).catch((error) => this.unreadable(session, file, error))
    if (entries) await this.entries(session, entries)
  }

  private async entries(session: Session, entries: readonly SourceFile[]): Promise<void> {
    for (const entry of entries)
      await this.entry(session, entry).catch((error) => this.unreadable(session, entry, error))
  }

  private async entry(session: Session, file: SourceFile): Promise<void> {
    const { dataset, ingestion } = this
    await withInspected(ingestion, file, async ({ readable, sha256, ingest }) => {
      const name = this.nameFor(file.name, sha256)
      if (name === undefined) return
      const target = {
        session,
        ...(await this.place()),
        note: (text: string) => this.notes.push(`${name}: ${text}`),
      }
      const result = await ingest(name, target)
      const original = dataset.archive ? await this.originals.keep(readable) : undefined
      if (result.rows === 0) this.notes.push(`${name} has no rows`)
      const { size, modified } = file
      const kept = { name, size, modified, sha256, data: target.data, ...result }
      this.files.push({ ...kept, ...(original ? { original } : {}) })
    })
  }

  /** Keeps a file that can't be read as it is, and a row that tells why. */
  private async unreadable(session: Session, file: SourceFile, error: unknown): Promise<void> {
    const { context } = this
    context.signal.throwIfAborted()
    if (!isFault(error)) throw mayBeItsBytes(error) ? new ObjectFailure(this.current, error) : error
    const original = await this.originals.keepAny(file)
    const name = this.nameFor(file.name, original.sha256)
    if (name === undefined) return
    const { data, location, batch } = await this.place()
    const columns = await this.columns()
    const reason = faultOf(file, error)
    const row = { name, batch, reason, kept: original.path, columns }
    const { rows, bytes } = await writeUnreadable(session, row, location)
    this.notes.push(`${name} can't be read: ${reason}`)
    const { size, modified } = file
    const { sha256 } = original
    const kept = { name, size, modified, sha256, data, rows, bytes, broken: 1 }
    this.files.push({ ...kept, columns, original })
  }

  /** A name for a file that no other has; `undefined` for one that has come before. */
  private nameFor(name: string, sha256: string): string | undefined {
    const other = `${name}@${sha256.slice(0, 8)}`
    const before = (of: string) => this.files.find((file) => file.name === of) ?? this.known.get(of)
    if (before(name)?.sha256 === sha256 || before(other)) {
      this.notes.push(`${name} arrived again and was ingested only once`)
      return undefined
    }
    return before(name) ? other : name
  }

  private async place(): Promise<{ data: string; location: string; batch: string }> {
    const { storage } = this.context
    const { folder, batch } = this.batch
    const data = `${folder}/${String(this.files.length + 1).padStart(5, '0')}.parquet`
    await storage.prepare(data)
    return { data, location: storage.locate(data), batch }
  }

  /** The columns that files of this inbox have, as far as is known. */
  private async columns(): Promise<string[]> {
    const all = this.done.state.batches[fullName(this.dataset)]
    const last = all?.findLast(({ rows }) => rows > 0) ?? all?.at(-1)
    const before = last ? (await new Batches(this.context.storage).manifest(last)).columns : []
    const declared = this.ingestion.source.columns ?? []
    const read = this.context.lake.datasets.flatMap((reader) =>
      reader.tier === 'silver' && reader.from.includes(this.dataset)
        ? Object.keys(reader.schema.shape).flatMap((name) => {
            const chosen = ownValue(reader.select, name) ?? name
            return typeof chosen === 'string' ? [chosen] : []
          })
        : [],
    )
    const columns = [...columnsOfUnreadable(before), ...declared, ...read]
    return columnsOf([{ columns }] as never)
  }
}

/** One file as a batch of its own, without what is known of others. */
interface Alone {
  file: SourceFile
  batch: NewBatch
  done: Intake
  known?: ReadonlyMap<string, KnownFile>
  /** Where it is kept as it came. */
  place?: Place
  /** Whether nobody may write to it again; as the dataset says, where nothing is said. */
  kept?: Kept
}

export async function readFile(
  ingestion: InboxIngestion,
  { file, batch, done, known = new Map(), place = besideBatch(batch.folder), kept }: Alone,
): Promise<InboxIngest> {
  const { context, dataset } = ingestion
  const originals = new Originals(context.storage, place, context.signal)
  const ingest = new InboxIngest(ingestion, { batch, known, originals, done })
  await withSession(context, fullName(dataset), (session) => ingest.file(session, file))
  await originals.seal(kept ?? dataset)
  return ingest
}

/** Reads a dropped file that was in quarantine. */
export async function readInboxFile(
  ingestion: InboxIngestion,
  object: QuarantinedObject,
  batch: NewBatch,
  done: Intake,
): Promise<ReadAgain> {
  const { size, modified, original } = object
  const file = await originalOf(ingestion.context.storage, object)
  // A file that was there under its name when it arrived has left it another one.
  const other = { name: file.name, size: 0, modified: 0, sha256: '' }
  const known = new Map(object.name === file.name ? [] : [[file.name, other] as const])
  // It is kept already.
  const place = () => original.path
  const how = { file, batch, done, known, place }
  const read = await readFile(ingestion, how)
  const files = describedFiles(read.files).map((one) => ({ ...one, size, modified }))
  const columns = columnsOf(read.files as unknown as BatchManifest[])
  return { files, columns, notes: read.notes }
}
