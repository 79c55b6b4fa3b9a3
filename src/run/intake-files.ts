import { type Bronze, fullName } from '../define/dataset.js'
import type { FilesSource } from '../define/source.js'
import type { Session } from '../engine/engine.js'
import type { BatchPointer, LakeState } from '../log/commit.js'
import { broughtAhead } from '../source/bring.js'
import { discoverFiles as filesOf, nothingFound, type SourceFile } from '../source/discover.js'
import type { Inspection } from '../source/inspect.js'
import { inspectFile } from '../source/inspect-file.js'
import type { Kept } from '../source/keep.js'
import { Pack } from '../source/pack.js'
import { takeFile } from '../source/read-files.js'
import { withUnpacked } from '../source/unpack.js'
import {
  Batches,
  type BatchFile,
  type BatchManifest,
  columnsOf,
  describedFiles,
  type FileIndex,
  type KnownFile,
} from './batches.js'
import { type RunContext, withSession } from './context.js'
import type { Intake, Offer } from './intake.js'
import { Naming, namesTogether } from './naming.js'
import { besideBatch, Originals } from './originals.js'
import { type NewBatch, newBatch } from './rows-commit.js'
import { wantedTypes } from './wanted.js'

/** Where files that are known are listed. */
export interface FileIndexWatermark {
  index?: FileIndex
}

/** How far a file source has been read; visible in the same commit as its rows. */
interface Watermark extends FileIndexWatermark {
  /** The newest file time, in milliseconds since 1970. */
  modified: number
  /** Times of files that were touched since their batch, but hold the same content. */
  touched: Record<string, number>
}

/** Files that are taken in at once, up to which each of them is kept by itself. */
const FEW = 16
/** Files of a batch from which on its manifest is written without indentation. */
const MANY = 1000

/** Looks at a source without reading its files. */
export async function discoverFiles(
  dataset: Bronze,
  source: FilesSource,
  state: LakeState,
  batches: Batches,
): Promise<Offer> {
  const name = fullName(dataset)
  const offered = await filesOf(source)
  const watermark = state.watermarks[name] as Watermark | undefined
  const known = await batches.knownFiles(state.batches[name] ?? [], watermark?.index)
  const touched = watermark?.touched ?? {}
  if (offered.length === 0 && known.size === 0) throw nothingFound(source)
  const added = offered.filter((file) => !known.has(file.name))
  const changed = offered.filter((file) => {
    const before = known.get(file.name)
    const modified = touched[file.name] ?? before?.modified
    return before && (before.size !== file.size || modified !== file.modified)
  })
  const files = [...added, ...changed]
  const discovery = {
    added: added.length,
    changed: changed.length,
    bytes: files.reduce((sum, file) => sum + file.size, 0),
    known: offered.length - files.length,
  }
  return { discovery, take: (context, base) => takeIn(context, dataset, source, base, files) }
}

/**
 * Takes files in as one batch and commits it at once. Files that turn out to be the same as before,
 * byte for byte, are passed over.
 */
async function takeIn(
  context: RunContext,
  dataset: Bronze,
  source: FilesSource,
  base: LakeState,
  files: readonly SourceFile[],
): Promise<Intake> {
  const { storage, log, started } = context
  const name = fullName(dataset)
  const pointers = base.batches[name] ?? []
  const before = base.watermarks[name] as Watermark | undefined
  const batches = new Batches(storage)
  const known = await batches.knownFiles(pointers, before?.index)
  const { number, batch, folder } = newBatch(context, base, dataset)
  const { taken, notes, touched } = await withSession(context, name, async (session) => {
    const taking = new Taking(context, dataset, source, session, { batch, folder }, known)
    Object.assign(taking.touched, before?.touched)
    await taking.all(files)
    return taking
  })
  const watermark: Watermark = {
    modified: taken.reduce((last, file) => Math.max(last, file.modified), before?.modified ?? 0),
    touched,
    ...(before?.index ? { index: before.index } : {}),
  }
  const info = { author: context.author, run: context.run }
  if (taken.length === 0) {
    const changes = { watermarks: { [name]: watermark } }
    const message = `note that files of ${name} were only touched`
    const state = await log.commit(base, changes, { ...info, message })
    return { state, commits: [state.number], rows: 0, broken: 0, files: 0, bytes: 0, notes }
  }
  const manifest: BatchManifest = {
    format: 1,
    dataset: name,
    batch,
    number,
    created: started.toISOString(),
    columns: columnsOf(taken as unknown as BatchManifest[]),
    files: describedFiles(taken),
  }
  const path = `${folder}/manifest.json`
  const indent = taken.length > MANY ? 0 : 1
  await storage.write(path, new TextEncoder().encode(JSON.stringify(manifest, null, indent)))
  const pointer: BatchPointer = {
    dataset: name,
    number,
    batch,
    manifest: path,
    rows: total(taken, 'rows'),
    bytes: total(taken, 'bytes'),
    ...(taken.some((file) => known.has(file.name)) ? { replaces: true } : {}),
    ...namesTogether(manifest.files),
  }
  const naming = pointer.names && Naming.of([...(await batches.manifests(pointers)), manifest])
  const all = new Map<string, KnownFile>([...known, ...taken.map((f) => [f.name, f] as const)])
  const list = `bronze/${dataset.name}/index/${batch}.json`
  const index = await batches.index(all, number, list, before?.index)
  const message = `take in ${taken.length} file${taken.length === 1 ? '' : 's'} of ${name}`
  const state = await log.commit(
    base,
    {
      batches: [pointer],
      watermarks: { [name]: { ...watermark, ...(index ? { index } : {}) } },
    },
    { ...info, message },
  )
  const { rows, bytes } = pointer
  const commits = [state.number]
  const broken = total(taken, 'broken')
  const said = [...notes, ...(naming?.notes ?? [])]
  return { state, commits, rows, bytes, broken, files: taken.length, notes: said }
}

