import { type ErrorKind, MoraineError } from '../../errors.js'
import type { Caller } from './request.js'

/** Kinds of what is wrong inside: their texts name files, and so tables that are not shown. */
const INSIDE: readonly ErrorKind[] = ['storage', 'corrupt', 'engine', 'conflict', 'version']

/**
 * An error as it is told to whoever asked. Who may see everything hears all of it; to others, what
 * is wrong inside is told without its names.
 *
 * @param onError hears what was not told.
 */
export function toldTo(
  { rights }: Caller,
  error: unknown,
  onError: (error: unknown) => void,
): unknown {
  if (!(error instanceof MoraineError) || !INSIDE.includes(error.kind)) return error
  if (rights.unlimited) return error
  onError(error)
  const { kind, retryable } = error
  const message =
    kind === 'storage'
      ? 'The storage does not respond, or a file of a table is missing'
      : 'The server failed to answer'
  return new MoraineError(kind, message, {
    ...{ cause: error, retryable },
    hint: 'Try again later, or ask those who run the server: its log has the reason.',
  })
}
