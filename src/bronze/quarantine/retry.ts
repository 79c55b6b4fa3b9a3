import { randomBytes } from 'node:crypto'
import { fullName } from '../../define/dataset.js'
import type { Bronze } from '../../define/model.js'
import { MoraineError } from '../../errors.js'
import type { LakeState } from '../../log/commit.js'
import { type QuarantinedObject, quarantinedOf, quarantineOf } from '../../log/quarantined.js'
import { lastNumber } from '../../plan/offsets.js'
import { type BatchFile, sealFiles } from '../../step/batches.js'
import type { RunContext } from '../../step/context.js'
import { commitRows, type NewBatch, nothingYet } from '../batch-commit.js'
import type { Intake } from '../offer.js'
import { archivedBatch } from '../originals.js'
import { isAtFault } from './blame.js'
import { ProcessEnded, suspectsOf, whileReading } from './reading.js'
import { reasonOf } from './set-aside.js'

/** What was read of an object. */
export interface ReadAgain {
  files: readonly BatchFile[]
  columns: readonly string[]
  notes: readonly string[]
  /** How far the dataset was read, where that changes with it. */
  watermark?: unknown
  /** It takes the place of an earlier version of the same file. */
  replaces?: boolean
  /** It is not needed any more: a newer version of the same file was read meanwhile. */
  outdated?: boolean
}

/** Reads an object that was in quarantine, as part of a batch. */
export type ReadObject = (
  context: RunContext,
  object: QuarantinedObject,
  batch: NewBatch,
  done: Intake,
) => Promise<ReadAgain>

/** A dataset whose objects are tried again, and how one of them is read. */
interface Retry {
  context: RunContext
  dataset: Bronze
  read: ReadObject
}

/**
 * Tries objects again that are in quarantine. One that can be read becomes a batch whose
 * name, and so whose rows, sort where it arrived.
 */
export async function retryQuarantined(
  retry: Retry,
  base: LakeState,
  objects: readonly QuarantinedObject[],
): Promise<Intake> {
  const { context, dataset } = retry
  let done = nothingYet(base)
  const suspects = await suspectsOf(context, dataset)
  for (const object of objects) {
    context.signal.throwIfAborted()
    const isSuspect = suspects.together.has(noteOf(object))
    const ended = await triedApart(context, dataset, object, isSuspect)
    done = ended ? await failedAgain(retry, done, object, ended) : await tryOne(retry, done, object)
  }
  await suspects.clear()
  return done
}

const noteOf = ({ id }: QuarantinedObject) => `quarantine ${id}`

/**
 * How an object that processes ended at fares in a process of its own: `undefined` where nothing
 * happens to that. Where none can be started, one that the last process ended at is at fault.
 */
async function triedApart(
  { tryApart, signal, branch }: RunContext,
  dataset: Bronze,
  object: QuarantinedObject,
  isSuspect: boolean,
): Promise<Error | undefined> {
  if (!tryApart) return isSuspect ? new ProcessEnded(object.name) : undefined
  if (!object.crashes && !isSuspect) return undefined
  const ended = await tryApart({ dataset: fullName(dataset), id: object.id, branch }, signal)
  signal.throwIfAborted()
  return ended === undefined ? undefined : new ProcessEnded(object.name, ended)
}

async function tryOne(retry: Retry, done: Intake, object: QuarantinedObject): Promise<Intake> {
  const { context, dataset, read } = retry
  const name = fullName(dataset)
  const day = context.started.toISOString().slice(0, 10)
  // It sorts where the object arrived, and is used once: a run may have been killed before it
  // committed.
  const own = `${object.batch}-${randomBytes(3).toString('hex')}`
  const batch: NewBatch = {
    number: lastNumber(name, done.state) + 1,
    batch: own,
    folder: `bronze/${dataset.name}/${day}/${own}`,
  }
  let found: ReadAgain
  try {
    found = await whileReading(context, dataset, [noteOf(object)], () =>
      read(context, object, batch, done),
    )
    found.files = await sealFiles(context.storage, found.files)
  } catch (error) {
    context.signal.throwIfAborted()
    if (error instanceof MoraineError && error.kind === 'conflict') throw error
    // It stays as it is, and what is behind it goes on.
    if (!(await isAtFault(retry, done.state, error, async () => false)))
      return { ...done, notes: [...done.notes, notTried(object, error)] }
    return failedAgain(retry, done, object, error)
  }
  const others = quarantinedOf(done.state, name).filter(({ id }) => id !== object.id)
  const also = quarantineOf(name, others)
  if (found.outdated) {
    const message = `remove ${object.name} of ${name} from quarantine: a newer version was read`
    return { ...(await note(context, done, also, message)), notes: [...done.notes, message] }
  }
  const { files, columns, notes, watermark, replaces = false } = found
  const result = await commitRows(context, done, {
    dataset,
    batch,
    files,
    columns,
    watermark,
    more: replaces ? { replaces } : {},
    created: object.arrived,
    restored: object.id,
    also,
    message: `ingest ${object.name} of ${name} from quarantine`,
    ...(dataset.archive ? { copy: archivedBatch(dataset.name, batch.batch) } : {}),
  })
  const restored = `${object.name} is out of quarantine; its rows are placed where it arrived`
  return { ...result, notes: [...done.notes, ...notes, restored] }
}

async function failedAgain(
  { context, dataset }: Retry,
  done: Intake,
  object: QuarantinedObject,
  error: unknown,
): Promise<Intake> {
  const name = fullName(dataset)
  const failures = object.failures + 1
  const after: QuarantinedObject = {
    ...object,
    failures,
    last: context.started.toISOString(),
    reason: reasonOf(error),
    held: failures >= context.quarantineAfter,
    ...(error instanceof ProcessEnded ? { crashes: true as const } : {}),
  }
  const all = quarantinedOf(done.state, name).map((one) => (one.id === object.id ? after : one))
  const message = `record that ${object.name} of ${name} could not be read again`
  const result = await note(context, done, quarantineOf(name, all), message)
  return { ...result, setAside: [...(done.setAside ?? []), after] }
}

async function note(
  context: RunContext,
  done: Intake,
  watermarks: Record<string, unknown>,
  message: string,
): Promise<Intake> {
  const info = { author: context.author, run: context.run, message }
  const state = await context.log.commit(done.state, { watermarks }, info)
  return { ...done, state, commits: [...done.commits, state.number] }
}

const notTried = ({ name }: QuarantinedObject, error: unknown) =>
  `${name} could not be retried: ${reasonOf(error)}`
