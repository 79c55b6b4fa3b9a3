import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fullName } from '../../define/dataset.js'
import type { Bronze } from '../../define/model.js'
import { isEngineLost, SqlError } from '../../engine/sql-error.js'
import { MoraineError, messageOf } from '../../errors.js'
import type { LakeState } from '../../log/commit.js'
import { Batches } from '../../step/batches.js'
import { hash, type RunContext, withSession } from '../../step/context.js'
import { scratchFolder } from '../../storage/scratch.js'
import type { Ingestion } from '../ingestion.js'
import { ProcessEnded } from './reading.js'

/** Kinds of errors that what is read can cause. */
const KINDS: readonly string[] = ['engine', 'source']
/**
 * What the engine says of the machine, rather than of what it reads: values and names may hold the
 * same words.
 */
const ENGINE = /^(?:IO|Permission|HTTP|Connection|Interrupt|FATAL) Error/i
const SYSTEM =
  /no space left on|disk (?:is )?full|quota exceeded|permission denied|operation not permitted|no such file or directory|input\/output error|too many open files|read-only file system|stale file handle|connection (?:refused|reset|closed)|timed out|previous fatal error|interrupted/i
const MEMORY = /out of memory/i

/**
 * Whether a failure may be due to the bytes that were read, rather than to the machine, the
 * storage, or to somebody who stopped it. An object that needs more memory than there is, read by
 * itself, is one that can't be read.
 */
export function mayBeItsBytes(error: unknown): boolean {
  if (!(error instanceof Error) || error.name === 'AbortError') return false
  const { code } = error as { code?: unknown }
  if (typeof code === 'string' && /^E[A-Z0-9]+$/.test(code)) return false
  const text = error.message
  // What the engine says it was caused by is the same once more.
  if (error instanceof SqlError) return !(SYSTEM.test(text) && ENGINE.test(text))
  if (SYSTEM.test(text)) return false
  if (error instanceof MoraineError) {
    if (!KINDS.includes(error.kind)) return false
    if (error.retryable && !MEMORY.test(error.message)) return false
  }
  return error.cause instanceof Error ? mayBeItsBytes(error.cause) : true
}

/** Parts of a source that say where it is, and not how it is read. */
const PLACES = ['base', 'path', 'paths', 'url', 'feed', 'token', 'queue', 'connection', 'headers']

/**
 * What a dataset is read as, as a hash: where that changes, what was read before proves nothing.
 */
export function readingOfDataset({ from, format }: Bronze): string {
  const plain = (key: string, value: unknown) =>
    PLACES.includes(key) || typeof value === 'function'
      ? undefined
      : value instanceof RegExp
        ? String(value)
        : value
  return hash(JSON.stringify({ from, format }, plain))
}

/**
 * Whether an object can be at fault for a failure: something else was read by the same definition,
 * and the engine and the storage do what they should. Where nothing can be read, the definition is
 * wrong, or the machine.
 *
 * @param others whether others that came with it can be read; asked where nothing was read before.
 */
export async function isAtFault(
  { context, dataset }: Pick<Ingestion, 'context' | 'dataset'>,
  state: LakeState,
  error: unknown,
  others: () => Promise<boolean>,
): Promise<boolean> {
  context.signal.throwIfAborted()
  // Nothing is said of why: it is tried again, apart from all else.
  if (error instanceof ProcessEnded) return true
  if (!mayBeItsBytes(error)) return false
  if (!(await worksOtherwise(context, dataset, isEngineLost(error)))) return false
  return (await wasRead(context, dataset, state)) || (await others())
}

/** Whether the newest batch that has rows was read by the definition of now. */
async function wasRead(context: RunContext, dataset: Bronze, state: LakeState): Promise<boolean> {
  const pointers = state.batches[fullName(dataset)] ?? []
  const last = pointers.findLast(({ rows }) => rows > 0)
  if (!last) return false
  const { reading } = await new Batches(context.storage).manifest(last)
  return reading === undefined || reading === readingOfDataset(dataset)
}

/** Whether rows that nobody could object to can be written where those of the dataset are. */
async function worksOtherwise(
  context: RunContext,
  dataset: Bronze,
  engineIsGone: boolean,
): Promise<boolean> {
  const { storage, run } = context
  const path = `bronze/${dataset.name}/probe/${run}-${Math.random().toString(36).slice(2)}.parquet`
  try {
    const folder = await scratchFolder('probe')
    await writeFile(join(folder, 'probe'), Buffer.alloc(64 * 1024)).finally(() =>
      rm(folder, { recursive: true, force: true }),
    )
    if (engineIsGone) await storage.write(path, new TextEncoder().encode('probe'))
    else {
      await storage.prepare(path)
      await withSession(context, fullName(dataset), (session) =>
        session.files.writeFile('SELECT 1 AS a', storage.locate(path)),
      )
      await storage.seal([path])
    }
    return (await storage.stat(path)) !== undefined
  } catch {
    return false
  } finally {
    await storage.remove(path).catch(() => {})
  }
}

/** One of several objects could not be read, and may be at fault. */
export class ObjectFailure<T> extends Error {
  constructor(
    readonly object: T,
    override readonly cause: unknown,
  ) {
    super(messageOf(cause))
  }
}

/**
 * Reads objects in order, each group of neighbours together: where one can't be read, those before
 * it, those behind it, and that one by itself. Where only all of them together can't be read, they
 * are read in halves.
 *
 * @param together reads some and commits them; says by an {@link ObjectFailure} which one fails,
 *   where it can.
 * @param alone what becomes of one that can't be read by itself.
 */
export async function readAround<T, D>(
  before: D,
  objects: readonly T[],
  together: (done: D, objects: readonly T[]) => Promise<D>,
  alone: (done: D, object: T, error: unknown) => Promise<D>,
): Promise<D> {
  if (objects.length === 0) return before
  const go = (done: D, some: readonly T[]) => readAround(done, some, together, alone)
  try {
    return await together(before, objects)
  } catch (error) {
    const at = error instanceof ObjectFailure ? objects.indexOf(error.object as T) : -1
    if (at >= 0) {
      const { cause } = error as ObjectFailure<T>
      const done = await alone(await go(before, objects.slice(0, at)), objects[at] as T, cause)
      return go(done, objects.slice(at + 1))
    }
    if (!mayBeItsBytes(error)) throw error
    if (objects.length === 1) return alone(before, objects[0] as T, error)
    const middle = Math.ceil(objects.length / 2)
    return go(await go(before, objects.slice(0, middle)), objects.slice(middle))
  }
}
