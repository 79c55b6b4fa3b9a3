import type { S3Client } from '@aws-sdk/client-s3'

/** Requests to S3, by what is paid for them; to remove something costs nothing. */
export interface Requests {
  /** PUT, COPY, POST and LIST. */
  puts: number
  /** GET, HEAD and all others. */
  gets: number
}

const counted: Requests = { puts: 0, gets: 0 }

/**
 * Requests that clients of this process have made so far, also those that were made again. What
 * DuckDB reads where it lies is not among them.
 */
export const requestsSoFar = (): Requests => ({ ...counted })

/** Counts what a client sends. */
export function counting(client: S3Client): S3Client {
  client.middlewareStack.add(
    (next, { commandName = '' }) =>
      (args) => {
        const { method = '' } = args.request as { method?: string }
        const isDear = /^List/.test(commandName) || method === 'PUT' || method === 'POST'
        if (isDear) counted.puts++
        else if (method !== 'DELETE') counted.gets++
        return next(args)
      },
    // Behind what tries again: each attempt is paid for.
    { step: 'finalizeRequest', priority: 'low', name: 'moraineRequests' },
  )
  return client
}
