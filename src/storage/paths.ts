import { MoraineError } from '../errors.js'

/** Whether a path has no empty, `.` or `..` parts and no leading slash. */
export function isBelow(path: string): boolean {
  const isBad = (part: string) =>
    part === '' || part === '.' || part === '..' || part.includes('\0')
  return !path.split('/').some(isBad) && !path.includes('\\')
}

/**
 * Checks that a path stays below the root: no empty, `.` or `..` parts, no leading slash.
 *
 * @throws MoraineError of kind `storage` otherwise.
 */
export function checkPath(path: string): string {
  if (!isBelow(path))
    throw new MoraineError(
      'storage',
      `The path ${JSON.stringify(path)} is not below the lake's root`,
    )
  return path
}
