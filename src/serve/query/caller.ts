import type { Context } from 'hono'
import type { Caller } from '../../query/service/request.js'
import { isSameSecret } from '../access.js'
import type { Principals } from '../principals.js'

/** Milliseconds that a wrong secret waits for its answer. */
const WRONG = 200

/**
 * Who sent a request: by a bearer token, or by name and password (RFC 7617). `undefined` for
 * whoever does not prove it.
 */
export async function callerOf(c: Context, principals: Principals): Promise<Caller | undefined> {
  const header = c.req.header('authorization') ?? ''
  const bearer = /^Bearer +(\S.*)$/i.exec(header)?.[1]
  const found =
    bearer === undefined
      ? await byPassword(header, principals)
      : (await principals.ofBearer(bearer))?.principal
  // A token of a run is for the tables that it builds.
  if (found && !('run' in found && found.run)) return found
  if (header !== '') await new Promise((resolve) => setTimeout(resolve, WRONG))
  return undefined
}

async function byPassword(header: string, principals: Principals): Promise<Caller | undefined> {
  const [, encoded] = /^Basic +([A-Za-z0-9+/=_-]+)$/i.exec(header) ?? []
  if (encoded === undefined) return undefined
  const text = Buffer.from(encoded, 'base64').toString()
  const colon = text.indexOf(':')
  const known = await principals.ofUser(text.slice(0, Math.max(0, colon)))
  // The same work is done for names that nobody has.
  const isRight = isSameSecret(text.slice(colon + 1), known?.secret ?? '')
  return known && isRight ? known.principal : undefined
}
