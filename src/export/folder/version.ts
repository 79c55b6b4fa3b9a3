import { createHash } from 'node:crypto'
import type { FileFormat } from '../../define/export/folder.js'
import { MoraineError } from '../../errors.js'
import type { ExportRecord } from '../record.js'

/** A file of a version, and which rows it has. */
export interface Piece {
  /** What the rows are of: a file of the lake with what is deleted of it, in one format. */
  id: string
  /** Relative to the folder of the table. */
  path: string
  rows: number
  bytes: number
  sha256: string
}

/** What a folder has of a table: the files of one version, and of which commit their rows are. */
export interface Version
  extends Pick<
    ExportRecord,
    'number' | 'lake' | 'dataset' | 'snapshot' | 'metadata' | 'commit' | 'columns'
  > {
  rows: number
  /** SHA-256 of columns and files. */
  hash: string
  format: FileFormat
  /** Whether texts have a `'` before what a spreadsheet would run. */
  escapeFormulas?: boolean
  writtenAt: string
  files: readonly Piece[]
}

export const hashOfFiles = (columns: ExportRecord['columns'], files: readonly Piece[]) =>
  createHash('sha256')
    .update(JSON.stringify([columns, files.map(({ path, rows, sha256 }) => [path, rows, sha256])]))
    .digest('hex')

/**
 * A version as its manifest says it: `entries` as Redshift's COPY, UNLOAD and Spectrum have them,
 * and all else under a name of its own.
 *
 * @param locate gives the address of a file.
 */
export function manifestOf(version: Version, locate: (path: string) => string): Uint8Array {
  const entries = version.files.map(({ path, bytes }) => ({
    url: locate(path),
    path,
    mandatory: true,
    meta: { content_length: bytes },
  }))
  return Buffer.from(`${JSON.stringify({ entries, moraine: version }, null, 2)}\n`)
}

/**
 * @param name what it is called in messages.
 * @throws MoraineError of kind `export` for bytes that are no manifest.
 */
export function versionIn(bytes: Uint8Array, name: string): Version {
  try {
    const { moraine } = JSON.parse(Buffer.from(bytes).toString('utf8')) as { moraine: Version }
    if (Number.isInteger(moraine.number) && Array.isArray(moraine.files)) return moraine
  } catch {
    // Said below.
  }
  throw new MoraineError('export', `${name} is not the manifest of an export`, {
    hint: 'Somebody has changed it. Restore it, or move the folder of the table away and export again.',
  })
}
