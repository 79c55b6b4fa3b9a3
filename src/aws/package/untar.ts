import { MoraineError } from '../../errors.js'

const BLOCK = 512

/**
 * The files of a tar archive as npm packs them (POSIX ustar), by their paths below the folder that
 * all of them are in.
 *
 * @throws MoraineError of kind `corrupt` where it is cut off.
 * @see https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html#tag_20_92_13_06
 */
export function untar(archive: Buffer): Map<string, Buffer> {
  const files = new Map<string, Buffer>()
  for (let at = 0; at + BLOCK <= archive.length; ) {
    const header = archive.subarray(at, at + BLOCK)
    const text = (from: number, length: number) =>
      header
        .toString('utf8', from, from + length)
        .replace(/\0.*$/s, '')
        .trim()
    const name = text(0, 100)
    if (name === '') break
    const size = Number.parseInt(text(124, 12), 8)
    const content = archive.subarray(at + BLOCK, at + BLOCK + size)
    if (content.length !== size)
      throw new MoraineError('corrupt', `The archive of a package ends within ${name}`)
    const type = text(156, 1)
    const prefix = text(345, 155)
    const path = `${prefix ? `${prefix}/` : ''}${name}`.replace(/^[^/]+\//, '')
    if (type === '' || type === '0') files.set(path, content)
    at += BLOCK * (1 + Math.ceil(size / BLOCK))
  }
  return files
}
