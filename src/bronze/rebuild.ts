import { randomBytes } from 'node:crypto'
import { fullName } from '../define/dataset.js'
import type { Bronze } from '../define/model.js'
import type { FilesSource, InboxSource } from '../define/source.js'
import type { Session } from '../engine/engine.js'
import { MoraineError } from '../errors.js'
import type { BatchPointer, LakeState } from '../log/commit.js'
import { ingestFile } from '../source/files/ingest-file.js'
import { inspectFile } from '../source/files/inspect-file.js'
import { settleKind } from '../source/files/kind.js'
import type { SourceFile } from '../source/files/source-file.js'
import { entriesOf } from '../source/unpack/archive.js'
import { withUnpacked } from '../source/unpack/unpack.js'
import {
  type BatchFile,
  type BatchManifest,
  manifestInPlainWords,
  sealFiles,
  writeManifest,
} from '../step/batches.js'
import { type RunContext, withSession } from '../step/context.js'
import { requestedTypes } from '../step/requested-types.js'
import { readJson } from '../storage/checked.js'
import type { Storage } from '../storage/storage.js'
import { emptied, nothingKnown } from './discard-batch.js'
import { type EverCommitted, everCommitted, refuseGaps } from './ever-committed.js'
import { faultOf, isFault, writeUnreadable } from './files/unreadable.js'
import { readerOf } from './inbox/inspected.js'
import { originalOf } from './originals.js'

/** What was made anew. */
export interface Rebuilt {
  batches: number
  files: number
  rows: number
}

type Context = Pick<
  RunContext,
  | 'lake'
  | 'storage'
  | 'log'
  | 'engine'
  | 'run'
  | 'author'
  | 'signal'
  | 'started'
  | 'valuesFrom'
  | 'progress'
>

/** An inbox whose batches were made anew: nobody sees them before they are committed. */
export interface Prepared extends Rebuilt {
  dataset: Bronze
  pointers: readonly BatchPointer[]
}

/** Whether all that ever came to a dataset was archived. */
export function isArchived(dataset: Bronze): boolean {
  return dataset.from.kind === 'inbox' && dataset.archive
}

/**
 * Makes the batches of an inbox anew from what was archived of them, whatever has become of bronze:
 * each with the number, the name and the time that it had, so that what is built from them has the
 * same rows.
 *
 * @throws MoraineError of kind `corrupt` when something of the archive is missing or was changed.
 */
export async function prepareRebuild(context: Context, dataset: Bronze): Promise<Prepared> {
  const name = fullName(dataset)
  const { from } = dataset
  if (from.kind !== 'inbox' || !isArchived(dataset))
    throw new MoraineError('usage', `${name} is not archived`, {
      hint: 'Only an inbox with archive: true keeps its original files.',
    })
  const ever = await everCommitted(context.log, name)
  const state = await context.log.head()
  const now = state.batches[name] ?? []
  refuseGaps(state, name, ever)
  const pointers: BatchPointer[] = []
  let files = 0
  await withSession(context as RunContext, name, async (session) => {
    for (const known of ever) {
      const before = known.pointer
      const isThere = now.some(({ manifest }) => manifest === before.manifest)
      // What was discarded stays so.
      if (before.discarded !== undefined) {
        pointers.push(isThere ? before : await discardedAgain(context, dataset, known))
        continue
      }
      // Of what was forgotten, bronze alone has the other rows.
      if (before.forgotten !== undefined) {
        if (!isThere) throw forgotten(before)
        pointers.push(before)
        continue
      }
      const { pointer, count } = await rebuildBatch(context, session, dataset, from, known)
      pointers.push(pointer)
      files += count
      context.progress(name, { rows: pointers.reduce((sum, { rows }) => sum + rows, 0) })
    }
  })
  const rows = pointers.reduce((sum, pointer) => sum + pointer.rows, 0)
  return { dataset, pointers, batches: pointers.length, files, rows }
}

/** A state of the lake as it will be once what was prepared is part of it. */
export function withRebuilt(state: LakeState, prepared: readonly Prepared[]): LakeState {
  const names = prepared.map(({ dataset }) => fullName(dataset))
  const own = Object.fromEntries(
    prepared.map(({ pointers }, i): [string, BatchPointer[]] => [
      names[i] as string,
      [...pointers],
    ]),
  )
  const expired = Object.fromEntries(
    Object.entries(state.expired ?? {}).filter(([name]) => !names.includes(name)),
  )
  return { ...state, batches: { ...state.batches, ...own }, expired }
}

/** Makes what was prepared part of the lake, all of it in one commit. */
export async function commitRebuilt(
  { log, author, run }: Context,
  base: LakeState,
  prepared: readonly Prepared[],
): Promise<void> {
  const names = prepared.map(({ dataset }) => fullName(dataset))
  const count = prepared.reduce((sum, { batches }) => sum + batches, 0)
  const expired = names.filter((name) => base.expired?.[name])
  const zero = (of: readonly string[]) => Object.fromEntries(of.map((name) => [name, 0]))
  await log.commit(
    base,
    {
      cut: zero(names),
      batches: prepared.flatMap(({ pointers }) => pointers),
      ...(expired.length > 0 ? { expire: zero(expired) } : {}),
    },
    { author, run, message: `rebuild ${count} batches of ${names.join(', ')} from the archive` },
    // Batches that were discarded and are there are taken over.
    { since: new Date(0) },
  )
}

function forgotten({ dataset, number, batch }: BatchPointer): MoraineError {
  return new MoraineError(
    'usage',
    `Batch ${number} of ${dataset} (${batch}) has expired, and its archived files were removed by moraine forget`,
    { hint: 'The lake is unchanged. What is left of its other rows are the tables made of it.' },
  )
}

