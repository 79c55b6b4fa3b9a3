import { posix } from 'node:path'

/**
 * The folder of a table of the lake, by a file of its metadata: what `metadata/` is in. Other
 * engines may have called that folder otherwise.
 */
export function tableFolder(metadata: string): string {
  const end = metadata.lastIndexOf('/metadata/')
  return end < 0 ? posix.dirname(metadata) : metadata.slice(0, end)
}
