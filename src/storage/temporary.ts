import { realpathSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { MoraineError } from '../errors.js'

/**
 * The system's folder for temporary files, as Node and the engine name what is in it: they follow
 * links, as the one of macOS.
 *
 * @throws MoraineError of kind `storage` where there is none.
 */
export function temporaryFolder(): string {
  const folder = tmpdir()
  try {
    return realpathSync(folder)
  } catch (cause) {
    throw new MoraineError('storage', `The folder for temporary files, ${folder}, does not exist`, {
      cause,
      hint: 'Create it, or set TMPDIR to another folder.',
    })
  }
}
