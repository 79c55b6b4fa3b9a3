import { rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fullName } from '../../define/dataset.js'
import type { Bronze } from '../../define/model.js'
import type { FilesSource, InboxSource } from '../../define/source.js'
import type { Session } from '../../engine/engine.js'
import type { LakeState } from '../../log/commit.js'
import { heardOf } from '../../log/live.js'
import type { QuarantinedObject } from '../../log/quarantined.js'
import type { Databases } from '../../source/database/open.js'
import { isGoneSince } from '../../source/files/gone.js'
import { inspectFile } from '../../source/files/inspect-file.js'
import { settleKind } from '../../source/files/kind.js'
import { takeFile } from '../../source/files/read-files.js'
import type { SourceFile } from '../../source/files/source-file.js'
import { entriesOf, isZip } from '../../source/unpack/archive.js'
import { withUnpacked } from '../../source/unpack/unpack.js'
import {
  Batches,
  type BatchFile,
  type BatchManifest,
  columnsOf,
  describedFiles,
  type KnownFile,
  sealFiles,
} from '../../step/batches.js'
import { type RunContext, withSession } from '../../step/context.js'
import { wantedTypes } from '../../step/requested-types.js'
import { scratchFolder } from '../../storage/scratch.js'
import { localPath } from '../../storage/staging.js'
import type { Storage } from '../../storage/storage.js'
import { commitRows, type NewBatch, newBatch, nothingYet } from '../batch-commit.js'
import type { FileIndexWatermark } from '../files/files.js'
import { faultOf, isFault, writeUnreadable } from '../files/unreadable.js'
import { landingOf } from '../ingest/landing.js'
import type { Intake, Offer } from '../offer.js'
import {
  archivedBatch,
  besideBatch,
  inArchive,
  Originals,
  originalOf,
  type Place,
} from '../originals.js'
import { isAtFault, mayBeItsBytes, ObjectFailure, readAround } from '../quarantine/blame.js'
import { groupsBySuspicion, ProcessEnded, suspectsOf, whileReading } from '../quarantine/reading.js'
import type { ReadAgain } from '../quarantine/retry.js'
import { setAside } from '../quarantine/set-aside.js'
import { DropBucket } from './bucket.js'
import type { Drop, Look } from './drop.js'
import { Feed } from './feed.js'
import { DropFolder } from './folder.js'

/** Files and bytes that are taken in as one batch. */
const TOGETHER = { files: 500, bytes: 2 ** 30 }
/** Files that are known when they come again, at least. */
const REMEMBERED = 50_000
/** Files that are tried to find out whether any can be read. */
const TRIED = 5
/** How often is looked for a file that is being written. */
const LOOKS = 5

/** The place where the files of a dataset are dropped: a folder of this machine, or a bucket's URL. */
export function placeOf(storage: Storage, dataset: Bronze, source: InboxSource): string {
  const { path, base } = source
  if (path?.startsWith('s3://')) return path
  if (path !== undefined) return resolve(base, path)
  const own = storage.address ?? storage.url
  if (!own.startsWith('s3://')) return localPath(storage.locate(landingOf(dataset)))
  const [root = '', settings] = own.split('?')
  return `${root.replace(/\/$/, '')}/${landingOf(dataset)}/${settings ? `?${settings}` : ''}`
}

/** Looks whether files were dropped, or whether the feed has rows to lay down. */
export async function discoverDropped(
  dataset: Bronze,
  source: InboxSource,
  state: LakeState,
  batches: Batches,
  databases: Databases,
): Promise<Offer> {
  const place = placeOf(batches.storage, dataset, source)
  const drop: Drop = place.startsWith('s3://')
    ? new DropBucket(place)
    : new DropFolder(place, source.settle, () => heardOf(batches.storage))
  const feed =
    source.feed && (await Feed.look(dataset, source.feed, state, batches.storage, databases))
  const work = new InboxIntake(dataset, source, drop, batches)
  const { ready, unfinished, notes } = await work.look(state, source.settle)
  const n = ready.length
  const landed = n === 0 ? [] : [`${n} ${n === 1 ? 'file has' : 'files have'} landed`]
  const news = [...(feed?.news ? [feed.news] : []), ...landed].join('; ')
  const waiting = unfinished === 1 ? '1 file is' : `${unfinished} files are`
  return {
    discovery: {
      news: news || undefined,
      none: feed ? `its feed has ${feed.none}` : 'nothing has landed',
      notes: [...notes, ...(unfinished > 0 ? [`${waiting} still being written`] : [])],
    },
    take: async (context, base) => {
      const fed = feed?.news ? await feed.take(context, base) : nothingYet(base)
      const files = feed?.news ? (await work.look(fed.state, source.settle)).ready : ready
      const done = await work.take(context, fed.state, files)
      // What the feed laid down has been taken in as files.
      const idle = done.files === 0 && feed ? fed.notes.map((note) => `its feed: ${note}`) : []
      const notes = [...idle, ...done.notes]
      return { ...done, notes, commits: [...fed.commits, ...done.commits] }
    },
  }
}

