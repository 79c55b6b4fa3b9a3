import { fullName } from '../../define/dataset.js'
import type { Bronze } from '../../define/model.js'
import type { FilesSource } from '../../define/source.js'
import { MoraineError } from '../../errors.js'
import type { BatchPointer, LakeState } from '../../log/commit.js'
import type { QuarantinedObject } from '../../log/quarantined.js'
import { discoverFiles as filesOf, nothingThere } from '../../source/files/discover.js'
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
import { type RunContext, withSession } from '../../step/context.js'
import { Naming, namesTogether } from '../../step/naming.js'
import { addedTo, type NewBatch, newBatch, nothingYet } from '../batch-commit.js'
import type { Intake, Offer } from '../offer.js'
import { besideBatch, keepOriginal, originalOf } from '../originals.js'
import {
  isAtFault,
  mayBeItsBytes,
  ObjectFailure,
  readAround,
  readingOfDataset,
} from '../quarantine/blame.js'
import { groupsBySuspicion, ProcessEnded, suspectsOf, whileReading } from '../quarantine/reading.js'
import type { ReadAgain } from '../quarantine/retry.js'
import { setAside } from '../quarantine/set-aside.js'
import { FileColumns, type KnownColumns } from './columns.js'
import { Taking } from './ingest.js'
import { readingOf, textReadingOf } from './unreadable.js'

/** Where files that are known are listed. */
export interface FileIndexWatermark {
  index?: FileIndex
}

/** How far a file source has been read; visible in the same commit as its rows. */
interface Watermark extends FileIndexWatermark, Partial<KnownColumns> {
  /** The newest file time, in milliseconds since 1970. */
  modified: number
  /** Times of files that were touched since their batch, but hold the same content. */
  touched: Record<string, number>
  /** How the definition last read files, as a hash. Lakes of earlier versions have noted none. */
  reading?: string
}

/** Files that are tried to find out whether any can be read. */
const TRIED = 5
/** Files of a batch from which on its manifest is written without indentation. */
const MANY = 1000

/** Looks at a source without reading its files. */
export async function discoverFiles(
  dataset: Bronze,
  source: FilesSource,
  state: LakeState,
  batches: Batches,
  reread = false,
): Promise<Offer> {
  const name = fullName(dataset)
  const passed: string[] = []
  const offered = await filesOf(source, passed)
  const watermark = state.watermarks[name] as (Watermark & { follow?: string }) | undefined
  if (watermark?.follow !== undefined)
    throw new MoraineError('source', `${name} was followed before`, {
      hint: 'Its rows would be ingested twice. Rename the dataset, or follow it again.',
    })
  const known = await batches.knownFiles(state.batches[name] ?? [], watermark?.index)
  const touched = watermark?.touched ?? {}
  const reading = readingOf(source)
  const missing = await nothingThere(source, offered, known.size, passed)
  const added = offered.filter((file) => !known.has(file.name))
  const changed = offered.filter((file) => {
    const before = known.get(file.name)
    const modified = touched[file.name] ?? before?.modified
    const again = reread || (before?.unread !== undefined && before.unread !== reading)
    return before && (again || before.size !== file.size || modified !== file.modified)
  })
  const files = [...added, ...changed]
  const discovery = {
    added: added.length,
    changed: changed.length,
    bytes: files.reduce((sum, file) => sum + file.size, 0),
    known: offered.length === 0 ? known.size : offered.length - files.length,
    notes: [
      ...passed,
      ...missing,
      ...readOtherwise(name, source, watermark, known.size - changed.length),
    ],
  }
  const take = (context: RunContext, base: LakeState) =>
    takeAround(context, dataset, source, base, files)
  return { discovery, take }
}

/** Takes files in, together; those that can't be read, whatever they hold, are set aside. */
async function takeAround(
  context: RunContext,
  dataset: Bronze,
  source: FilesSource,
  base: LakeState,
  files: readonly SourceFile[],
): Promise<Intake> {
  const nameOf = ({ name, size }: SourceFile) => `${name} (${size})`
  const taken = (done: Intake, some: readonly SourceFile[]) =>
    whileReading(context, dataset, some.map(nameOf), () =>
      takeIn(context, dataset, source, done.state, some),
    ).then((more) => addedTo(done, more))
  const aside = (done: Intake, file: SourceFile, error: unknown) =>
    setFileAside(context, dataset, source, done, file, error, files)
  // By their names, as their rows are: what is set aside parts those before it from those behind it.
  const byName = () => [...files].sort((a, b) => (a.name < b.name ? -1 : 1))
  const suspects = await suspectsOf(context.storage, dataset)
  const isSuspect = files.some((file) => suspects.together.has(nameOf(file)))
  if (!isSuspect) {
    const done = await taken(nothingYet(base), files).catch((error) => {
      context.signal.throwIfAborted()
      if (!(error instanceof ObjectFailure) && !mayBeItsBytes(error)) throw error
      return readAround(nothingYet(base), byName(), taken, aside)
    })
    await suspects.forget()
    return done
  }
  let done = nothingYet(base)
  for (const { objects, isAlone } of groupsBySuspicion(byName(), suspects, nameOf))
    done =
      isAlone && objects[0]
        ? await aside(done, objects[0], new ProcessEnded(objects[0].name))
        : await readAround(done, objects, taken, aside)
  await suspects.forget()
  return done
}

