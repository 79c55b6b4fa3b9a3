import { realpathSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { MoraineError } from './errors.js'

// The build puts files together, so that nothing can go by the name of its own file. In somebody
// else's bundle there is neither folder.
const [, root = new URL('./', import.meta.url).href, kind = ''] =
  /^(.*\/)(src|dist)\/.*$/.exec(import.meta.url) ?? []

/** The folder of Moraine's own code, which runs from its sources or as it was built. */
export const codeFolder = new URL(kind === '' ? root : `${root}${kind}/`)

/** Whether it is part of somebody else's bundle, together with code that is not its own. */
export const isBundled = kind === ''

/** The package's folder. */
export const packageFolder = new URL(root)

/**
 * A file of the build, which threads and processes start from also where the rest runs from its
 * sources.
 */
export function builtFile(path: string): URL {
  return new URL(`${root}dist/${path}`)
}

/** An entrance of the package, such as `source/index`, as it is running. */
export function entrance(name: string): URL {
  return new URL(`${name}.${kind === 'src' ? 'ts' : 'js'}`, codeFolder)
}

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
