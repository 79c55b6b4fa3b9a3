import type { SourceLocation } from '../../errors.js'
import type { Gold, Silver } from '../model.js'
import type { Connection, DatabaseKind } from '../source.js'
import type { Folder } from './folder.js'
import type { Redshift } from './redshift.js'

/** A database server that tables are loaded into. */
export interface DatabaseTarget {
  readonly kind: DatabaseKind
  readonly connection: Connection
}

/** A database of DuckDB in a file. */
export interface DuckDBTarget {
  readonly kind: 'duckdb'
  readonly path: string
}

/** Where `warehouse(…)` puts tables. */
export type Target = DatabaseTarget | DuckDBTarget | Folder | Redshift

/** A dataset whose rows can be exported: one that has a table of its own. */
export type Exportable = Silver<any> | Gold<any>

/** One table of a target. */
export interface ExportTable {
  readonly dataset: Exportable
  /** Its name there. */
  readonly as: string
  /** In Redshift: the column by whose values rows are spread over nodes. */
  readonly distKey?: string
  /** In Redshift: the columns by which rows are sorted. */
  readonly sortKey?: readonly string[]
}

/** Tables of the lake that are kept in a target as well; made by {@link warehouse}. */
export interface Warehouse {
  readonly kind: 'warehouse'
  /** What the command line calls it. */
  readonly name: string
  readonly target: Target
  /** The schema of its tables; that of the connection without one. */
  readonly schema: string | undefined
  readonly tables: readonly ExportTable[]
  /** Who may read the tables there. */
  readonly grants: readonly string[]
  /** Whether a run that publishes rows of them is followed by an export. */
  readonly afterRuns: boolean
  readonly place: SourceLocation | undefined
}

/** The warehouses that are exported after a run that has built some datasets: all their tables. */
export function exportedAfter(
  exports: readonly Warehouse[],
  isBuilt: (dataset: Exportable) => boolean,
): Warehouse[] {
  return exports.filter(
    ({ afterRuns, tables }) => afterRuns && tables.some(({ dataset }) => isBuilt(dataset)),
  )
}