/** A batch that was discarded and let go: a vacuum may have removed what said so. */
async function discardedAgain(
  { storage, author, started }: Context,
  dataset: Bronze,
  known: EverCommitted,
): Promise<BatchPointer> {
  const before = known.pointer
  // What was archived of it may be gone, as nobody could look into that.
  const isClosed = before.forgotten !== undefined
  const archived = isClosed ? nothingKnown(before, started) : await archivedManifest(storage, known)
  const left = emptied(archived, { now: started, author, rows: before.discarded ?? 0 })
  const path = `${folderOf(dataset, before, started)}/manifest.json`
  const { body: _, ...described } = await writeManifest(storage, path, left)
  return { ...before, ...described }
}

/** A new folder for a batch that is made anew. */
function folderOf(dataset: Bronze, { batch }: BatchPointer, started: Date): string {
  const day = started.toISOString().slice(0, 10)
  return `bronze/${dataset.name}/${day}/${batch}-${randomBytes(3).toString('hex')}`
}

async function rebuildBatch(
  context: Context,
  session: Session,
  dataset: Bronze,
  source: InboxSource,
  known: EverCommitted,
): Promise<{ pointer: BatchPointer; count: number }> {
  const { storage } = context
  const manifest = await archivedManifest(storage, known)
  return remakeBatch(context, session, dataset, known.pointer, manifest, {
    find: (file) => originalOf(storage, file),
    readerOf: (name) => readerOf(source, name),
  })
}

/** What the archive says of a batch. */
async function archivedManifest(
  storage: Storage,
  { pointer: before, archived: path }: EverCommitted,
): Promise<BatchManifest> {
  if (!(await storage.stat(path)))
    throw new MoraineError(
      'corrupt',
      `Batch ${before.number} of ${before.dataset} (${before.batch}) is missing from the archive`,
      { hint: 'The lake is unchanged. Restore the batch from a copy of the archive.' },
    )
  return manifestInPlainWords(await readJson<BatchManifest>(storage, path, before.archived?.sha256))
}

/** Where the files of a batch are read again, and how. */
interface ReadAgain {
  find: (file: BatchFile) => Promise<SourceFile>
  readerOf: (name: string) => FilesSource
  /** They must give what they gave: the same content, and as many rows. */
  exact?: boolean
}

/**
 * Makes a batch anew from what its files were made from, with its number, its name and its time.
 */
export async function remakeBatch(
  context: Context,
  session: Session,
  dataset: Bronze,
  before: BatchPointer,
  manifest: BatchManifest,
  again: ReadAgain,
): Promise<{ pointer: BatchPointer; count: number }> {
  const { storage, started } = context
  const folder = folderOf(dataset, before, started)
  const files: BatchFile[] = []
  for (const [i, file] of manifest.files.entries()) {
    context.signal.throwIfAborted()
    const data = `${folder}/${String(i + 1).padStart(5, '0')}.parquet`
    await storage.prepare(data)
    files.push(await rebuildFile(context, session, dataset, again, manifest, file, data))
  }
  const sealed = await sealFiles(storage, files)
  const made = { ...manifest, files: sealed }
  const { body: _, ...described } = await writeManifest(storage, `${folder}/manifest.json`, made)
  const total = (of: 'rows' | 'bytes') => files.reduce((sum, file) => sum + file[of], 0)
  const pointer = { ...before, ...described, rows: total('rows'), bytes: total('bytes') }
  return { pointer, count: files.length }
}

async function rebuildFile(
  context: Context,
  session: Session,
  dataset: Bronze,
  { find, readerOf, exact = false }: ReadAgain,
  { batch, columns }: BatchManifest,
  file: BatchFile,
  data: string,
): Promise<BatchFile> {
  const { storage, signal } = context
  const { name, size, modified, original } = file
  const location = storage.locate(data)
  const found = await find(file)
  const reader = readerOf(found.name)
  const kept = {
    name,
    size,
    modified,
    sha256: file.sha256,
    ...(file.unread ? { unread: file.unread } : {}),
    data,
    ...(original ? { original } : {}),
  }
  if (file.message !== undefined) {
    const row = { name, batch, reason: file.message, kept: original?.path ?? '', columns }
    const given = await writeUnreadable(session, row, location)
    return { ...kept, ...given, broken: 1, message: file.message }
  }
  try {
    // One that could not be taken apart says so again.
    if (/\.zip$/i.test(found.path) && !found.archive) await entriesOf(found)
    return await withUnpacked(found, reader, signal, async (readable) => {
      const { valuesFrom } = context
      const requested = requestedTypes(context.lake.datasets, dataset)
      const source = settleKind(readable, reader)
      const inspection = await inspectFile(readable, source, { signal, requested, valuesFrom })
      if (exact && inspection.sha256 !== file.sha256) throw otherNow(name)
      const large = inspection.bytes >= valuesFrom
      const target = { session, location, batch, requested, large, signal }
      const reading = { file: { ...readable, name }, source, inspection, target }
      const { columns: _, ...ingested } = await ingestFile(reading)
      if (exact && ingested.rows !== file.rows) throw otherNow(name)
      return { ...kept, ...ingested }
    })
  } catch (error) {
    if (!isFault(error) || (exact && !file.unread)) throw error
    const row = { name, batch, reason: faultOf(found, error), kept: original?.path ?? '', columns }
    return { ...kept, ...(await writeUnreadable(session, row, location)), broken: 1 }
  }
}

function otherNow(name: string): MoraineError {
  return new MoraineError('source', `${name} differs from what was ingested`, {
    hint: 'Its rows would differ. Restore the original file.',
  })
}
