import type { JWTVerifyGetKey } from 'jose'
import type { Oidc } from '../../define/access/oidc.js'
import { MoraineError } from '../../errors.js'
import { importPeer } from '../../peers.js'

/** How tokens may be signed: with keys of which the provider alone has the private half. */
const ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
]
/** Seconds that clocks may differ, characters of a token, milliseconds of a request for keys. */
const SKEW = 60
const LONGEST = 16_384
const PATIENCE = 5000
/**
 * Milliseconds after which keys are looked up again, and after which one that is unknown may be.
 */
const KEPT_FOR = 600_000
const UNKNOWN_AFTER = 10_000

/** Errors of `jose` that say that a token is not valid, rather than that it can't be judged. */
const invalid = [
  ...['JWTExpired', 'JWTClaimValidationFailed', 'JWTInvalid', 'JWSInvalid'],
  ...['JWSSignatureVerificationFailed', 'JOSEAlgNotAllowed', 'JOSENotSupported'],
  ...['JWKSNoMatchingKey', 'JWKSMultipleMatchingKeys'],
]

/** Proves tokens of an identity provider (OpenID Connect Core 1.0, RFC 7519) by its keys. */
export class OidcTokens {
  private keys: Promise<JWTVerifyGetKey> | undefined
  private failedAt = Number.NEGATIVE_INFINITY
  /** Why keys could not be fetched from where they are, and when. */
  private away: { error: unknown; at: number } | undefined
  private toldAt = Number.NEGATIVE_INFINITY

  /** @param onError hears why tokens can't be judged: not of each of many. */
  constructor(
    private readonly oidc: Oidc,
    private readonly now: () => number,
    private readonly onError: (error: unknown) => void,
  ) {}

  /** What the claim of a valid token says; `undefined` for any other. */
  async claimOf(token: string): Promise<string | undefined> {
    try {
      return await this.proved(token)
    } catch (error) {
      // Anybody may show any number of tokens.
      if (this.now() - this.toldAt > UNKNOWN_AFTER) {
        this.toldAt = this.now()
        this.onError(error)
      }
      return undefined
    }
  }

  private async proved(token: string): Promise<string | undefined> {
    const { issuer, audience, claim = 'sub' } = this.oidc
    // Nobody is asked for anything because of a text that is no token of this provider.
    if (issuerIn(token) !== issuer) return undefined
    const { jwtVerify } = await importPeer('jose')
    try {
      const { payload } = await jwtVerify(token, await this.known(), {
        ...{ issuer, audience, algorithms: ALGORITHMS, clockTolerance: SKEW },
        currentDate: new Date(this.now()),
        requiredClaims: ['exp', claim],
      })
      if (claim === 'email' && !this.isVerified(payload.email_verified)) return undefined
      const value = payload[claim]
      return typeof value === 'string' && value !== '' ? value : undefined
    } catch (error) {
      if (invalid.includes((error as Error).constructor.name)) return undefined
      throw error
    }
  }

  /** Whoever may write any address into a profile is not who it says. Some write it as a text. */
  private isVerified(said: unknown): boolean {
    if (said !== undefined) return said === true || said === 'true'
    throw new MoraineError(
      'usage',
      `A token of ${this.oidc.issuer} does not say whether its email is verified`,
      {
        hint: "Have the provider put email_verified into tokens, or name another claim in oidc of lake.ts: claim: 'sub'",
      },
    )
  }

  /** The provider's keys; where they could not be had, that is asked again after a while. */
  private known(): Promise<JWTVerifyGetKey> {
    if (!this.keys || (this.failedAt > 0 && this.now() - this.failedAt > UNKNOWN_AFTER)) {
      this.failedAt = Number.NEGATIVE_INFINITY
      this.keys = this.discover()
      this.keys.catch(() => {
        this.failedAt = this.now()
      })
    }
    return this.keys
  }

  /** Finds the address of the keys (OpenID Connect Discovery 1.0, section 4). */
  private async discover(): Promise<JWTVerifyGetKey> {
    const { issuer } = this.oidc
    const { createRemoteJWKSet, customFetch } = await importPeer('jose')
    const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
    const answer = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(PATIENCE) })
    const found = (answer.ok ? await answer.json() : {}) as Record<string, unknown>
    const { issuer: itself, jwks_uri: keys } = found
    const isRight = itself === issuer && typeof keys === 'string' && URL.canParse(keys)
    const isSafe = isRight && (keys.startsWith('https:') || issuer.startsWith('http:'))
    if (!isSafe)
      throw new MoraineError('usage', `${url} does not say where the keys of ${issuer} are`, {
        hint: "Check 'issuer' of oidc in lake.ts: it must be as the provider writes it.",
      })
    return createRemoteJWKSet(new URL(keys), {
      timeoutDuration: PATIENCE,
      cacheMaxAge: KEPT_FOR,
      cooldownDuration: UNKNOWN_AFTER,
      [customFetch]: (address: string, options: RequestInit) => this.fetched(address, options),
    })
  }

  /** Fetches keys; where that has failed, it is not tried for each token that comes meanwhile. */
  private async fetched(address: string, options: RequestInit): Promise<Response> {
    if (this.away && this.now() - this.away.at <= UNKNOWN_AFTER) throw this.away.error
    try {
      const answer = await fetch(address, options)
      if (!answer.ok) throw new Error(`${address} answered ${answer.status}`)
      this.away = undefined
      return answer
    } catch (error) {
      this.away = { error, at: this.now() }
      throw error
    }
  }
}

/** Who a token says has made it, which nobody has proved yet. */
function issuerIn(token: string): unknown {
  const [, body = '', sum, more] = token.length > LONGEST ? [] : token.split('.')
  if (sum === undefined || more !== undefined) return undefined
  try {
    return (JSON.parse(Buffer.from(body, 'base64url').toString()) as { iss?: unknown } | null)?.iss
  } catch {
    return undefined
  }
}
