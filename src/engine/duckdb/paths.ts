import { quoteText } from '../../define/sql.js'
import { localPath } from '../../storage/staging.js'

/** A location as the path that DuckDB opens. */
export const enginePath = localPath

/** A list of files in SQL; names are taken literally, never as patterns. */
export function fileList(locations: readonly string[]): string {
  return `[${locations.map((l) => quoteText(escapeGlob(enginePath(l)))).join(', ')}]`
}

function escapeGlob(path: string): string {
  return path.replace(/[*?[]/g, '[$&]')
}
