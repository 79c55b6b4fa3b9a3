import { stat } from 'node:fs/promises'
import { isGone } from '../../storage/s3/s3.js'
import type { SourceFile } from './source-file.js'

/**
 * Whether a file that failed is not there any more since it was listed: then nothing is wrong with
 * it, and it is as if it had never been seen.
 */
export async function isGoneSince({ path, remote }: SourceFile, error: unknown): Promise<boolean> {
  if (remote) {
    for (let at = error; at instanceof Error; at = at.cause) if (isGone(at)) return true
    return false
  }
  return stat(path).then(
    () => false,
    (cause: NodeJS.ErrnoException) => cause.code === 'ENOENT' || cause.code === 'ENOTDIR',
  )
}