async function setFileAside(
  context: RunContext,
  dataset: Bronze,
  source: FilesSource,
  done: Intake,
  file: SourceFile,
  error: unknown,
  all: readonly SourceFile[],
): Promise<Intake> {
  const { storage, run } = context
  const others = async () => {
    for (const other of all.filter((one) => one !== file).slice(0, TRIED)) {
      const folder = `bronze/${dataset.name}/probe/${run}`
      const found = await readAlone(context, dataset, source, other, { batch: '', folder }).catch(
        () => undefined,
      )
      for (const { data } of found?.taken ?? []) await storage.remove(data)
      if (found && found.taken.length > 0) return true
    }
    return false
  }
  if (!(await isAtFault(context, dataset, done.state, error, others))) throw error
  const { name, size, modified } = file
  return setAside(context, done, dataset, {
    name,
    kind: 'file',
    size,
    modified,
    keep: ({ folder }) => keepOriginal(context, besideBatch(folder), file, false),
    error,
    watermark: done.state.watermarks[fullName(dataset)],
  })
}

/** Reads one file as a batch of its own, without what is known of others. */
async function readAlone(
  context: RunContext,
  dataset: Bronze,
  source: FilesSource,
  file: SourceFile,
  batch: Pick<NewBatch, 'batch' | 'folder'>,
  columns: KnownColumns = { columns: [], latest: [] },
): Promise<Taking> {
  return withSession(context, fullName(dataset), async (session) => {
    const compare = new FileColumns(dataset, source.drift ?? 'evolve', columns)
    const taking = new Taking(context, dataset, source, session, batch, new Map(), compare)
    await taking.all([file])
    return taking
  })
}

/** Reads a file that was in quarantine. */
export async function readFileAgain(
  context: RunContext,
  dataset: Bronze,
  source: FilesSource,
  object: QuarantinedObject,
  batch: NewBatch,
  { state }: Intake,
): Promise<ReadAgain> {
  const name = fullName(dataset)
  const before = state.watermarks[name] as Watermark | undefined
  const batches = new Batches(context.storage)
  const pointers = state.batches[name] ?? []
  const versions = (await batches.manifests(pointers)).flatMap((manifest) =>
    manifest.files.some((file) => file.name === object.name) ? [manifest.batch] : [],
  )
  if (versions.some((version) => version > object.batch))
    return { files: [], columns: [], notes: [], outdated: true }
  const { size, modified } = object
  const file = { ...(await originalOf(context.storage, object)), name: object.name }
  const known = await columnsBefore(batches, pointers, before)
  const { taken, notes, seen } = await readAlone(context, dataset, source, file, batch, known)
  return {
    files: describedFiles(taken).map((one) => ({ ...one, size, modified })),
    columns: columnsOf(taken as unknown as BatchManifest[]),
    notes,
    ...(versions.length > 0 ? { replaces: true } : {}),
    ...(before ? { watermark: { ...before, columns: seen.columns } } : {}),
  }
}

/** What is to be said where the definition reads files otherwise than those that the lake has. */
function readOtherwise(
  name: string,
  source: FilesSource,
  watermark: Watermark | undefined,
  files: number,
): string[] {
  if (files === 0 || watermark?.reading === undefined) return []
  if (watermark.reading === textReadingOf(source)) return []
  const stay = files === 1 ? '1 file keeps' : `${files} files keep`
  return [
    `its definition reads files differently now, but ${stay} the rows read before; to read all of them again: moraine run ${name}+ --reread ${name}`,
  ]
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
  const columns = await columnsBefore(batches, pointers, before)
  const { taken, notes, touched, seen } = await withSession(context, name, async (session) => {
    const compare = new FileColumns(dataset, source.drift ?? 'evolve', columns)
    const taking = new Taking(context, dataset, source, session, { batch, folder }, known, compare)
    Object.assign(taking.touched, before?.touched)
    await taking.all(files)
    return taking
  })
  const watermark: Watermark = {
    modified: taken.reduce((last, file) => Math.max(last, file.modified), before?.modified ?? 0),
    touched,
    ...(taken.length > 0 || !before ? { reading: textReadingOf(source) } : {}),
    ...(taken.length === 0 && before?.reading ? { reading: before.reading } : {}),
    ...seen,
    ...(before?.index ? { index: before.index } : {}),
  }
  const info = { author: context.author, run: context.run }
  if (taken.length === 0) {
    const changes = { watermarks: { [name]: watermark } }
    const message = `record that files of ${name} were only touched`
    const state = await log.commit(base, changes, { ...info, message })
    return { state, commits: [state.number], rows: 0, broken: 0, files: 0, bytes: 0, notes }
  }
  const manifest: BatchManifest = {
    format: 2,
    dataset: name,
    batch,
    number,
    created: started.toISOString(),
    reading: readingOfDataset(dataset),
    columns: columnsOf(taken as unknown as BatchManifest[]),
    files: describedFiles(taken),
  }
  const path = `${folder}/manifest.json`
  const indent = taken.length > MANY ? 0 : 1
  const { body: _, ...described } = await writeManifest(storage, path, manifest, indent)
  const pointer: BatchPointer = {
    dataset: name,
    number,
    batch,
    ...described,
    rows: total(taken, 'rows'),
    bytes: total(taken, 'bytes'),
    ...(taken.some((file) => known.has(file.name)) ? { replaces: true } : {}),
    ...namesTogether(manifest.files),
  }
  const naming =
    pointer.collidingNames && Naming.of([...(await batches.manifests(pointers)), manifest])
  const all = new Map<string, KnownFile>([...known, ...taken.map((f) => [f.name, f] as const)])
  const list = `bronze/${dataset.name}/index/${batch}.json`
  const index = await batches.index(all, number, list, before?.index)
  const message = `ingest ${taken.length} file${taken.length === 1 ? '' : 's'} of ${name}`
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
