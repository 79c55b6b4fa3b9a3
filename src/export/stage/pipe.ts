import { execFile } from 'node:child_process'
import { constants, createReadStream } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { promisify } from 'node:util'
import type { Field } from '../../define/types/column-type.js'
import type { Session } from '../../engine/engine.js'
import type { CellFormat } from '../../engine/export-io.js'
import { scratchFolder } from '../../storage/scratch.js'

/** Bytes that are read at a time. */
const PIECE = 2 ** 20

/** Rows as CSV, and what tells their types. */
export interface CsvRows {
  sql: string
  columns: readonly Field[]
  format: CellFormat
}

/**
 * Hands rows to `use` while the engine writes them, by a named pipe: neither memory nor disk holds
 * more than a piece of them. Where there are no named pipes, a file is between.
 */
export async function streamCsv<T>(
  session: Session,
  { sql, columns, format }: CsvRows,
  use: (csv: Readable) => Promise<T>,
): Promise<T> {
  const folder = await scratchFolder('export')
  const path = join(folder, 'rows.csv')
  const write = () => session.exports.csv(sql, columns, path, format)
  try {
    if (!(await madePipe(path))) {
      await write()
      return await use(createReadStream(path, { highWaterMark: PIECE }))
    }
    const csv = createReadStream(path, { highWaterMark: PIECE })
    // Who reads a pipe waits for somebody who writes: also where that failed before it began.
    const written = write().finally(() => letGo(path))
    const used = use(csv).finally(() => csv.destroy())
    const [done, wrote] = await Promise.allSettled([used, written])
    // What the reader says of a writer that failed is only that it ended.
    if (wrote.status === 'rejected' && done.status === 'fulfilled') throw wrote.reason
    if (done.status === 'rejected') throw done.reason
    return done.value
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function madePipe(path: string): Promise<boolean> {
  if (process.platform === 'win32') return false
  return promisify(execFile)('mkfifo', ['-m', '600', path]).then(
    () => true,
    () => false,
  )
}

/** Opens a pipe to write nothing, so that nobody waits for a writer any more. */
async function letGo(path: string): Promise<void> {
  const opened = await open(path, constants.O_WRONLY | constants.O_NONBLOCK).catch(() => undefined)
  await opened?.close()
}
