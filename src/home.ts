// The build puts files together, so that nothing can go by the name of its own file. In somebody
// else's bundle there is neither folder.
const [, root = new URL('./', import.meta.url).href, kind = ''] =
  /^(.*\/)(src|dist)\/.*$/.exec(import.meta.url) ?? []

/** The folder of Moraine's own code, which runs from its sources or as it was built. */
export const codeFolder = new URL(kind === '' ? root : `${root}${kind}/`)

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
