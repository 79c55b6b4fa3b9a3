import { createHmac, timingSafeEqual } from 'node:crypto'
import { MoraineError } from '../errors.js'

/** Which of a principal's secrets a token was given for, and is signed with. */
export type SignedBy = 'token' | 'clientSecret'

/** What a run's own token is for; it takes all other rights away. */
export interface RunClaim {
  /** The run's id. */
  id: string
  /** Its own branch, the only one that it is for. */
  branch: string
  /**
   * The tables that it may write there: `gold.daily`. All others it may read, as its principal may.
   */
  tables: readonly string[]
}

/** What a token says, in the names of RFC 7519; times in seconds since 1970. */
export interface Claims {
  /** The principal's name. */
  sub: string
  by: SignedBy
  iat: number
  exp: number
  run?: RunClaim
}

/**
 * A token with a claim that is not known here says less than it seems to, such as "only this
 * table": it is not valid.
 */
const known: Readonly<Record<keyof Claims, (value: unknown) => boolean>> = {
  sub: isText,
  by: isText,
  iat: (value) => typeof value === 'number',
  exp: (value) => typeof value === 'number',
  run: (value) => value === undefined || isRunClaim(value),
}

/** The one header that is signed and accepted: no other algorithm can be asked for. */
const HEADER = encoded({ alg: 'HS256', typ: 'JWT' })
/** Characters: what servers take as a header. */
const LONGEST = 8192

/**
 * A token that proves itself (JWT, RFC 7519): no server has to remember it.
 *
 * @throws MoraineError of kind `usage` where it would say more than a header holds.
 */
export function signed(claims: Claims, secret: string): string {
  const text = `${HEADER}.${encoded(claims)}`
  const token = `${text}.${signature(text, secret)}`
  if (token.length <= LONGEST) return token
  throw new MoraineError(
    'usage',
    `${claims.run?.tables.length ?? 0} tables are too many for one token`,
    { hint: 'Build fewer at once: moraine run --only <datasets>' },
  )
}

/** What a token says that nobody has proved yet; `undefined` for a text that is none. */
export function claimsIn(token: string): Claims | undefined {
  const [header, body = '', sum, more] = token.length > LONGEST ? [] : token.split('.')
  if (header !== HEADER || sum === undefined || more !== undefined) return undefined
  try {
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as Record<string, unknown>
    const isKnown =
      isObject(claims) &&
      Object.keys(claims).every((name) => Object.hasOwn(known, name)) &&
      Object.entries(known).every(([name, isRight]) => isRight(claims[name]))
    return isKnown ? (claims as unknown as Claims) : undefined
  } catch {
    return undefined
  }
}

/** Whether a token was signed with a secret; in the same time wherever it differs. */
export function isSigned(token: string, secret: string): boolean {
  const at = token.lastIndexOf('.')
  const right = Buffer.from(signature(token.slice(0, at), secret))
  const given = Buffer.from(token.slice(at + 1))
  return given.length === right.length && timingSafeEqual(given, right)
}

function signature(text: string, secret: string): string {
  // What signs is not the secret itself, which is shown as a token as well.
  const key = createHmac('sha256', secret).update('moraine access token').digest()
  return createHmac('sha256', key).update(text).digest('base64url')
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function isRunClaim(value: unknown): boolean {
  if (!isObject(value) || Object.keys(value).length !== 3) return false
  const { id, branch, tables } = value
  return isText(id) && isText(branch) && Array.isArray(tables) && tables.every(isText)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