/** A file that was taken in, and its columns. */
type Taken = BatchFile & { columns: string[] }

/** The files of one batch, as they are taken one after the other. */
export class Taking {
  readonly taken: Taken[] = []
  readonly notes: string[] = []
  readonly touched: Record<string, number> = {}
  private readonly originals: Originals
  private readonly wanted: ReadonlyMap<string, string>
  private pack: Pack
  /** The files in the pack, as they will be described. */
  private packed: { file: SourceFile; about: Omit<Taken, 'data' | 'columns' | keyof Kept> }[] = []
  private written = 0
  private rows = 0

  constructor(
    private readonly context: RunContext,
    private readonly dataset: Bronze,
    private readonly source: FilesSource,
    private readonly session: Session,
    private readonly batch: Pick<NewBatch, 'batch' | 'folder'>,
    private readonly known: ReadonlyMap<string, KnownFile>,
  ) {
    const { lake, storage, signal } = context
    this.originals = new Originals(storage, besideBatch(batch.folder), signal)
    this.wanted = wantedTypes(lake.datasets, dataset)
    this.pack = new Pack(source)
  }

  /** Takes all of the files, and makes durable what was written of them. */
  async all(files: readonly SourceFile[]): Promise<void> {
    const { context, dataset } = this
    const { signal, storage } = context
    for await (const file of broughtAhead(files, signal)) {
      signal.throwIfAborted()
      await this.file(file, files.length > FEW)
      context.progress(fullName(dataset), { rows: this.rows })
    }
    await this.keepPack()
    await storage.seal([...new Set(this.taken.map(({ data }) => data))])
    await this.originals.seal(false)
  }

  /** @param mayPack whether it may be kept together with others. */
  private file(file: SourceFile, mayPack: boolean): Promise<void> {
    const { source, context } = this
    return withUnpacked(file, source, context.signal, async (readable) => {
      const { signal, valuesFrom } = context
      const { wanted } = this
      const inspection = await inspectFile(readable, source, { signal, wanted, valuesFrom })
      const { name, size, modified } = file
      const { sha256 } = inspection
      if (this.known.get(name)?.sha256 === sha256) {
        this.notes.push(`${name} has the same content as before`)
        this.touched[name] = modified
        return
      }
      delete this.touched[name]
      const isRaw = this.dataset.format === 'raw'
      const original = isRaw ? { original: await this.originals.keep(readable) } : {}
      const about = { name, size, modified, sha256, ...original }
      if (mayPack && Pack.takes(source, inspection)) {
        await this.put(readable, inspection)
        this.packed.push({ file: elsewhere(file), about })
        if (this.pack.isFull) await this.keepPack()
      } else {
        await this.keepPack()
        const large = inspection.bytes >= context.valuesFrom
        const { data, target } = await this.place()
        const note = (text: string) => this.notes.push(`${name}: ${text}`)
        const kept = await takeFile(readable, source, inspection, { ...target, large, note })
        this.take({ ...about, data, ...kept })
      }
    })
  }

  private async put(file: SourceFile, inspection: Inspection): Promise<void> {
    const { signal } = this.context
    if (await this.pack.add(file, inspection, signal)) return
    await this.keepPack()
    await this.pack.add(file, inspection, signal)
  }

  /** Writes what is in the pack. What can't be written together is taken file by file, so that what is wrong is told of the one that it is. */
  private async keepPack(): Promise<void> {
    const { pack, packed, context } = this
    this.pack = new Pack(this.source)
    this.packed = []
    if (packed.length === 0) return
    const { data, target } = await this.place()
    const kept = await pack.keep(target, context.valuesFrom).catch(() => undefined)
    context.signal.throwIfAborted()
    if (!kept) {
      for (const { file } of packed) await this.file(file, false)
      return
    }
    const { files, rows: _, broken: __, ...facts } = kept
    for (const [i, { about }] of packed.entries()) {
      const counts = files[i] as (typeof files)[number]
      const { columns } = facts
      // What the Parquet file is, its first one says.
      this.take({ ...about, data, ...(i === 0 ? facts : { bytes: 0, columns }), ...counts })
    }
  }

  private take(file: Taken): void {
    if (file.rows === 0) this.notes.push(`${file.name} holds no rows`)
    this.taken.push(file)
    this.rows += file.rows
  }

  private async place() {
    const { context, session, wanted } = this
    const { storage, signal } = context
    const { folder, batch } = this.batch
    this.written++
    const data = `${folder}/${String(this.written).padStart(5, '0')}.parquet`
    await storage.prepare(data)
    return { data, target: { session, location: storage.locate(data), batch, wanted, signal } }
  }
}

/** A file as it was before it was brought here: that copy is there for its turn alone. */
function elsewhere({ remote, ...file }: SourceFile): SourceFile {
  if (!remote) return file
  const { here: _, ...there } = remote
  return { ...file, remote: there }
}

function total(files: readonly BatchFile[], of: 'rows' | 'broken' | 'bytes'): number {
  return files.reduce((sum, file) => sum + file[of], 0)
}
