import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Secret } from '../../../define/source.js'
import { shows } from '../../access.js'
import { RestError } from '../errors.js'

/** Seconds that a token lives which was given for credentials. */
const LIFETIME = 3600

/** Whether somebody asks who may. */
export interface Principal {
  name: string
  /** Without it, only what is read. */
  writes: boolean
}

/**
 * Who may do what: whoever shows the token may do all. Without a token nobody may write.
 */
export class Tokens {
  constructor(
    private readonly token: Secret | undefined,
    private readonly now: () => number = Date.now,
  ) {}

  /** @throws RestError for a request that shows no token, or a wrong one. */
  async principal(authorization: string | undefined): Promise<Principal> {
    // PyIceberg sends this where it was given no token.
    const given = authorization === 'Bearer None' ? undefined : authorization
    if (this.token === undefined) {
      if (given === undefined) return { name: 'anonymous', writes: false }
      throw unauthorized('This server was started without a token: none is valid')
    }
    const isStatic = await shows(given, this.token)
    const bearer = /^Bearer (.+)$/i.exec(given ?? '')?.[1]
    if (isStatic || (bearer && (await this.isGiven(bearer)))) return { name: 'token', writes: true }
    throw unauthorized(
      given === undefined ? 'A token is required' : 'The token is wrong or expired',
    )
  }

  /** What an OAuth2 request for a token is answered (RFC 6749, 4.4; RFC 8693 to renew one). */
  async exchange(form: URLSearchParams, authorization?: string): Promise<object> {
    const grant = form.get('grant_type')
    if (grant === 'client_credentials') {
      const secret = form.get('client_secret') ?? basicSecret(authorization)
      if (this.token === undefined || !(await shows(`Bearer ${secret}`, this.token)))
        throw new RestError(401, 'invalid_client', 'The client secret is wrong')
    } else if (grant === 'urn:ietf:params:oauth:grant-type:token-exchange') {
      const subject = `Bearer ${form.get('subject_token')}`
      const isKnown = this.token !== undefined && (await this.principal(subject)).writes
      if (!isKnown) throw new RestError(401, 'invalid_grant', 'The subject token is wrong')
    } else throw new RestError(400, 'unsupported_grant_type', `Unsupported grant type: ${grant}`)
    return {
      access_token: await this.given(Math.floor(this.now() / 1000) + LIFETIME),
      token_type: 'bearer',
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      expires_in: LIFETIME,
      scope: form.get('scope') ?? 'catalog',
    }
  }

  /** A token that proves itself: no server has to remember it. */
  private async given(expires: number): Promise<string> {
    return `moraine.${expires}.${await this.signature(expires)}`
  }

  private async isGiven(bearer: string): Promise<boolean> {
    const [, expires, signature] = /^moraine\.(\d{1,12})\.([A-Za-z0-9_-]{43})$/.exec(bearer) ?? []
    if (!expires || !signature || Number(expires) * 1000 < this.now()) return false
    return timingSafeEqual(
      Buffer.from(signature),
      Buffer.from(await this.signature(Number(expires))),
    )
  }

  private async signature(expires: number): Promise<string> {
    const key = typeof this.token === 'function' ? await this.token() : (this.token ?? '')
    return createHmac('sha256', key).update(`moraine catalog ${expires}`).digest('base64url')
  }
}

const unauthorized = (message: string) => new RestError(401, 'NotAuthorizedException', message)

function basicSecret(authorization: string | undefined): string | undefined {
  const encoded = /^Basic (.+)$/i.exec(authorization ?? '')?.[1]
  if (!encoded) return undefined
  const text = Buffer.from(encoded, 'base64').toString()
  return text.slice(text.indexOf(':') + 1)
}
