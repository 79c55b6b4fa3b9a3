import type { Oidc } from '../define/access/oidc.js'
import type { Principal as Defined } from '../define/access/principal.js'
import { allRights, type Rights, rightsOf, rightsWithin } from '../define/access/rights.js'
import type { Secret } from '../define/source.js'
import { MoraineError } from '../errors.js'
import { OwnSecrets } from '../secrets.js'
import { isSameSecret } from './access.js'
import { OidcTokens } from './identity/oidc-tokens.js'
import {
  type Claims,
  claimsIn,
  isSigned,
  type RunClaim,
  type SignedBy,
  signed,
} from './signed-token.js'

/** Who asks, and what that principal may do. */
export interface Principal {
  readonly name: string
  readonly rights: Rights
  /** Why it can write nothing at all, where that is so. */
  readonly readOnly?: string
  /** The run for which it acts, which has fewer rights than it has itself. */
  readonly run?: RunClaim
}

/** A principal with what proves it. */
interface Known {
  readonly principal: Principal
  readonly secrets: Readonly<Record<SignedBy, Held | undefined>>
  /** Of protocols in which a secret is never sent. */
  readonly proofs: {
    readonly accessKeyId: string
    readonly secretAccessKey: Held | undefined
    readonly password: Held | undefined
  }
}

/** A principal with the secret that it has to know. */
export interface Provable {
  principal: Principal
  secret: string
}

/** A principal that has proved itself, and by which of its secrets. */
export interface Proved {
  principal: Principal
  by: SignedBy | 'oidc'
}

/** As far as a token says who it is. */
interface ProvedBy {
  principal: Pick<Principal, 'name' | 'run'>
  by: SignedBy | 'oidc'
}

interface PrincipalsOptions {
  /** One of this machine, which may do all, where `lake.ts` has none. */
  local?: LocalKeys | undefined
  now?: () => number
  /** An identity provider whose tokens stand for principals. */
  oidc?: Oidc | undefined
  /** Hears of secrets that can't be looked up; their principals are not known then. */
  onError?: ((error: unknown) => void) | undefined
}

/** What whoever works on this machine shows. */
export interface LocalKeys {
  name: string
  accessKeyId: string
  secretAccessKey: string
  password: string
  token: string
}

/** The name of the principal that may do all. */
export const OPERATOR = 'token'
/** Milliseconds after which a secret is looked up again, as it may have changed. */
const HELD_FOR = 5000

/**
 * Who may show what: the principals that `lake.ts` defines, and one that may do all where the
 * server has a token.
 */
export class Principals {
  /** Where a user finds its password, for those who show a wrong one. */
  readonly passwordsIn: string
  private readonly principals: readonly Known[]
  private readonly now: () => number
  private readonly oidc: OidcTokens | undefined
  /** Names of principals by the claims of their tokens. */
  private readonly claimed = new Map<string, string>()

  /**
   * @param token whoever shows it may do all.
   */
  constructor(
    token: Secret | undefined,
    defined: readonly Defined[] = [],
    { local, now = () => Date.now(), oidc, onError = () => {} }: PrincipalsOptions = {},
  ) {
    this.now = now
    this.passwordsIn = local
      ? `lake.ts has no principals: the user is ${local.name}, and its password is in .moraine/local-keys.json.`
      : 'The user is the name of a principal in lake.ts, and the password its password.'
    this.oidc = oidc && new OidcTokens(oidc, now, onError)
    for (const { name, oidc: claim } of defined)
      if (claim !== undefined) this.claimed.set(claim, name)
    const held = (secret: Secret | undefined) =>
      secret === undefined ? undefined : new Held(secret, now, onError)
    const secret = held(token)
    this.principals = [
      ...(secret
        ? [
            {
              principal: { name: OPERATOR, rights: allRights },
              secrets: { token: secret, clientSecret: secret },
              proofs: { accessKeyId: OPERATOR, secretAccessKey: secret, password: secret },
            },
          ]
        : []),
      ...(local
        ? [
            {
              principal: { name: local.name, rights: allRights },
              secrets: { token: held(local.token), clientSecret: undefined },
              proofs: proofsOf(local, held),
            },
          ]
        : []),
      ...defined.map((one) => ({
        principal: { name: one.name, rights: rightsOf(one.read, one.write, one.rules) },
        secrets: { token: held(one.token), clientSecret: held(one.clientSecret) },
        proofs: proofsOf(one, held),
      })),
    ]
  }

  /**
   * Looks all secrets up, so that one that is missing is not found out by requests that fail.
   *
   * @throws MoraineError for one that is missing or empty, and where two are the same.
   */
  async check(): Promise<void> {
    const seen = new Map<string, string>()
    for (const { principal, secrets, proofs } of this.principals) {
      const all = [...Object.values(secrets), proofs.secretAccessKey, proofs.password]
      for (const secret of new Set(all)) {
        if (!secret) continue
        const { name } = principal
        const of = name === OPERATOR ? 'MORAINE_TOKEN' : `The principal '${name}'`
        const value = await secret.look()
        if (value.trim() === '')
          throw new MoraineError('usage', `${of} has an empty secret`, {
            hint: 'Set it to a long random text, such as the output of: openssl rand -hex 32',
          })
        const other = seen.get(value)
        if (other !== undefined)
          throw new MoraineError('usage', `${of} has the same secret as ${lower(other)}`, {
            hint: 'Give each a secret of its own: requests of one could be the other’s.',
          })
        seen.set(value, of)
      }
    }
  }

