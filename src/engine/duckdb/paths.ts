import { quoteText } from '../../define/sql.js'
import { localPath, readPath } from '../../storage/staging.js'

/** A location as the path that DuckDB writes. */
export const enginePath = localPath

/** A location as the path that DuckDB reads. */
export const sourcePath = readPath

/** A list of files in SQL; names are taken literally, never as patterns. */
export function fileList(locations: readonly string[]): string {
  return `[${locations.map((l) => quoteText(escapeGlob(sourcePath(l)))).join(', ')}]`
}

function escapeGlob(path: string): string {
  return path.replace(/[*?[]/g, '[$&]')
}
