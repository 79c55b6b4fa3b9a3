export type { Source } from '../define/source.js'
export { type Database, mysql, postgres, sqlserver, type TableOptions } from './database.js'
export { secret } from './secret.js'

import { fileURLToPath } from 'node:url'
import { here } from '../define/place.js'
import type { FilesSource } from '../define/source.js'

export interface FilesOptions<C extends string> {
  /** What stands between two fields. Default: by the file's ending, a comma for `.csv`. */
  delimiter?: string
  /** The quote character, or `null` when quotes are ordinary characters. Default: `"`. */
  quote?: string | null
  /** Whether the first record names the columns. Default: when no `columns` are given. */
  header?: boolean
  /** The names of the columns, in order. */
  columns?: readonly C[]
  /** Texts that stand for NULL unless they are quoted. Default: the empty text. */
  nulls?: readonly string[]
}

const delimiters: Record<string, string> = { tsv: '\t', tab: '\t', psv: '|', pipe: '|' }

/**
 * Delimited text files: CSV, TSV, pipe-delimited. A path may be a file, a folder, or a glob;
 * relative ones start at the folder of the file that calls this.
 *
 * @example
 * files('data/venue_pipe.txt', { delimiter: '|', columns: ['venueid', 'venuename'] })
 */
export function files<const C extends string = string>(
  paths: string | URL | readonly (string | URL)[],
  options: FilesOptions<C> = {},
): FilesSource<C> {
  const list = (Array.isArray(paths) ? paths : [paths]).map(toPath)
  const ending = /\.([a-z]+)(?:\.[a-z]+)?$/i.exec(list[0] ?? '')?.[1]?.toLowerCase() ?? ''
  const { columns } = options
  return {
    kind: 'files',
    paths: list,
    base: (here()?.file ?? `${process.cwd()}/`).replace(/[^/\\]*$/, ''),
    delimiter: options.delimiter ?? delimiters[ending] ?? ',',
    quote: options.quote === undefined ? '"' : options.quote,
    header: options.header ?? columns === undefined,
    columns,
    nulls: options.nulls ?? [''],
  }
}

function toPath(path: string | URL): string {
  if (path instanceof URL) return fileURLToPath(path)
  return path.startsWith('file://') ? fileURLToPath(path) : path
}
