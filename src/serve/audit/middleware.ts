import type { IncomingMessage } from 'node:http'
import type { Context, Next } from 'hono'
import { matchedRoutes } from 'hono/route'
import type { AuditedCall } from '../../query/audit/call.js'
import type { Noted } from '../rest/caller.js'

/** A request of which is noted what becomes known while it is answered. */
type Audited = Context<{ Variables: { noted: Noted } }>

/** Characters of a client's name that are kept. */
const CLIENT = 80

/**
 * Tells of each call once it is answered.
 *
 * @param behindProxy whether the last address that a proxy adds is where a call comes from.
 */
export function audited(tell: (call: AuditedCall) => void, behindProxy: boolean) {
  return async (c: Audited, next: Next): Promise<void> => {
    const noted: Noted = { names: new Set() }
    c.set('noted', noted)
    const begun = performance.now()
    await next()
    const { principal = null, names, branch, commit, error, reason } = noted
    const from = addressOf(c, behindProxy)
    const client = c.req
      .header('user-agent')
      ?.replaceAll(/[^\x20-\x7e]/g, '')
      .slice(0, CLIENT)
    tell({
      time: new Date().toISOString(),
      principal,
      route: routeOf(c),
      // What others call things is nothing that a trail should hold.
      names: principal === null ? [] : [...names],
      ...(branch === undefined || principal === null ? {} : { branch }),
      status: c.res.status,
      ...(error === undefined ? {} : { error }),
      ...(reason === undefined || principal === null ? {} : { reason }),
      milliseconds: Math.round(performance.now() - begun),
      ...(commit === undefined ? {} : { commit }),
      ...(from === undefined ? {} : { from }),
      ...(client ? { client } : {}),
    })
  }
}

function addressOf(c: Context, behindProxy: boolean): string | undefined {
  const { incoming } = (c.env ?? {}) as { incoming?: IncomingMessage }
  const passedOn = c.req.header('x-forwarded-for')?.split(',').at(-1)?.trim()
  const address = behindProxy && passedOn ? passedOn : incoming?.socket.remoteAddress
  return address?.replace(/^::ffff:/i, '')
}

/** The route as clients are told of it. */
function routeOf(c: Context): string | null {
  const path = matchedRoutes(c)
    .filter(({ method }) => method !== 'ALL')
    .at(-1)
    ?.path.replace(/^.*?\/v1\//, '/v1/')
  if (path === undefined) return null
  const kind = path.includes('/views') ? 'view' : 'table'
  const named = path
    .replace(/^\/v1\/(:branch\/)?(?!config$|oauth\/)/, '/v1/{prefix}/')
    .replace(':namespace', '{namespace}')
    .replace(':name', `{${kind}}`)
  return `${c.req.method} ${named}`
}
