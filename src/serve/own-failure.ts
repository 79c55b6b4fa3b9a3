import { MoraineError } from '../errors.js'

/** What clients hear of a failure of the server's own; its log has the rest. */
export const OWN_FAILURE = 'The server failed to answer'

/** What clients can do something about, or wait for. */
const theirs: ReadonlySet<string> = new Set([
  ...['usage', 'query', 'definition', 'limit', 'storage', 'cancelled'],
])

/** Whether clients hear what went wrong; of all else they hear only that something did. */
export const isForClients = (error: unknown): error is MoraineError =>
  error instanceof MoraineError && theirs.has(error.kind)
