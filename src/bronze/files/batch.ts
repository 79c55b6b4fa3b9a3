import { fullName } from '../../define/dataset.js'
import type { FilesSource } from '../../define/source.js'
import type { BatchPointer, LakeState } from '../../log/commit.js'
import type { SourceFile } from '../../source/files/source-file.js'
import {
  Batches,
  type BatchFile,
  type BatchManifest,
  columnsOf,
  describedFiles,
  type FileIndex,
  type KnownFile,
  writeManifest,
} from '../../step/batches.js'
import { withSession } from '../../step/context.js'
import { Naming, namesTogether } from '../../step/naming.js'
import { type NewBatch, newBatch, nothingYet } from '../batch-commit.js'
import type { Ingestion } from '../ingestion.js'
import type { Intake } from '../offer.js'
import { readingOfDataset } from '../quarantine/blame.js'
import { FileColumns, type KnownColumns } from './columns.js'
import { FileIngest } from './ingest.js'
import { textReadingOf } from './unreadable.js'

/** Where files that are known are listed. */
export interface FileIndexWatermark {
  index?: FileIndex
}

/** How far a file source has been read; visible in the same commit as its rows. */
export interface Watermark extends FileIndexWatermark, Partial<KnownColumns> {
  /** The newest file time, in milliseconds since 1970. */
  modified: number
  /** Times of files that were touched since their batch, but hold the same content. */
  touched: Record<string, number>
  /** How the definition last read files, as a hash. Lakes of earlier versions have noted none. */
  reading?: string
}

/** Files of a batch from which on its manifest is written without indentation. */
const MANY = 1000

/** What the lake has of a dataset of files. */
interface Known {
  batches: Batches
  pointers: readonly BatchPointer[]
  files: ReadonlyMap<string, KnownFile>
  before: Watermark | undefined
}

/**
 * Ingests files as one batch and commits it at once. Files that turn out to be the same as before,
 * byte for byte, are passed over.
 */
export async function ingestBatch(
  ingestion: Ingestion<FilesSource>,
  base: LakeState,
  files: readonly SourceFile[],
): Promise<Intake> {
  const { context, dataset, source } = ingestion
  const name = fullName(dataset)
  const pointers = base.batches[name] ?? []
  const before = base.watermarks[name] as Watermark | undefined
  const batches = new Batches(context.storage)
  const known = {
    batches,
    pointers,
    before,
    files: await batches.knownFiles(pointers, before?.index),
  }
  const batch = newBatch(context, base, dataset)
  const columns = await columnsBefore(batches, pointers, before)
  const ingest = await withSession(context, name, async (session) => {
    const compare = new FileColumns(dataset, source.drift ?? 'evolve', columns)
    const about = { batch, known: known.files, columns: compare }
    const work = new FileIngest(ingestion, session, about)
    Object.assign(work.touched, before?.touched)
    await work.all(files)
    return work
  })
  const watermark = watermarkOf(ingest, before, source)
  if (ingest.files.length > 0)
    return commitFiles(ingestion, base, known, { batch, ingest, watermark })
  const state = await context.log.commit(
    base,
    { watermarks: { [name]: watermark } },
    {
      author: context.author,
      run: context.run,
      message: `record that files of ${name} were only touched`,
    },
  )
  return { ...nothingYet(state), commits: [state.number], notes: ingest.notes }
}

function watermarkOf(
  { files, touched, seen }: FileIngest,
  before: Watermark | undefined,
  source: FilesSource,
): Watermark {
  return {
    modified: files.reduce((last, file) => Math.max(last, file.modified), before?.modified ?? 0),
    touched,
    ...(files.length > 0 || !before ? { reading: textReadingOf(source) } : {}),
    ...(files.length === 0 && before?.reading ? { reading: before.reading } : {}),
    ...seen,
    ...(before?.index ? { index: before.index } : {}),
  }
}

/** A batch that is about to be committed. */
interface Ingested {
  batch: NewBatch
  ingest: FileIngest
  watermark: Watermark
}

async function commitFiles(
  { context, dataset }: Ingestion,
  base: LakeState,
  { batches, pointers, files: known, before }: Known,
  { batch: { number, batch, folder }, ingest, watermark }: Ingested,
): Promise<Intake> {
  const { files } = ingest
  const name = fullName(dataset)
  const manifest: BatchManifest = {
    format: 2,
    dataset: name,
    batch,
    number,
    created: context.started.toISOString(),
    reading: readingOfDataset(dataset),
    columns: columnsOf(files as unknown as BatchManifest[]),
    files: describedFiles(files),
  }
  const path = `${folder}/manifest.json`
  const indent = files.length > MANY ? 0 : 1
  const { body: _, ...described } = await writeManifest(context.storage, path, manifest, indent)
  const pointer: BatchPointer = {
    dataset: name,
    number,
    batch,
    ...described,
    rows: total(files, 'rows'),
    bytes: total(files, 'bytes'),
    ...(files.some((file) => known.has(file.name)) ? { replaces: true } : {}),
    ...namesTogether(manifest.files),
  }
  const naming =
    pointer.collidingNames && Naming.of([...(await batches.manifests(pointers)), manifest])
  const all = new Map<string, KnownFile>([...known, ...files.map((f) => [f.name, f] as const)])
  const list = { path: `bronze/${dataset.name}/index/${batch}.json`, through: number }
  const index = await batches.index(all, list, before?.index)
  const message = `ingest ${files.length} file${files.length === 1 ? '' : 's'} of ${name}`
  const state = await context.log.commit(
    base,
    {
      batches: [pointer],
      watermarks: { [name]: { ...watermark, ...(index ? { index } : {}) } },
    },
    { author: context.author, run: context.run, message },
  )
  const { rows, bytes } = pointer
  const notes = [...ingest.notes, ...(naming?.notes ?? [])]
  const broken = total(files, 'broken')
  return { state, commits: [state.number], rows, bytes, broken, files: files.length, notes }
}

/** The columns that files had before; lakes of earlier versions have noted none. */
export async function columnsBefore(
  batches: Batches,
  pointers: readonly BatchPointer[],
  { columns, latest }: Partial<KnownColumns> = {},
): Promise<KnownColumns> {
  if (columns && latest) return { columns, latest }
  const manifests = await batches.manifests(pointers)
  return { columns: columnsOf(manifests), latest: manifests.at(-1)?.columns ?? [] }
}

function total(files: readonly BatchFile[], of: 'rows' | 'broken' | 'bytes'): number {
  return files.reduce((sum, file) => sum + file[of], 0)
}
