import { createHmac, timingSafeEqual } from 'node:crypto'

/** Which of a principal's secrets a token was given for, and is signed with. */
export type SignedBy = 'token' | 'clientSecret'

/** What a token says, in the names of RFC 7519; times in seconds since 1970. */
export interface Claims {
  /** The principal's name. */
  sub: string
  by: SignedBy
  iat: number
  exp: number
}

/**
 * A token with a claim that is not known here says less than it seems to, such as "only this
 * table": it is not valid.
 */
const known: Readonly<Record<keyof Claims, 'string' | 'number'>> = {
  sub: 'string',
  by: 'string',
  iat: 'number',
  exp: 'number',
}

/** The one header that is signed and accepted: no other algorithm can be asked for. */
const HEADER = encoded({ alg: 'HS256', typ: 'JWT' })
const LONGEST = 4096

/** A token that proves itself (JWT, RFC 7519): no server has to remember it. */
export function signed(claims: Claims, secret: string): string {
  const text = `${HEADER}.${encoded(claims)}`
  return `${text}.${signature(text, secret)}`
}

/** What a token says that nobody has proved yet; `undefined` for a text that is none. */
export function claimsIn(token: string): Claims | undefined {
  const [header, body = '', sum, more] = token.length > LONGEST ? [] : token.split('.')
  if (header !== HEADER || sum === undefined || more !== undefined) return undefined
  try {
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as Record<string, unknown>
    const names = Object.keys(claims)
    const isKnown =
      names.length === Object.keys(known).length &&
      Object.entries(known).every(([name, type]) => typeof claims[name] === type)
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

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
