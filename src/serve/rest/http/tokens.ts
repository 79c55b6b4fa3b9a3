import { setTimeout as sleep } from 'node:timers/promises'
import { readingRights } from '../../../define/access/rights.js'
import type { Principal, Principals, Proved } from '../../principals.js'
import { OAuthError, RestError } from '../errors.js'

/** Seconds that a token lives which was given for credentials. */
const LIFETIME = 3600
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'

const anonymous: Principal = {
  name: 'anonymous',
  rights: readingRights,
  readOnly: 'This server was started without a token: it can be read, and not written to',
}

/** Finds out who asks, and gives tokens for credentials. */
export class Tokens {
  private readonly slower = new Slower()

  /** @param principals without any everybody may read, and nobody write. */
  constructor(private readonly principals: Principals | undefined) {}

  /** @throws RestError for a request that shows no token, or a wrong one. */
  async principal(authorization: string | undefined): Promise<Principal> {
    // PyIceberg sends this where it was given no token.
    const given = authorization === 'Bearer None' ? undefined : authorization
    if (!this.principals) {
      if (given === undefined) return anonymous
      throw unauthorized('This server was started without a token: none is valid')
    }
    if (given === undefined) throw unauthorized('A token is required')
    const bearer = /^Bearer +(\S.*)$/i.exec(given)?.[1]
    const proved = bearer === undefined ? undefined : await this.principals.ofBearer(bearer)
    if (proved) return proved.principal
    await this.slower.wait()
    throw unauthorized('The token is wrong or expired')
  }

  /**
   * What an OAuth2 request for a token is answered (RFC 6749, 4.4; RFC 8693 to renew one).
   *
   * @param told hears who it was.
   * @throws OAuthError
   */
  async exchange(
    form: URLSearchParams,
    authorization: string | undefined,
    told: (principal: Principal) => void,
  ): Promise<object> {
    const grant = form.get('grant_type')
    if (grant === null) throw new OAuthError(400, 'invalid_request', 'grant_type is missing')
    if (grant !== 'client_credentials' && grant !== EXCHANGE)
      throw new OAuthError(
        400,
        'unsupported_grant_type',
        `grant_type must be client_credentials or ${EXCHANGE}`,
      )
    const proved =
      grant === EXCHANGE
        ? await this.renewed(form, authorization)
        : await this.client(form, authorization)
    const token = proved && (await this.principals?.given(proved, LIFETIME))
    if (!proved || token === undefined) {
      await this.slower.wait()
      if (grant === EXCHANGE)
        throw new OAuthError(400, 'invalid_grant', 'The subject token is wrong or expired')
      throw new OAuthError(401, 'invalid_client', 'The client id or the client secret is wrong')
    }
    told(proved.principal)
    return {
      access_token: token,
      token_type: 'bearer',
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      expires_in: LIFETIME,
      scope: /^[\x21\x23-\x5b\x5d-\x7e ]{1,256}$/.exec(form.get('scope') ?? '')?.[0] ?? 'catalog',
    }
  }

  private async client(form: URLSearchParams, authorization: string | undefined) {
    const secret = form.get('client_secret')
    if (secret !== null) return this.principals?.ofClient(form.get('client_id') ?? '', secret)
    return this.basic(authorization)
  }

  private async basic(authorization: string | undefined): Promise<Proved | undefined> {
    const encoded = /^Basic +(\S+)$/i.exec(authorization ?? '')?.[1]
    if (!encoded) return undefined
    const text = Buffer.from(encoded, 'base64').toString()
    const [id, secret] = [text.split(':', 1)[0] as string, text.slice(text.indexOf(':') + 1)]
    const found = await this.principals?.ofClient(id, secret)
    // By the standard both are encoded as in forms, by many a client they are not.
    if (found || !/[%+]/.test(text)) return found
    return this.principals?.ofClient(formDecoded(id), formDecoded(secret))
  }

  /** A token is renewed by itself; one that has expired, only together with the credentials. */
  private async renewed(form: URLSearchParams, authorization: string | undefined) {
    const subject = form.get('subject_token') ?? ''
    const known = await this.principals?.ofBearer(subject)
    if (known) return known
    const [client, expired] = [
      await this.basic(authorization),
      await this.principals?.ofGiven(subject),
    ]
    if (!client || client.principal.name !== expired?.principal.name) return undefined
    // What a run's token may is no more than it was.
    return expired.principal.run ? expired : client
  }
}

function formDecoded(text: string): string {
  return new URLSearchParams(`a=${text.replaceAll('&', '%26')}`).get('a') ?? ''
}

const unauthorized = (message: string) => new RestError(401, 'NotAuthorizedException', message)

/**
 * Milliseconds by which an answer to a wrong secret comes later than the one before, and at most.
 */
const STEP = 25
const LATEST = 1000
/** Answers that are held back at the same time. */
const WAITING = 100
/** Milliseconds after which wrong secrets are forgotten. */
const CALM = 60_000

/**
 * Keeps answers to wrong secrets back, the more of them there were lately. Right ones are answered
 * at once: nobody can lock others out.
 */
class Slower {
  private wrong = 0
  private last = 0
  private waiting = 0

  async wait(): Promise<void> {
    const now = Date.now()
    this.wrong = now - this.last > CALM ? 1 : this.wrong + 1
    this.last = now
    if (this.waiting >= WAITING) return
    this.waiting++
    await sleep(Math.min(LATEST, STEP * (this.wrong - 1)), undefined, { ref: false })
    this.waiting--
  }
}
