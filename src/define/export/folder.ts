import { flag, interval, oneOf, text } from '../options/expected.js'
import { checked, checkedArguments, type OptionList } from '../options/options.js'

/** How rows are written for programs that read files. */
export type FileFormat = 'parquet' | 'csv' | 'jsonl'

export interface FolderOptions {
  /** Default: `parquet`. `csv` has a header, `jsonl` an object a line. */
  format?: FileFormat
  /**
   * How long files stay that the newest version no longer has, for those who read an earlier one:
   * `'12h'`, `'7d'`. Default: a day.
   */
  keep?: string
  /**
   * Whether texts that a spreadsheet would run as a formula (`=`, `+`, `-`, `@` at their beginning)
   * get a `'` before them. Of CSV alone; the file has other texts than the lake then. Default:
   * `false`.
   */
  escapeFormulas?: boolean
}

/** A folder, or a prefix of a bucket. */
export interface Folder {
  readonly kind: 'folder'
  /** A path relative to the file that says it, or `s3://bucket/prefix`. */
  readonly path: string
  readonly format: FileFormat
  readonly keep: string
  readonly escapeFormulas: boolean
}

const folderOptions: OptionList<FolderOptions> = {
  format: oneOf('parquet', 'csv', 'jsonl'),
  keep: interval,
  escapeFormulas: flag,
}

/**
 * Files of a folder or a bucket, as a target of `warehouse(…)`: one folder a table, with a
 * `_latest.json` that lists the files of its newest version and is replaced last. Nobody sees a
 * part of a version, and earlier ones can be read on for as long as `keep` says.
 *
 * @param path relative to the file of the definition, or `s3://bucket/prefix`.
 * @example warehouse(folder('s3://shop-reports/daily', { format: 'csv' }), { tables: [daily] })
 */
export function folder(path: string, options: FolderOptions = {}): Folder {
  const given = checkedArguments('folder(…)', { path }, { path: text })
  const good = checked<FolderOptions>('folder(…)', options, folderOptions)
  const { format = 'parquet', keep = '1d', escapeFormulas = false } = good
  return { kind: 'folder', path: given.path ?? '', format, keep, escapeFormulas }
}
