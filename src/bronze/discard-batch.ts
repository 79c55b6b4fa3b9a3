import { randomBytes } from 'node:crypto'
import { MoraineError } from '../errors.js'
import type { BatchPointer, Changes, LakeState, TableState } from '../log/commit.js'
import { whileWriting } from '../log/live.js'
import type { CommitLog } from '../log/log.js'
import { Batches, type BatchManifest, writeManifest } from '../step/batches.js'
import type { Storage } from '../storage/storage.js'
import type { Remembered } from './database/discarded.js'
import { followedAt } from './followed.js'

/** What discarding a batch did. */
export interface Discarded {
  commit: number
  batch: string
  rows: number
  /** Tables that held rows of it: the next run builds them anew. */
  tables: string[]
  /** Nothing says what it was made from: that comes again, as far as it is still there. */
  unknown?: true
  /** Rows of it come again with the next run. */
  again?: true
}

/** Where a batch is discarded, and by whom. */
interface Discarding {
  storage: Storage
  log: CommitLog
  author: string
  now?: Date
  /** Has its source know what it would find again. */
  remember?: ((state: LakeState, pointer: BatchPointer) => Promise<Remembered>) | undefined
}

/**
 * Takes the rows of a batch out of the lake, by a commit. What it was made from stays known: files
 * are not read again unless they change, rows of a database not unless they are asked for. Tables
 * that were made from it are built anew by the next run.
 *
 * @param name the bronze dataset, `bronze.orders`.
 * @param which the batch's name, its start, or its number.
 * @throws MoraineError of kind `usage` when there is no such batch, or it was discarded already.
 */
export function discardBatch(where: Discarding, name: string, which: string): Promise<Discarded> {
  const { storage, log, author } = where
  const by = { command: 'discard-batch', author }
  return whileWriting(storage, log, by, () => discard(where, name, which))
}

async function discard(
  { storage, log, author, remember, now = new Date() }: Discarding,
  name: string,
  which: string,
): Promise<Discarded> {
  const state = await log.head()
  const pointers = state.batches[name] ?? []
  const pointer = batchOf(name, pointers, which)
  const found = await manifestOf(storage, pointer)
  const path = pointer.manifest.replace(
    /[^/]*$/,
    `discarded-${randomBytes(4).toString('hex')}.json`,
  )
  const left = emptied(found ?? nothingKnown(pointer, now), { now, author, rows: pointer.rows })
  const { body: _, ...described } = await writeManifest(storage, path, left)
  // It is no full extract any more, so the one before counts again, and its names are none of the
  // dataset's.
  const { fullExtract: _full, collidingNames: _names, ...rest } = pointer
  const empty = { ...rest, ...described, rows: 0, bytes: 0, discarded: pointer.rows }
  const tables = readersOf(state, name, pointer)
  const followed = followedAt(state, name, { from: pointer.manifest, to: path })
  const rows = pointer.rows === 1 ? '1 row' : `${pointer.rows} rows`
  const { watermark, incomplete } = (await remember?.(state, pointer)) ?? {}
  const { number } = await log.commit(
    state,
    {
      cut: { [name]: pointer.number - 1 },
      batches: [empty, ...pointers.filter((other) => other.number > pointer.number)],
      ...(Object.keys(tables).length > 0 ? { tables } : {}),
      ...(found ? followed : withoutIndex(state, name)),
      ...(watermark ? { watermarks: { [name]: watermark } } : {}),
    },
    { author, run: null, message: `discard batch ${pointer.batch} of ${name}: ${rows}` },
  )
  return {
    commit: number,
    batch: pointer.batch,
    rows: pointer.rows,
    tables: Object.keys(tables),
    ...(found ? {} : { unknown: true }),
    ...(incomplete ? { again: true } : {}),
  }
}

/**
 * What a batch was made from; `undefined` where that is damaged or gone: nobody needs it to let the
 * batch go.
 */
async function manifestOf(
  storage: Storage,
  pointer: BatchPointer,
): Promise<BatchManifest | undefined> {
  try {
    return await new Batches(storage).manifest(pointer)
  } catch (error) {
    const { kind, retryable } = error instanceof MoraineError ? error : {}
    if (retryable || (kind !== 'corrupt' && kind !== 'storage')) throw error
    if (kind === 'storage' && (await storage.stat(pointer.manifest))) throw error
    return undefined
  }
}

/**
 * An index may list what nobody can read any more. What is listed of batches that were let go, only
 * it knows.
 */
function withoutIndex({ watermarks, expired }: LakeState, name: string): Changes {
  const { index, ...watermark } = (watermarks[name] ?? {}) as { index?: unknown }
  return index && !expired?.[name] ? { watermarks: { [name]: watermark } } : {}
}

/** The description of a batch of which nothing else is known any more. */
export function nothingKnown({ dataset, batch, number }: BatchPointer, now: Date): BatchManifest {
  const created = now.toISOString()
  return { format: 2, dataset, batch, number, created, columns: [], files: [] }
}

/** A batch's manifest without its rows. */
export function emptied(
  manifest: BatchManifest,
  { now, author, rows }: { now: Date; author: string; rows: number },
): BatchManifest {
  return {
    ...manifest,
    files: [],
    discarded: {
      time: now.toISOString(),
      author,
      rows,
      files: manifest.files.map(({ name, size, modified, sha256, unread }) => {
        return { name, size, modified, sha256, ...(unread ? { unread } : {}) }
      }),
    },
  }
}

/** The tables that have read a batch, as they are to be built anew. */
function readersOf(
  { tables, offsets }: LakeState,
  name: string,
  { number, batch }: BatchPointer,
): Record<string, TableState> {
  const readers = Object.entries(offsets).flatMap(([reader, seen]) => {
    const table = tables[reader]
    if (!table || !(Number(seen[name] ?? 0) >= number)) return []
    return [[reader, { ...table, rebuild: `batch ${batch} of ${name} was discarded` }] as const]
  })
  return Object.fromEntries(readers)
}

function batchOf(name: string, pointers: readonly BatchPointer[], which: string): BatchPointer {
  const found = pointers.filter(
    ({ batch, number }) =>
      batch === which || String(number) === which || batch.startsWith(`${which}-`),
  )
  const [pointer] = found
  if (!pointer)
    throw new MoraineError('usage', `${name} has no batch '${which}'`, {
      hint:
        pointers.length === 0
          ? 'It has no batches yet.'
          : `Its newest batches are: ${pointers
              .slice(-5)
              .map(({ batch }) => batch)
              .join(', ')}. The _batch column of a row contains its batch.`,
    })
  if (pointer.discarded !== undefined)
    throw new MoraineError(
      'usage',
      `Batch ${pointer.batch} of ${name} has already been discarded`,
      {
        hint: 'Nothing was changed. moraine history shows when.',
      },
    )
  return pointer
}
