import { fullName } from '../../define/dataset.js'
import type { FilesSource, FullExports } from '../../define/source.js'
import { MoraineError } from '../../errors.js'
import type { LakeState } from '../../log/commit.js'
import { discoverFiles as filesOf, nothingThere } from '../../source/files/discover.js'
import { compareExports, exportsOf, type FullExport } from '../../source/files/exports.js'
import type { SourceFile } from '../../source/files/source-file.js'
import { type BatchFile, type BatchManifest, columnsOf } from '../../step/batches.js'
import { hash, withSession } from '../../step/context.js'
import { commitRows, type NewBatch, newBatch, noteWatermark, nothingYet } from '../batch-commit.js'
import type { Held } from '../held.js'
import type { Ingestion, Lookup } from '../ingestion.js'
import type { Intake, Offer } from '../offer.js'
import { heldOf, heldText, holdBack, rowsOfFull } from '../shrink.js'
import { columnsBefore } from './batch.js'
import { FileColumns, type KnownColumns } from './columns.js'
import { FileIngest } from './ingest.js'
import { isFault } from './unreadable.js'

/** Files as they were seen: name, bytes, time. */
type Seen = readonly (readonly [string, number, number])[]

/** The export that a dataset consists of; visible in the same commit as its rows. */
interface Watermark extends Partial<KnownColumns> {
  export?: { name: string; modified: number; files: Seen; content: string }
  held?: Held & { files?: Seen }
}

/** Looks which of the exports that are there is the newest, and whether it was taken in before. */
export async function discoverFull(
  { dataset, source, state }: Lookup<FilesSource>,
  full: FullExports,
): Promise<Offer> {
  const name = fullName(dataset)
  const { export: before } = (state.watermarks[name] ?? {}) as Watermark
  const passed: string[] = []
  const offered = await filesOf(source, passed)
  const missing = await nothingThere(source, offered, before ? before.files.length : 0, passed)
  const notes = [...passed, ...missing]
  const exports = exportsOf(offered, full)
  const newest = exports.at(-1)
  const known = before && `${before.name} was ingested before`
  const none =
    !newest || (before && compareExports(newest, before, full.newest) < 0)
      ? `${known}, and no newer one is available`
      : before && isSame(seen(newest.files), before.files)
        ? (known ?? '')
        : undefined
  if (none !== undefined || !newest)
    return {
      discovery: { news: undefined, none: none ?? '', notes },
      ingest: async (_, base) => nothingYet(base),
    }
  const held = heldOf(state, name)
  const others = exports.length === 1 ? '' : `, the newest of ${exports.length} extracts`
  const news = `${newest.name} is a full extract${others}${held ? `; the last one was ${heldText(held)}` : ''}`
  return {
    discovery: { news, none: '', notes },
    ingest: (context, base) => ingestFull({ context, dataset, source }, newest, base),
  }
}

const seen = (files: readonly SourceFile[]): Seen =>
  files.map(({ name, size, modified }) => [name, size, modified] as const)

const isSame = (a: Seen, b: Seen | undefined) => JSON.stringify(a) === JSON.stringify(b)

/** An export that is ingested, and what the lake has of its dataset. */
interface FullIngest {
  ingestion: Ingestion<FilesSource>
  full: FullExport
  before: Watermark
  done: Intake
}

/**
 * Ingests an export as one batch that is all of its source, unless it is what was there before, or
 * is held back.
 */
async function ingestFull(
  ingestion: Ingestion<FilesSource>,
  full: FullExport,
  base: LakeState,
): Promise<Intake> {
  const { context, dataset } = ingestion
  const name = fullName(dataset)
  const before = (base.watermarks[name] ?? {}) as Watermark
  const work: FullIngest = { ingestion, full, before, done: nothingYet(base) }
  // What is held back need not be read again to be held back again.
  const same = before.held && isSame(seen(full.files), before.held.files)
  const still =
    same && !context.acceptShrink.has(name) ? await hold(work, before.held?.rows ?? 0) : undefined
  if (still) return still
  const batch = newBatch(context, base, dataset)
  const read = await readFull(work, batch)
  const rows = read.files.reduce((sum, file) => sum + file.rows, 0)
  const content = hash(read.files.map(({ sha256 }) => sha256).join())
  const { name: exportName, files, modified } = full
  const watermark: Watermark = {
    export: { name: exportName, modified, files: seen(files), content },
    ...read.seen,
  }
  const aside =
    before.export?.content === content
      ? {
          ...(await noteWatermark(context, work.done, dataset, watermark)),
          notes: [`${exportName} has the same content as ${before.export.name}`],
        }
      : await hold(work, rows)
  if (aside || rows === 0)
    for (const data of new Set(read.files.map((file) => file.data)))
      await context.storage.remove(data)
  if (aside) return aside
  return commitRows(
    context,
    { ...work.done, notes: read.notes },
    {
      dataset,
      batch,
      files: rows === 0 ? [] : read.files.map(({ columns: _, ...file }): BatchFile => file),
      columns: await columnsOfFull(work, read),
      watermark,
      more: { fullExtract: true },
    },
  )
}

async function hold(
  { ingestion: { context, dataset, source }, full, done }: FullIngest,
  rows: number,
): Promise<Intake | undefined> {
  const before = rowsOfFull(done.state, fullName(dataset))
  if (before === undefined) return undefined
  const more = { files: seen(full.files) }
  return holdBack(context, done, dataset, { rows, before, maxShrink: source.maxShrink, more })
}

/** Reads all files of an export. */
function readFull({ ingestion, full, before, done }: FullIngest, batch: NewBatch) {
  const { context, dataset, source } = ingestion
  const name = fullName(dataset)
  return withSession(context, name, async (session) => {
    const { batches } = context.relations
    const known = await columnsBefore(batches, done.state.batches[name] ?? [], before)
    const columns = new FileColumns(dataset, source.drift ?? 'evolve', known)
    const about = { batch, known: new Map(), columns, isFull: true }
    const ingest = new FileIngest(ingestion, session, about)
    await ingest.all(full.files).catch((error) => {
      throw isFault(error) ? partMissing(error, full.name) : error
    })
    return ingest
  })
}

/** The columns of an export; of one without rows those that there were. */
async function columnsOfFull(
  { ingestion: { context, dataset }, done }: FullIngest,
  { files }: FileIngest,
): Promise<readonly string[]> {
  const columns = columnsOf(files as unknown as BatchManifest[])
  const last = done.state.batches[fullName(dataset)]?.at(-1)
  if (!last || columns.length > 0) return columns
  return (await context.relations.batches.manifest(last)).columns
}

/** A part of an export alone would delete the rows of the rest. */
function partMissing(error: MoraineError, exportName: string): MoraineError {
  const own = error.hint === undefined ? '' : `${error.hint} `
  const hint = `${own}Nothing of ${exportName} was ingested, and the previous rows are kept. Fix the file or replace it; a newer extract is read instead.`
  return new MoraineError('source', error.message, {
    cause: error,
    hint,
    place: error.place,
  })
}