class InboxIntake {
  constructor(
    private readonly dataset: Bronze,
    private readonly source: InboxSource,
    private readonly drop: Drop,
    private readonly batches: Batches,
  ) {}

  /** What is complete and new; a file that was only just written is waited for, for a moment. */
  async look(state: LakeState, settle: number): Promise<Look> {
    for (let looks = 1; ; looks++) {
      const found = await this.drop.look()
      if (found.unfinished > 0 && looks < LOOKS && settle > 0) {
        await sleep(settle)
        continue
      }
      if (!found.ready.some(({ remote }) => remote)) return found
      // Objects that could not be removed.
      const known = await this.known(state)
      const ready = found.ready.filter(({ name, size, modified, remote }) => {
        const before = known.get(name)
        return !remote || before?.size !== size || before.modified !== modified
      })
      return { ...found, ready }
    }
  }

  private known(state: LakeState): Promise<Map<string, KnownFile>> {
    const name = fullName(this.dataset)
    const { index } = (state.watermarks[name] ?? {}) as FileIndexWatermark
    return this.batches.knownFiles(state.batches[name] ?? [], index)
  }

  async take(context: RunContext, base: LakeState, files: readonly SourceFile[]): Promise<Intake> {
    let done = nothingYet(base)
    const suspects = await suspectsOf(context.storage, this.dataset)
    const nameOf = ({ name, size }: SourceFile) => `${name} (${size})`
    for (const group of groupsOf(files)) {
      context.signal.throwIfAborted()
      const claimed = await Promise.all(group.map((file) => this.drop.claim(file)))
      const own = claimed.filter((file) => file !== undefined)
      const together = (done: Intake, files: readonly SourceFile[]) =>
        whileReading(context, this.dataset, files.map(nameOf), () =>
          this.takeGroup(context, done, files),
        )
      const alone = (done: Intake, file: SourceFile, error: unknown) =>
        this.setAside(context, done, file, error, own)
      for (const { objects, isAlone } of groupsBySuspicion(own, suspects, nameOf))
        done =
          isAlone && objects[0]
            ? await alone(done, objects[0], new ProcessEnded(objects[0].name))
            : await readAround(done, objects, together, alone)
      for (const file of own) await this.drop.remove(file)
    }
    await suspects.forget()
    return done
  }

  private async takeGroup(
    context: RunContext,
    done: Intake,
    files: readonly SourceFile[],
  ): Promise<Intake> {
    const { dataset } = this
    const known = await this.known(done.state)
    const batch = newBatch(context, done.state, dataset)
    const originals = new Originals(
      context.storage,
      dataset.archive ? inArchive(dataset.name) : besideBatch(batch.folder),
      context.signal,
    )
    const taking = new Taking(context, dataset, this.source, batch, known, originals, done)
    await withSession(context, fullName(dataset), async (session) => {
      for (const file of files) {
        context.signal.throwIfAborted()
        await taking.file(session, file)
        context.progress(fullName(dataset), { rows: taking.rows })
      }
    })
    return this.commit(context, batch, taking, originals, done, known)
  }

  private async setAside(
    context: RunContext,
    done: Intake,
    file: SourceFile,
    error: unknown,
    all: readonly SourceFile[],
  ): Promise<Intake> {
    const { dataset } = this
    const others = () => this.isAnyReadable(context, done, all, file)
    if (!(await isAtFault(context, dataset, done.state, error, others))) throw error
    const known = await this.known(done.state)
    const { name, size, modified } = file
    return setAside(context, done, dataset, {
      name,
      kind: 'file',
      size,
      modified,
      keep: async ({ folder }) => {
        const place = dataset.archive ? inArchive(dataset.name) : besideBatch(folder)
        const originals = new Originals(context.storage, place, context.signal)
        const original = await originals.keepAny(file)
        await originals.seal(dataset.archive)
        return original
      },
      nameFor: (sha256) => {
        const before = known.get(name)
        const other = `${name}@${sha256.slice(0, 8)}`
        if (before?.sha256 === sha256 || known.has(other)) return undefined
        return before ? other : name
      },
      error,
      watermark: done.state.watermarks[fullName(dataset)] ?? {},
      ...(dataset.archive ? { archive: (batch) => archivedBatch(dataset.name, batch) } : {}),
    })
  }

