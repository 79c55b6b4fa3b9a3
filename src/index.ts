import type { Lake } from './define/lake.js'
import type { OpenLake, OpenOptions } from './query/open.js'

export { z } from 'zod'
export { type DuckDBFile, duckdbFile } from './define/export/duckdb-file.js'
export { type FileFormat, type Folder, type FolderOptions, folder } from './define/export/folder.js'
export { type Redshift, type RedshiftOptions, redshift } from './define/export/redshift.js'
export {
  type DatabaseServer,
  type TableExport,
  type Warehouse,
  type WarehouseOptions,
  warehouse,
} from './define/export/warehouse.js'
export * from './define/index.js'
export {
  DefinitionError,
  type ErrorKind,
  MoraineError,
  type Problem,
  type SourceLocation as Place,
} from './errors.js'
export type { AskOptions, At, OpenLake, OpenOptions, ReadOptions } from './query/open.js'
export { sqlFile } from './sql-file.js'

/**
 * Opens a lake for reading. Every read sees one commit of the lake, never parts of two. What reads
 * is loaded now, not when `moraine` is imported.
 *
 * @example
 * const lake = await openLake(shop)
 * const paid = await lake.read(orders, { where: sql`status = ${'paid'}` })
 */
export async function openLake(lake: Lake, options: OpenOptions = {}): Promise<OpenLake> {
  const { openLake: open } = await import('./query/open.js')
  return open(lake, options)
}
