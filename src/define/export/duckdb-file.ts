import { text } from '../options/expected.js'
import { checkedArguments } from '../options/options.js'

/** A database of DuckDB in a file. */
export interface DuckDBFile {
  readonly kind: 'duckdb file'
  /** Relative to the file that says it. */
  readonly path: string
}

/**
 * A database of DuckDB in a file, as a target of `warehouse(…)`. The file is created if it does not
 * exist, and is locked while an export writes to it.
 *
 * @param path relative to the file of the definition.
 * @example warehouse(duckdbFile('reports.duckdb'), { tables: [daily] })
 */
export function duckdbFile(path: string): DuckDBFile {
  const good = checkedArguments('duckdbFile(…)', { path }, { path: text })
  return { kind: 'duckdb file', path: good.path ?? '' }
}
