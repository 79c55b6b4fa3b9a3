import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { quoteName } from '../../define/sql/sql.js'
import type { Session } from '../../engine/engine.js'
import { MoraineError } from '../../errors.js'
import { scratchFolder } from '../../storage/scratch.js'
import { decode } from '../decoder/client.js'
import { SMALL_TEXT } from '../decoder/limits.js'
import { withinTime } from '../decoder/watchdog.js'
import { withFolders } from '../files/folders.js'
import {
  type FileReading,
  type IngestedFile,
  keptColumns,
  leftOut,
  lineage,
  textOf,
} from '../files/ingested.js'
import { type CanonicalText, canonicalOf, SEPARATOR, unescaped } from '../text/canonical.js'
import { canonicalOptions, columnsOf, refuseWrongLayout } from '../text/header.js'

/**
 * Reads a text record by record into its canonical form, so that a broken record costs only itself.
 */
export async function ingestCarefully(reading: FileReading): Promise<IngestedFile> {
  const { file, source, inspection, target } = reading
  const folder = await scratchFolder('text')
  try {
    const path = join(folder, 'canonical')
    const text = await canonicalText(reading, path)
    const { columns, outside } = columnsOf(source, text.header, file)
    refuseWrongLayout(file, source, columns, text)
    const longest = Math.max(text.longest, inspection.longest * 4)
    const canonical = { path, columns, longest }
    const rowsOf = { relation: canonicalRows(target.session, canonical), columns }
    const { relation, columns: all } = withFolders(rowsOf, target.folders)
    const own = keptColumns(all, target)
    const kept = ['_source_line', '_error', '_raw', ...own.map(quoteName)]
    const sql = `SELECT ${[...lineage(file, target), ...kept].join(', ')} FROM ${relation}`
    const { rows, bytes } = await target.session.files.writeFile(sql, target.location)
    if (rows !== text.records)
      throw new MoraineError('engine', `${file.name}: read ${rows} of ${text.records} records`, {
        hint: 'This is a bug in Moraine; nothing was published. Please report it with the file.',
      })
    return { rows, bytes, broken: text.broken, columns: own, ...outside, ...leftOut(all, target) }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/**
 * Writes the canonical form of a text: in place where it is small, otherwise in a process that can
 * be stopped.
 */
async function canonicalText(
  { file, source, inspection, target: { signal } }: FileReading,
  to: string,
): Promise<CanonicalText> {
  if (inspection.bytes > SMALL_TEXT) {
    const { readers: _, ...own } = source
    return decode('canonical', file, { source: own, inspection, to }, signal)
  }
  const options = canonicalOptions(file, source, inspection)
  const decoded = await canonicalOf(await readFile(textOf(file)), source, options)
  const { text, ...found } = withinTime(file.name, decoded)
  await writeFile(to, text)
  return found
}

/** A canonical text, and what is known of it. */
interface CanonicalRows {
  path: string
  columns: readonly string[]
  /** Bytes of the longest record. */
  longest: number
  /** Each record begins with the name of its file. */
  named?: boolean
}

/**
 * SQL for the rows of a canonical text, which begin with the name of their file where they are
 * `named`.
 */
export function canonicalRows(
  session: Session,
  { path, columns, longest, named = false }: CanonicalRows,
): string {
  const name = named ? ['_file'] : []
  const text = session.files.text(path, {
    columns: [...name, '_source_line', '_error', '_raw', ...columns.map((_, i) => `c${i}`)],
    delimiter: SEPARATOR,
    quote: null,
    nulls: [''],
    skip: 0,
    longest,
  })
  const plain = (column: string) => unescaped(column, session.dialect)
  const values = columns.map((name, i) => `${plain(`c${i}`)} AS ${quoteName(name)}`)
  const all = [
    ...name.map((column) => `${plain(column)} AS _source_file`),
    'CAST(_source_line AS BIGINT) AS _source_line',
    '_error',
    `${plain('_raw')} AS _raw`,
    ...values,
  ]
  return `(SELECT ${all.join(', ')} FROM ${text})`
}
