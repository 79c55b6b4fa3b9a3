import { MoraineError } from '../errors.js'

/**
 * Checks that a path stays below the root: no empty, `.` or `..` parts, no leading slash.
 *
 * @throws MoraineError of kind `storage` otherwise.
 */
export function checkPath(path: string): string {
  const parts = path.split('/')
  const bad = parts.some(
    (part) => part === '' || part === '.' || part === '..' || part.includes('\0'),
  )
  if (bad || path.includes('\\'))
    throw new MoraineError(
      'storage',
      `The path ${JSON.stringify(path)} is not below the lake's root`,
    )
  return path
}
