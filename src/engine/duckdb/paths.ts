import { quoteText } from '../../define/sql.js'

/** A location as the path that DuckDB opens. */
export function enginePath(location: string): string {
  return location.startsWith('file://') ? location.slice('file://'.length) : location
}

/** A list of files in SQL; names are taken literally, never as patterns. */
export function fileList(locations: readonly string[]): string {
  return `[${locations.map((l) => quoteText(escapeGlob(enginePath(l)))).join(', ')}]`
}

function escapeGlob(path: string): string {
  return path.replace(/[*?[]/g, '[$&]')
}
