import { MoraineError } from '../errors.js'

/** Codes that say that there is no such file: all others are of a machine that could not look. */
const ABSENT = ['ENOENT', 'ENOTDIR']

/**
 * Whether a failure to read says nothing of what was to be read: a connection that was cut, a disk
 * that did not answer, a permission that is missing. Whoever looks for damage can say only that it
 * could not look.
 */
export function isPassing(error: unknown): boolean {
  if (error instanceof MoraineError) {
    if (error.retryable) return true
    // What is known to be gone or damaged is named by its path.
    if (error.kind === 'storage' && error.path === undefined) return true
    return error.kind !== 'corrupt' && error.cause !== undefined && isPassing(error.cause)
  }
  const { code, $metadata } = (error ?? {}) as { code?: unknown; $metadata?: object }
  if (typeof code === 'string' && /^E[A-Z0-9]+$/.test(code)) return !ABSENT.includes(code)
  return $metadata !== undefined
}

/** Whether an object is known to be gone or damaged: what does without it can go on. */
export const isLost = (error: unknown): boolean =>
  error instanceof MoraineError &&
  (error.kind === 'storage' || error.kind === 'corrupt') &&
  !isPassing(error)
