import { MoraineError } from '../errors.js'

/** What clients hear of a failure of the server's own; its log has the rest. */
export const OWN_FAILURE = 'The server failed to answer'

/** What clients can do something about, or wait for. */
const theirs: ReadonlySet<string> = new Set([
  ...['usage', 'query', 'definition', 'limit', 'storage', 'cancelled'],
])

/** Whether a failure is the server's own, so that clients hear only that there is one. */
export const isOwnFailure = (error: unknown): boolean =>
  !(error instanceof MoraineError && theirs.has(error.kind))