  /** The principal whose access key this is, and the key's secret, by which requests are signed. */
  async ofAccessKey(id: string): Promise<Provable | undefined> {
    const found = this.principals.filter(({ proofs }) => proofs.accessKeyId === id)
    return found.length === 1 ? provable(found[0], found[0]?.proofs.secretAccessKey) : undefined
  }

  /** The principal of this name, and its password. */
  async ofUser(name: string): Promise<Provable | undefined> {
    const found = this.named(name)
    return provable(found, found?.proofs.password)
  }

  /** Who shows a bearer token: a static one, or one that was given for credentials. */
  async ofBearer(token: string): Promise<Proved | undefined> {
    const claims = claimsIn(token)
    if (claims) return this.ofClaims(token, claims, this.now())
    const found: Proved[] = []
    // All are compared, whoever it is: the time tells nothing.
    for (const { principal, secrets } of this.principals)
      if (isSame(token, await secrets.token?.value())) found.push({ principal, by: 'token' })
    return found.length === 1 ? found[0] : this.ofProvider(token)
  }

  /** Who shows a token of the identity provider. */
  private async ofProvider(token: string): Promise<Proved | undefined> {
    const claim = await this.oidc?.claimOf(token)
    const known = this.named((claim && this.claimed.get(claim)) || '')
    return known && { principal: known.principal, by: 'oidc' }
  }

  /** Who showed a token that was given here, though it may have expired. */
  async ofGiven(token: string): Promise<Proved | undefined> {
    const claims = claimsIn(token)
    return claims && this.ofClaims(token, claims, 0)
  }

  private async ofClaims(token: string, claims: Claims, now: number): Promise<Proved | undefined> {
    const { sub, by, exp, run } = claims
    const known = this.named(sub)
    const secret = by === 'token' || by === 'clientSecret' ? known?.secrets[by] : undefined
    const value = await secret?.value()
    if (!known || !value?.trim() || !isSigned(token, value) || exp * 1000 <= now) return undefined
    const { principal } = known
    return { principal: run ? forRun(principal, run) : principal, by }
  }

  /**
   * Who shows a client's credentials. The server's own token is one's secret whatever the client is
   * called.
   */
  async ofClient(id: string, secret: string): Promise<Proved | undefined> {
    const found: Proved[] = []
    for (const { principal, secrets } of this.principals) {
      const isRight = isSame(secret, await secrets.clientSecret?.value())
      if (isRight && (principal.name === id || principal.name === OPERATOR))
        found.push({ principal, by: 'clientSecret' })
    }
    return found.length === 1 ? found[0] : undefined
  }

  private named(name: string): Known | undefined {
    return this.principals.find(({ principal }) => principal.name === name)
  }

  /** A token for whoever has proved to be a principal, with the same rights. */
  async given({ principal, by }: ProvedBy, seconds: number): Promise<string | undefined> {
    // Its own provider gives it tokens.
    if (by === 'oidc') return undefined
    const { name: sub, run } = principal
    const secret = await this.named(sub)?.secrets[by]?.value()
    const iat = Math.floor(this.now() / 1000)
    const claims = { sub, by, iat, exp: iat + seconds, ...(run ? { run } : {}) }
    return secret ? signed(claims, secret) : undefined
  }
}

/** A principal as far as it acts for a run. */
function forRun({ name, rights }: Principal, run: RunClaim): Principal {
  return { name, rights: rightsWithin(rights, run.tables), run }
}

function proofsOf(
  {
    accessKeyId,
    secretAccessKey,
    password,
  }: Pick<Defined, 'accessKeyId' | 'secretAccessKey' | 'password'>,
  held: (secret: Secret | undefined) => Held | undefined,
): Known['proofs'] {
  const key = held(secretAccessKey)
  return {
    accessKeyId,
    secretAccessKey: key,
    password: password === secretAccessKey ? key : held(password),
  }
}

/** An empty secret proves nothing. */
async function provable(known: Known | undefined, held: Held | undefined) {
  const secret = await held?.value()
  return known && secret?.trim() ? { principal: known.principal, secret } : undefined
}

const lower = (text: string) => text.replace(/^The /, 'the ')

/** An empty secret proves nothing. */
const isSame = (given: string, right = '') => isSameSecret(given, right) && right.trim() !== ''

/** A secret that is looked up again now and then, and that no message shows. */
class Held {
  /** Nothing that prints an object shows it. */
  readonly #secret: Secret
  #found: Promise<string> | undefined
  private until = 0
  private readonly shown = new OwnSecrets()

  constructor(
    secret: Secret,
    private readonly now: () => number,
    private readonly onError: (error: unknown) => void,
  ) {
    this.#secret = secret
  }

  /** @throws whatever its function does. */
  async look(): Promise<string> {
    const value = typeof this.#secret === 'function' ? await this.#secret() : this.#secret
    this.shown.hide(value)
    return value
  }

  /** `undefined` where it can't be looked up. */
  async value(): Promise<string | undefined> {
    if (this.now() >= this.until) {
      this.until = this.now() + HELD_FOR
      this.#found = this.look()
    }
    return this.#found?.catch((error) => {
      this.until = 0
      this.onError(error)
      return undefined
    })
  }
}
