import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { callSite } from './define/call-site.js'
import type { Sql } from './define/model.js'
import { sqlText } from './define/sql/sql.js'
import { MoraineError, messageOf } from './errors.js'

/** Files of a definition that was made into one file elsewhere, by their paths there. */
const carried = new Map<string, string>()
/** What is read while somebody wants to know that. */
const readers = new Set<Map<string, string>>()

/** Has files be read as these texts, wherever they are. */
export function carryFiles(files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) carried.set(path, text)
}

/** Does something, and tells which files with SQL it has read. */
export async function readingFiles<T>(
  work: () => Promise<T>,
): Promise<{ found: T; files: ReadonlyMap<string, string> }> {
  const files = new Map<string, string>()
  readers.add(files)
  try {
    return { found: await work(), files }
  } finally {
    readers.delete(files)
  }
}

/**
 * SQL from a file of its own. `${name}` in the file stands for the binding of that name: a dataset,
 * a column, a value or another piece of SQL.
 *
 * @example
 * gold('daily', { query: sqlFile(new URL('./daily.sql', import.meta.url), { orders }) })
 * @throws MoraineError of kind `definition` when the file can't be read or names something unbound.
 */
export function sqlFile(file: URL | string, bindings: Parameters<typeof sqlText>[1] = {}): Sql {
  const path = file instanceof URL || file.startsWith('file://') ? fileURLToPath(file) : file
  let text: string
  try {
    text = carried.get(path) ?? readFileSync(path, 'utf8')
  } catch (cause) {
    const place = callSite()
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT'
    const said = missing
      ? `There is no SQL file ${path}`
      : `Can't read ${path}: ${messageOf(cause)}`
    throw new MoraineError('definition', said, {
      cause,
      place: place && { ...place, near: 'sqlFile(' },
      hint: 'Check the path; new URL("./x.sql", import.meta.url) is relative to the file that contains it.',
    })
  }
  for (const files of readers) files.set(path, text)
  return sqlText(text.replace(/;\s*$/, ''), bindings, { file: path, line: 1, column: 1 })
}