  /** Whether one of the files that came with another can be read. */
  private async isAnyReadable(
    context: RunContext,
    done: Intake,
    all: readonly SourceFile[],
    unread: SourceFile,
  ): Promise<boolean> {
    for (const file of all.filter((one) => one !== unread).slice(0, TRIED)) {
      const folder = `bronze/${this.dataset.name}/probe/${context.run}-${file.modified}`
      const batch = { number: 0, batch: '', folder }
      const found = await readFile(context, this.dataset, this.source, { file, batch, done }).catch(
        () => undefined,
      )
      for (const { data } of found?.taken ?? []) await context.storage.remove(data)
      if (found && found.taken.length > 0) return true
    }
    return false
  }

  private async commit(
    context: RunContext,
    batch: NewBatch,
    { taken, notes }: Taking,
    originals: Originals,
    done: Intake,
    known: ReadonlyMap<string, KnownFile>,
  ): Promise<Intake> {
    const { dataset } = this
    const told = { ...done, notes: [...done.notes, ...notes] }
    if (taken.length === 0) return told
    const sealed = await sealFiles(context.storage, taken)
    await originals.seal(dataset.archive)
    const files = describedFiles(sealed)
    const all = new Map<string, KnownFile>([...known, ...files.map((f) => [f.name, f] as const)])
    const list = `bronze/${dataset.name}/index/${batch.batch}.json`
    const { index: before } = (done.state.watermarks[fullName(dataset)] ?? {}) as FileIndexWatermark
    const index = await this.batches.index(all, batch.number, list, before, REMEMBERED)
    return commitRows(context, told, {
      dataset,
      batch,
      files,
      columns: columnsOf(taken as unknown as BatchManifest[]),
      watermark: index ? { index } : {},
      more: {},
      ...(dataset.archive ? { copy: archivedBatch(dataset.name, batch.batch) } : {}),
    })
  }
}

type TakenFile = BatchFile & { columns: string[] }

/** The files of one batch, as they are taken one after the other. */
class Taking {
  readonly taken: TakenFile[] = []
  readonly notes: string[] = []
  /** The file whose turn it is, with all that is packed into it. */
  private current: SourceFile | undefined

  constructor(
    private readonly context: RunContext,
    private readonly dataset: Bronze,
    private readonly source: InboxSource,
    private readonly batch: NewBatch,
    private readonly known: ReadonlyMap<string, KnownFile>,
    private readonly originals: Originals,
    private readonly done: Intake,
  ) {}

  get rows(): number {
    return this.taken.reduce((sum, file) => sum + file.rows, 0)
  }

  /** Ingests a file; one that can't be read is a row that says so, and one that is gone is another run's. */
  async file(session: Session, file: SourceFile): Promise<void> {
    try {
      await this.whole(session, file)
    } catch (error) {
      this.context.signal.throwIfAborted()
      if (!(file.remote && (await isGoneSince(file, error)))) throw error
      this.notes.push(`${file.name} is gone since it was listed`)
    }
  }

  private async whole(session: Session, file: SourceFile): Promise<void> {
    this.current = file
    if (!isZip(file.path)) return this.parts(session, [file])
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
    const parts = await entriesOf(file).catch((error) => this.unreadable(session, file, error))
    if (parts) await this.parts(session, parts)
  }

  private async parts(session: Session, parts: readonly SourceFile[]): Promise<void> {
    for (const part of parts)
      await this.part(session, part).catch((error) => this.unreadable(session, part, error))
  }

