import { readFile } from 'node:fs/promises'
import { basename, dirname, isAbsolute, relative, resolve, sep } from 'node:path'
import { fullName } from '../../define/dataset.js'
import type { Lake } from '../../define/lake.js'
import type { Bronze } from '../../define/model.js'
import { sizeText } from '../../define/size.js'
import type { FilesSource } from '../../define/source.js'
import { MoraineError } from '../../errors.js'
import { discoverFiles } from '../../source/files/discover.js'

/** Bytes of a project's own files that are packed. */
const MOST = 20 * 2 ** 20

/** Names of files that hold secrets: nobody means to deploy them. */
const SECRET =
  /^(\.env(\..*)?|.*\.(pem|key|p12|pfx|keystore)|id_(rsa|ecdsa|ed25519)|\.netrc|\.npmrc|credentials)$/i

/**
 * Files of the project that datasets read by relative paths: small lists that belong to the
 * definition.
 *
 * @param file that defines the lake.
 * @returns their content, by paths relative to the project's folder.
 * @throws MoraineError of kind `definition` for what a function would not find, or must not have.
 */
export async function carriedFiles(file: string, lake: Lake): Promise<Map<string, Buffer>> {
  const folder = dirname(file)
  const found = new Map<string, Buffer>()
  let bytes = 0
  for (const dataset of lake.datasets) {
    if (dataset.tier !== 'bronze' || dataset.from.kind !== 'files') continue
    for (const path of await filesOf(dataset, dataset.from)) {
      const inside = relative(folder, path).split(sep).join('/')
      refuseStray(dataset, path, inside)
      const content = await readFile(path)
      bytes += found.has(inside) ? 0 : content.length
      if (bytes > MOST) throw tooMuch(dataset)
      found.set(inside, content)
    }
  }
  return found
}

async function filesOf(dataset: Bronze, source: FilesSource): Promise<Set<string>> {
  const paths = source.paths.filter((path) => !path.startsWith('s3://'))
  if (paths.length === 0) return new Set()
  const absolute = paths.find((path) => isAbsolute(path))
  if (absolute !== undefined)
    throw refused(dataset, `reads ${absolute}, which a function does not have`)
  const files = await discoverFiles({ ...source, paths })
  if (files.length === 0)
    throw refused(dataset, `reads ${paths.join(', ')}, and no file is there to be packed`)
  return new Set(files.map(({ path }) => resolve(source.base, path)))
}

function refuseStray(dataset: Bronze, path: string, inside: string): void {
  if (inside.startsWith('../'))
    throw refused(dataset, `reads ${path}, which lies outside of the project's folder`)
  if (SECRET.test(basename(path)))
    throw new MoraineError(
      'definition',
      `${fullName(dataset)} reads ${inside}, a file of secrets`,
      {
        place: dataset.place,
        hint: 'What is deployed must not contain secrets: use Secrets Manager, secret("aws-secrets:NAME").',
      },
    )
}

const tooMuch = (dataset: Bronze) =>
  refused(dataset, `reads files of the project that take more than ${sizeText(MOST)} together`)

function refused(dataset: Bronze, what: string): MoraineError {
  return new MoraineError('definition', `${fullName(dataset)} ${what}`, {
    place: dataset.place,
    hint: "Put the files into a bucket, and read them there: files('s3://bucket/folder/*.csv').",
  })
}
