import { randomBytes } from 'node:crypto'
import { fullName } from '../define/dataset.js'
import type { Bronze } from '../define/model.js'
import { countOf } from '../define/thousands.js'
import type { BatchPointer, LakeState } from '../log/commit.js'
import { lastNumber } from '../plan/offsets.js'
import {
  Batches,
  type BatchFile,
  type BatchManifest,
  type KnownFile,
  writeManifest,
} from '../step/batches.js'
import type { RunContext } from '../step/context.js'
import { Naming, namesTogether } from '../step/naming.js'
import type { Intake } from './offer.js'
import { readingOfDataset } from './quarantine/blame.js'

/** A batch that is about to be. */
export interface NewBatch {
  number: number
  batch: string
  folder: string
}

export function newBatch(context: RunContext, state: LakeState, dataset: Bronze): NewBatch {
  const number = lastNumber(fullName(dataset), state) + 1
  const batch = `${String(number).padStart(6, '0')}-${randomBytes(4).toString('hex')}`
  const folder = `bronze/${dataset.name}/${context.started.toISOString().slice(0, 10)}/${batch}`
  return { number, batch, folder }
}

export function nothingYet(state: LakeState): Intake {
  return { state, commits: [], rows: 0, broken: 0, files: 0, bytes: 0, notes: [] }
}

/** What was done, and then more. */
export function addedTo(done: Intake, more: Intake): Intake {
  return {
    ...done,
    ...more,
    commits: [...done.commits, ...more.commits],
    rows: done.rows + more.rows,
    broken: done.broken + more.broken,
    files: done.files + more.files,
    bytes: done.bytes + more.bytes,
    notes: [...done.notes, ...more.notes],
    setAside: [...(done.setAside ?? []), ...(more.setAside ?? [])],
  }
}

/** Rows that were read, and how far that was. */
interface RowsRead {
  dataset: Bronze
  batch: NewBatch
  files: readonly BatchFile[]
  columns: readonly string[]
  /** Where they were read, and which, where that is worth to know. */
  source?: object
  watermark: unknown
  /** `fullExtract`: they are all rows that there are now. */
  more: { fullExtract?: boolean; replaces?: boolean }
  /** Where the batch is described a second time. */
  copy?: string
  /** When its rows arrived, where that was not now. */
  created?: string
  /** Objects that hold a place in it and could not be read. */
  quarantined?: readonly KnownFile[]
  /** What was in quarantine, by its id. */
  restored?: string
  /** Other watermarks of the same commit. */
  also?: Readonly<Record<string, unknown>>
  message?: string
}

/** Commits a batch with the watermark that describes it. */
export async function commitRows(
  context: RunContext,
  done: Intake,
  read: RowsRead,
): Promise<Intake> {
  const { dataset, files, watermark, also } = read
  const name = fullName(dataset)
  const total = (of: 'rows' | 'bytes' | 'broken') => files.reduce((sum, file) => sum + file[of], 0)
  const { manifest, described } = await describe(context, read)
  const pointer: BatchPointer = {
    dataset: name,
    number: manifest.number,
    batch: manifest.batch,
    ...described,
    rows: total('rows'),
    bytes: total('bytes'),
    ...read.more,
    ...(read.quarantined ? { quarantined: read.quarantined.length } : {}),
    ...namesTogether(manifest.files),
  }
  const before = done.state.batches[name] ?? []
  const all = pointer.collidingNames && (await new Batches(context.storage).manifests(before))
  const naming = all && Naming.of([...all, manifest])
  const state = await context.log.commit(
    done.state,
    {
      batches: [pointer],
      watermarks: { ...(watermark === undefined ? {} : { [name]: watermark }), ...also },
    },
    {
      author: context.author,
      run: context.run,
      message: read.message ?? `ingest ${countOf(pointer.rows, 'row')} of ${name}`,
    },
  )
  // Of files it has been said of each.
  const isSaid = done.notes.some((note) => note.endsWith(' has no rows'))
  return {
    ...done,
    state,
    commits: [...done.commits, state.number],
    rows: done.rows + pointer.rows,
    broken: done.broken + total('broken'),
    bytes: done.bytes + pointer.bytes,
    files: done.files + files.length,
    notes: [
      ...done.notes,
      ...(naming?.notes ?? []).filter((note) => !done.notes.includes(note)),
      ...(files.length > 0 || isSaid ? [] : ['there are no rows']),
    ],
  }
}

/** Writes the manifest of a batch, and its copy; what the log says of both. */
async function describe(
  { storage, started }: RunContext,
  { dataset, batch: { number, batch, folder }, files, columns, copy, ...read }: RowsRead,
) {
  const { source, quarantined, restored, created = started.toISOString() } = read
  const manifest: BatchManifest = {
    format: 2,
    dataset: fullName(dataset),
    batch,
    number,
    created,
    reading: readingOfDataset(dataset),
    columns: [...columns],
    files: [...files],
    ...(source ? { source } : {}),
    ...(quarantined ? { quarantined } : {}),
    ...(restored ? { restored } : {}),
  }
  const path = `${folder}/manifest.json`
  const { body, ...described } = await writeManifest(storage, path, manifest)
  if (copy) await storage.write(copy, body)
  const archived = copy ? { archived: { path: copy, sha256: described.sha256 } } : {}
  return { manifest, described: { ...described, ...archived } }
}

/** Commits how far a source was read where there were no rows. */
export async function noteWatermark(
  context: RunContext,
  done: Intake,
  dataset: Bronze,
  watermark: unknown,
): Promise<Intake> {
  const name = fullName(dataset)
  const state = await context.log.commit(
    done.state,
    { watermarks: { [name]: watermark } },
    { author: context.author, run: context.run, message: `record how far ${name} was read` },
  )
  const commits = [...done.commits, state.number]
  return { ...done, state, commits, notes: ['there are no rows'] }
}