  private async part(session: Session, file: SourceFile): Promise<void> {
    const { context, dataset } = this
    const ending = readerOf(this.source, file.name)
    await withUnpacked(file, ending, context.signal, async (readable) => {
      const { signal, valuesFrom } = context
      const wanted = wantedTypes(context.lake.datasets, dataset)
      const source = settleKind(readable, ending)
      const inspection = await inspectFile(readable, source, { signal, wanted, valuesFrom })
      const { sha256 } = inspection
      const name = this.nameFor(file.name, sha256)
      if (name === undefined) return
      const target = {
        session,
        ...(await this.place()),
        wanted,
        large: inspection.bytes >= valuesFrom,
        signal,
        note: (text: string) => this.notes.push(`${name}: ${text}`),
      }
      const result = await takeFile({ ...readable, name }, source, inspection, target)
      const original = dataset.archive ? await this.originals.keep(readable) : undefined
      if (result.rows === 0) this.notes.push(`${name} holds no rows`)
      const { size, modified } = file
      const kept = { name, size, modified, sha256, data: target.data, ...result }
      this.taken.push({ ...kept, ...(original ? { original } : {}) })
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
    const said = faultOf(file, error)
    const row = { name, batch, said, kept: original.path, columns }
    const { rows, bytes } = await writeUnreadable(session, row, location)
    this.notes.push(`${name} can't be read: ${said}`)
    const { size, modified } = file
    const { sha256 } = original
    const kept = { name, size, modified, sha256, data, rows, bytes, broken: 1 }
    this.taken.push({ ...kept, columns, original })
  }

  /** A name for a file that no other has; `undefined` for one that has come before. */
  private nameFor(name: string, sha256: string): string | undefined {
    const other = `${name}@${sha256.slice(0, 8)}`
    const before = (of: string) => this.taken.find((file) => file.name === of) ?? this.known.get(of)
    if (before(name)?.sha256 === sha256 || before(other)) {
      this.notes.push(`${name} came again, and is there once`)
      return undefined
    }
    return before(name) ? other : name
  }

  private async place(): Promise<{ data: string; location: string; batch: string }> {
    const { storage } = this.context
    const { folder, batch } = this.batch
    const data = `${folder}/${String(this.taken.length + 1).padStart(5, '0')}.parquet`
    await storage.prepare(data)
    return { data, location: storage.locate(data), batch }
  }

  /** The columns that files of this inbox have, as far as is known. */
  private async columns(): Promise<string[]> {
    const all = this.done.state.batches[fullName(this.dataset)]
    const last = all?.findLast(({ rows }) => rows > 0) ?? all?.at(-1)
    const before = last ? (await new Batches(this.context.storage).manifest(last)).columns : []
    const declared = this.source.columns ?? []
    const read = this.context.lake.datasets.flatMap((reader) =>
      reader.tier === 'silver' && reader.from.includes(this.dataset)
        ? Object.keys(reader.schema.shape).flatMap((name) => {
            const chosen = Object.hasOwn(reader.select, name) ? reader.select[name] : name
            return typeof chosen === 'string' ? [chosen] : []
          })
        : [],
    )
    return columnsOf([{ columns: [...before, ...declared, ...read] }] as never)
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
}

async function readFile(
  context: RunContext,
  dataset: Bronze,
  source: InboxSource,
  { file, batch, done, known = new Map(), place = besideBatch(batch.folder) }: Alone,
): Promise<Taking> {
  const originals = new Originals(context.storage, place, context.signal)
  const taking = new Taking(context, dataset, source, batch, known, originals, done)
  await withSession(context, fullName(dataset), (session) => taking.file(session, file))
  await originals.seal(dataset.archive)
  return taking
}

/** Reads a dropped file that was in quarantine. */
export async function readDropped(
  context: RunContext,
  dataset: Bronze,
  source: InboxSource,
  object: QuarantinedObject,
  batch: NewBatch,
  done: Intake,
): Promise<ReadAgain> {
  const { size, modified, original } = object
  const file = await originalOf(context.storage, object)
  // A file that was there under its name when it arrived has left it another one.
  const other = { name: file.name, size: 0, modified: 0, sha256: '' }
  const known = new Map(object.name === file.name ? [] : [[file.name, other] as const])
  // It is kept already.
  const place = () => original.path
  const how = { file, batch, done, known, place }
  const { taken, notes } = await readFile(context, dataset, source, how)
  const files = describedFiles(taken).map((one) => ({ ...one, size, modified }))
  return { files, columns: columnsOf(taken as unknown as BatchManifest[]), notes }
}

/** How a file is read: by the ending of its name, where that is known. */
export function readerOf({ readers }: InboxSource, name: string): FilesSource {
  const bare = name.toLowerCase().replace(/\.(gz|zst|zip)$/, '')
  const ending = /\.([a-z]+)$/.exec(bare)?.[1] ?? ''
  return (Object.hasOwn(readers, ending) ? readers[ending] : readers['']) as FilesSource
}

function groupsOf(files: readonly SourceFile[]): SourceFile[][] {
  const groups: SourceFile[][] = []
  let bytes = 0
  for (const file of files) {
    const group = groups.at(-1)
    if (!group || group.length >= TOGETHER.files || bytes + file.size > TOGETHER.bytes) {
      groups.push([file])
      bytes = file.size
    } else {
      group.push(file)
      bytes += file.size
    }
  }
  return groups
}
