import type { IncomingMessage } from 'node:http'
import type { Context } from 'hono'
import { FULL } from './bounds.js'

/** Answers requests that are signed as those to AWS are. */
export interface Signed {
  handles: (c: Context) => boolean
  answer: (c: Context) => Promise<Response>
  /** Tells a client to come again. */
  refuse: (c: Context, message: string) => Response
}

/** A request that has to come again, in the words of the protocol that it speaks. */
export function refused(c: Context, aws: Signed | undefined): Response {
  const answer = aws?.handles(c) ? aws.refuse(c, FULL) : c.json(bodyFor(c.req.path), 503)
  answer.headers.set('retry-after', '1')
  return answer
}

function bodyFor(path: string): object {
  if (path.startsWith('/iceberg/'))
    return { error: { message: FULL, type: 'ServiceUnavailableException', code: 503 } }
  if (path.startsWith('/v1/')) return { error: { kind: 'limit', message: FULL } }
  return { error: FULL }
}

/** The request of Node's behind one of Hono's, where there is one. */
export function incomingOf(c: Context): IncomingMessage | undefined {
  return ((c.env ?? {}) as { incoming?: IncomingMessage }).incoming
}
