import { pathToFileURL } from 'node:url'
import { quoteName } from '../define/sql/sql.js'
import type { Field } from '../define/types/column-type.js'
import { openEngine } from './open.js'

/** Bytes of memory of an engine that does nothing but write a file. */
export const WRITER_MEMORY = 256 * 2 ** 20

/** Rows in a file of this machine, each as JSON on a line, with columns that are called c0, c1 … */
interface Lines {
  path: string
  fields: readonly Field[]
  /** Bytes of the longest line. */
  longest: number
}

/** Writes rows as a Parquet file, with an engine of its own. */
export async function writeParquet(
  { path, fields, longest }: Lines,
  target: string,
  signal?: AbortSignal,
): Promise<void> {
  const engine = await openEngine({ memory: WRITER_MEMORY, threads: 1 })
  try {
    const session = await engine.open()
    // Their names are given last: no two of a file of JSON may be the same.
    const cells = fields.map(({ type }, i) => ({ name: `c${i}`, type }))
    const rows = session.files.lines(pathToFileURL(path).href, cells, longest)
    const named = fields.map(({ name }, i) => `c${i} AS ${quoteName(name)}`)
    const sql = `SELECT ${named.join(', ')} FROM (${rows}) AS result`
    const stop = () => session.interrupt()
    signal?.addEventListener('abort', stop)
    try {
      signal?.throwIfAborted()
      await session.files.writeFile(sql, pathToFileURL(target).href, { compression: 'zstd' })
    } catch (error) {
      // What was interrupted says so in the engine's words.
      signal?.throwIfAborted()
      throw error
    } finally {
      signal?.removeEventListener('abort', stop)
    }
    signal?.throwIfAborted()
    session.close()
  } finally {
    await engine.close()
  }
}
