import { type Bronze, fullName } from '../define/dataset.js'
import type { FilesSource } from '../define/source.js'
import type { BatchPointer, LakeState } from '../log/commit.js'
import { discoverFiles as filesOf, nothingFound, type SourceFile } from '../source/discover.js'
import { inspectFile, takeFile } from '../source/read-files.js'
import { withUnpacked } from '../source/unpack.js'
import {
  Batches,
  type BatchFile,
  type BatchManifest,
  columnsOf,
  type FileIndex,
  type KnownFile,
} from './batches.js'
import { type RunContext, withSession } from './context.js'
import type { Intake, Offer } from './intake.js'
import { besideBatch, Originals } from './originals.js'
import { newBatch } from './rows-commit.js'
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
  const taken: (BatchFile & { columns: string[] })[] = []
  const originals = new Originals(storage, besideBatch(folder), context.signal)
  const notes: string[] = []
  const touched = { ...before?.touched }
  const wanted = wantedTypes(context.lake.datasets, dataset)
  await withSession(context, name, async (session) => {
    for (const file of files) {
      context.signal.throwIfAborted()
      await withUnpacked(file, source, context.signal, async (readable) => {
        const inspection = await inspectFile(readable, source, context.signal)
        if (known.get(file.name)?.sha256 === inspection.sha256) {
          notes.push(`${file.name} has the same content as before`)
          touched[file.name] = file.modified
          return
        }
        const data = `${folder}/${String(taken.length + 1).padStart(5, '0')}.parquet`
        await storage.prepare(data)
        const { signal } = context
        const large = inspection.bytes >= context.valuesFrom
        const target = { session, location: storage.locate(data), batch, wanted, large, signal }
        delete touched[file.name]
        const result = await takeFile(readable, source, inspection, target)
        const original = dataset.format === 'raw' ? await originals.keep(readable) : undefined
        if (result.rows === 0) notes.push(`${file.name} holds no rows`)
        const { size, modified } = file
        const { sha256 } = inspection
        const kept = { name: file.name, size, modified, sha256, data, ...result }
        taken.push({ ...kept, ...(original ? { original } : {}) })
      })
      context.progress(name, { rows: total(taken, 'rows') })
    }
  })
  const watermark: Watermark = {
    modified: Math.max(before?.modified ?? 0, ...taken.map((file) => file.modified)),
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
  await storage.seal(taken.map((file) => file.data))
  await originals.seal(false)
  const manifest: BatchManifest = {
    format: 1,
    dataset: name,
    batch,
    number,
    created: started.toISOString(),
    columns: columnsOf(taken as unknown as BatchManifest[]),
    files: taken.map(({ columns: _, ...file }) => file),
  }
  const path = `${folder}/manifest.json`
  await storage.write(path, new TextEncoder().encode(JSON.stringify(manifest, null, 1)))
  const pointer: BatchPointer = {
    dataset: name,
    number,
    batch,
    manifest: path,
    rows: total(taken, 'rows'),
    bytes: total(taken, 'bytes'),
    ...(taken.some((file) => known.has(file.name)) ? { replaces: true } : {}),
  }
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
  return { state, commits, rows, bytes, broken: total(taken, 'broken'), files: taken.length, notes }
}

function total(files: readonly BatchFile[], of: 'rows' | 'broken' | 'bytes'): number {
  return files.reduce((sum, file) => sum + file[of], 0)
}
