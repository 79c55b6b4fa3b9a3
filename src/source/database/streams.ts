import { availableParallelism } from 'node:os'

/**
 * Parts of a database that are read side by side: the server and the engine have a core for each,
 * and other users of the database connections enough.
 */
export const STREAMS = Math.min(4, Math.max(2, availableParallelism()))
