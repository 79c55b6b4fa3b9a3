import { quoteText } from '../../define/sql/sql.js'
import { localPath, readPath } from '../../storage/staging.js'

/** A location as the path that DuckDB writes. */
export const enginePath = localPath

/** A location as the path that DuckDB reads. */
export const sourcePath = readPath

/** A list of files in SQL; names are taken literally, never as patterns. */
export function fileList(locations: readonly string[]): string {
  return `[${locations.map((l) => quoteText(escapeGlob(sourcePath(l)))).join(', ')}]`
}

/** A location as the engine compares it with what it is about to open: where it lies, its copy here, and both in patterns. */
export function confinedTo(location: string): string[] {
  const folder = `${location.replace(/\/+$/, '')}/`
  const folders = [folder, `${localPath(folder).replace(/\/+$/, '')}/`].filter(
    (path) => !path.startsWith('file://'),
  )
  return [...new Set([...folders, ...folders.map(escapeGlob)])]
}

/** The same of a file that alone can be opened: the engine looks files up by patterns, and compares those too. */
export function filesConfinedTo(location: string): string[] {
  const path = sourcePath(location)
  return [...new Set([path, escapeGlob(path)])]
}

/** A path as a pattern that stands for it alone. */
function escapeGlob(path: string): string {
  return path.replace(/[*?[]/g, '[$&]')
}
