import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDB } from '../../src/engine/duckdb/duckdb.js'
import type { DuckDBSession } from '../../src/engine/duckdb/session.js'
import { MoraineError } from '../../src/errors.js'
import { setLocalJobs } from '../../src/source/decoder/client.js'
import { jobs } from '../../src/source/decoder/jobs.js'
import type { SourceFile } from '../../src/source/files/source-file.js'

// Where it is seen what of them runs.
setLocalJobs(jobs)

/** A decoder of bytes from outside. */
export interface Target {
  /** Files as honest programs write them, and those that broke it once. */
  seeds(): Promise<Uint8Array[]>
  /** Reads bytes, and throws what is said of bytes that can't be read. */
  read(bytes: Buffer): Promise<unknown> | unknown
  /** Whether an error is one that makes a discarded file or a refused request of them. */
  isRefusal(error: unknown): boolean
}

export const isFault = (error: unknown) =>
  error instanceof MoraineError && error.kind === 'source' && !error.retryable

/**
 * Bytes of the lake itself: whoever reads them makes an error of it, which no stack or heap that is
 * used up may be.
 */
export const isPlain = (error: unknown) =>
  error instanceof Error && !/call stack|heap/i.test(error.message)

let scratch: Promise<string> | undefined
let count = 0

/** Uses bytes as a file. */
export async function asFile<T>(
  bytes: Buffer,
  name: string,
  use: (file: SourceFile) => Promise<T>,
) {
  const path = join(await scratchOf(), `${count++}-${name}`)
  await writeFile(path, bytes)
  try {
    const { size, mtimeMs } = await stat(path)
    return await use({ path, name, size, modified: Math.floor(mtimeMs) })
  } finally {
    await rm(path, { force: true })
  }
}

export async function drain(rows: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of rows);
}

export const target = (
  seeds: () => Uint8Array[] | Promise<Uint8Array[]>,
  read: Target['read'],
  isRefusal: Target['isRefusal'] = isFault,
): Target => ({ seeds: async () => seeds(), read, isRefusal })

let engine: Promise<DuckDB> | undefined

/** A session of an engine that targets share. */
export async function openSession(): Promise<DuckDBSession> {
  engine ??= DuckDB.start({ threads: 1 })
  return (await engine).open()
}

/** A folder that targets share. */
export function scratchOf(): Promise<string> {
  scratch ??= mkdtemp(join(tmpdir(), 'moraine-fuzz-'))
  return scratch
}

/** Closes what targets share. */
export async function closeAll(): Promise<void> {
  if (engine) await (await engine).close()
  if (scratch) await rm(await scratch, { recursive: true, force: true })
  engine = undefined
  scratch = undefined
}
