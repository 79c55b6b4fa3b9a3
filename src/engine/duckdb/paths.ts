import { quoteText } from '../../define/sql/sql.js'
import type { Staging } from '../../storage/staging.js'

/** A list of files in SQL; names are taken literally, never as patterns. */
export function fileList(staging: Staging, locations: readonly string[]): string {
  return `[${locations.map((l) => quoteText(escapeGlob(staging.readPath(l)))).join(', ')}]`
}

/**
 * A location as the engine compares it with what it is about to open: where it lies, its copy here,
 * and both in patterns.
 */
export function confinedTo(staging: Staging, location: string): string[] {
  const folder = `${location.replace(/\/+$/, '')}/`
  const folders = [folder, `${staging.localPath(folder).replace(/\/+$/, '')}/`].filter(
    (path) => !path.startsWith('file://'),
  )
  return [...new Set([...folders, ...folders.map(escapeGlob)])]
}

/**
 * The same of a file that alone can be opened: the engine looks files up by patterns, and compares
 * those too.
 */
export function filesConfinedTo(staging: Staging, location: string): string[] {
  const path = staging.readPath(location)
  return [...new Set([path, escapeGlob(path)])]
}

/** A path as a pattern that stands for it alone. */
function escapeGlob(path: string): string {
  return path.replace(/[*?[]/g, '[$&]')
}
