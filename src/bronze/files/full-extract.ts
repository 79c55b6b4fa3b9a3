import { fullName } from '../../define/dataset.js'
import type { Bronze } from '../../define/model.js'
import type { FilesSource, FullExports } from '../../define/source.js'
import { MoraineError } from '../../errors.js'
import type { LakeState } from '../../log/commit.js'
import { discoverFiles as filesOf, nothingThere } from '../../source/files/discover.js'
import { compareExports, exportsOf, type FullExport } from '../../source/files/exports.js'
import type { SourceFile } from '../../source/files/source-file.js'
import { type BatchFile, type BatchManifest, columnsOf } from '../../step/batches.js'
import { hash, type RunContext, withSession } from '../../step/context.js'
import { commitRows, newBatch, noteWatermark, nothingYet } from '../batch-commit.js'
import type { Held } from '../held.js'
import type { Intake, Offer } from '../offer.js'
import { heldOf, heldText, holdBack, rowsOfFull } from '../shrink.js'
import { FileColumns, type KnownColumns } from './columns.js'
import { columnsBefore } from './files.js'
import { Taking } from './ingest.js'
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
  dataset: Bronze,
  source: FilesSource,
  full: FullExports,
  state: LakeState,
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
      take: async (_, base) => nothingYet(base),
    }
  const held = heldOf(state, name)
  const others = exports.length === 1 ? '' : `, the newest of ${exports.length} extracts`
  const news = `${newest.name} is a full extract${others}${held ? `; the last one was ${heldText(held)}` : ''}`
  return {
    discovery: { news, none: '', notes },
    take: (context, base) => takeFull(context, dataset, source, newest, base),
  }
}

const seen = (files: readonly SourceFile[]): Seen =>
  files.map(({ name, size, modified }) => [name, size, modified] as const)

const isSame = (a: Seen, b: Seen | undefined) => JSON.stringify(a) === JSON.stringify(b)

/** Takes an export in as one batch that is all of its source, unless it is what was there before, or is held back. */
async function takeFull(
  context: RunContext,
  dataset: Bronze,
  source: FilesSource,
  { name: exportName, files, modified }: FullExport,
  base: LakeState,
): Promise<Intake> {
  const name = fullName(dataset)
  const done = nothingYet(base)
  const before = (base.watermarks[name] ?? {}) as Watermark
  const hold = async (rows: number) => {
    const there = rowsOfFull(base, name)
    if (there === undefined) return undefined
    const extract = {
      rows,
      before: there,
      maxShrink: source.maxShrink,
      more: { files: seen(files) },
    }
    return holdBack(context, done, dataset, extract)
  }
  // What is held back need not be read again to be held back again.
  const same = before.held && isSame(seen(files), before.held.files)
  const still =
    same && !context.acceptShrink.has(name) ? await hold(before.held?.rows ?? 0) : undefined
  if (still) return still
  const batch = newBatch(context, base, dataset)
  const { batches } = context.relations
  const taking = await withSession(context, name, async (session) => {
    const columns = await columnsBefore(batches, base.batches[name] ?? [], before)
    const compare = new FileColumns(dataset, source.drift ?? 'evolve', columns)
    const work = new Taking(context, dataset, source, session, batch, new Map(), compare, true)
    await work.all(files).catch((error) => {
      throw isFault(error) ? partMissing(error, exportName) : error
    })
    return work
  })
  const rows = taking.taken.reduce((sum, file) => sum + file.rows, 0)
  const content = hash(taking.taken.map(({ sha256 }) => sha256).join())
  const watermark: Watermark = {
    export: { name: exportName, modified, files: seen(files), content },
    ...taking.seen,
  }
  const aside =
    before.export?.content === content
      ? {
          ...(await noteWatermark(context, done, dataset, watermark)),
          notes: [`${exportName} has the same content as ${before.export.name}`],
        }
      : await hold(rows)
  if (aside || rows === 0)
    for (const data of new Set(taking.taken.map((file) => file.data)))
      await context.storage.remove(data)
  if (aside) return aside
  const last = base.batches[name]?.at(-1)
  const columns = columnsOf(taking.taken as unknown as BatchManifest[])
  const known =
    last && columns.length === 0 ? await context.relations.batches.manifest(last) : undefined
  return commitRows(
    context,
    { ...done, notes: taking.notes },
    {
      dataset,
      batch,
      files: rows === 0 ? [] : taking.taken.map(({ columns: _, ...file }): BatchFile => file),
      columns: known?.columns ?? columns,
      watermark,
      more: { fullExtract: true },
    },
  )
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
