import type { Principal } from '../../../define/access/principal.js'
import type { Secret } from '../../../define/source.js'
import { toJsonText } from '../../../iceberg/json.js'
import { type AuditedCall, isRefused } from '../../../query/audit/call.js'
import { audited } from '../../audit/middleware.js'
import { Principals } from '../../principals.js'
import { asRestError, forbidden, OAuthError, RestError } from '../errors.js'
import { Bodies, LARGEST_FORM } from './bodies.js'
import { requestKey, told, toldOAuthError } from './exchange.js'
import type { App } from './rooms.js'
import { Tokens } from './tokens.js'

/** Who is admitted, and who hears of what went wrong. */
export interface AdmissionOptions {
  token?: Secret | undefined
  access?: readonly Principal[] | undefined
  /** Who may show what, where that was made already: of token and access. */
  principals?: Principals | undefined
  onError?: (error: unknown) => void
  /** Hears of each call once it is answered. */
  onCall: (call: AuditedCall) => void
  /** Whether a proxy says where calls come from. */
  behindProxy?: boolean
}

/**
 * What comes before each route: finds out who asks, gives tokens for credentials, and spells what
 * is refused.
 *
 * @returns what reads the bodies of requests, within its limits.
 */
export function admit(app: App, options: AdmissionOptions): Bodies {
  const bodies = new Bodies()
  const { token, access, onError } = options
  const isOpen = token === undefined && access === undefined
  const principals = isOpen
    ? undefined
    : (options.principals ?? new Principals(token, access, { onError }))
  const tokens = new Tokens(principals)
  app.use(audited(options.onCall, options.behindProxy === true))
  app.use(async (c, next) => {
    try {
      await next()
    } finally {
      bodies.done(c)
    }
  })
  app.onError((error, c) => {
    const noted = c.get('noted')
    if (error instanceof OAuthError) {
      noted.error = error.error
      return toldOAuthError(c, error)
    }
    const known = asRestError(error)
    noted.error = known.type
    if (isRefused({ status: known.status, error: known.type })) noted.reason = known.message
    if (known.status >= 500) onError?.(error)
    const { status: code, type, message } = known
    return c.body(toJsonText({ error: { message, type, code } }, 0), code, {
      'content-type': 'application/json',
    })
  })
  app.notFound(() => {
    throw new RestError(404, 'NotFoundException', 'There is no such route')
  })
  app.post('/v1/oauth/tokens', async (c) => {
    const form = new URLSearchParams(await bodies.text(c, LARGEST_FORM))
    const answer = await tokens.exchange(form, c.req.header('authorization'), ({ name }) => {
      c.get('noted').principal = name
    })
    c.header('cache-control', 'no-store')
    return told(c, answer)
  })
  app.use(async (c, next) => {
    const principal = await tokens.principal(c.req.header('authorization'))
    const reads = c.req.method === 'GET' || c.req.method === 'HEAD' || /\/metrics$/.test(c.req.path)
    const noted = c.get('noted')
    noted.principal = principal.name
    if (principal.readOnly && !reads) throw forbidden(principal.readOnly)
    c.set('caller', { principal, request: requestKey(c, principal.name), noted })
    return next()
  })
  return bodies
}
