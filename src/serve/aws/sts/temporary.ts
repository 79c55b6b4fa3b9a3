import { createHmac } from 'node:crypto'
import { isSameSecret } from '../../access.js'

/**
 * Keys that hold for a while; all that they are stands in the token, signed by the key behind it.
 */
export interface TemporaryKeys {
  accessKeyId: string
  secretAccessKey: string
  sessionToken: string
  expires: Date
}

interface Claims {
  /** The access key of the principal for whom it is. */
  key: string
  id: string
  exp: number
}

const sign = (secret: string, text: string) =>
  createHmac('sha256', secret).update(text).digest('base64url')

/** @param secret of the principal's own key: once it changes, no token is worth anything. */
export function temporaryKeys(
  { key, secret, id }: { key: string; secret: string; id: string },
  seconds: number,
  now = Date.now(),
): TemporaryKeys {
  const exp = Math.floor(now / 1000) + seconds
  const claims = Buffer.from(JSON.stringify({ key, id, exp } satisfies Claims)).toString(
    'base64url',
  )
  const sessionToken = `${claims}.${sign(secret, `moraine token ${claims}`)}`
  return {
    accessKeyId: id,
    secretAccessKey: secretOf(secret, sessionToken),
    sessionToken,
    expires: new Date(exp * 1000),
  }
}

const secretOf = (secret: string, token: string) => sign(secret, `moraine secret ${token}`)

/** The key for which a token was given, by what it says itself; nothing of it is proved. */
export function keyNamedIn(token: string): string | undefined {
  return claimsIn(token)?.key
}

/** The secret of temporary keys, where the token was given here for this key and still holds. */
export function secretFor(
  token: string,
  id: string,
  secret: string,
  now = Date.now(),
): string | undefined {
  const claims = claimsIn(token)
  if (!claims || claims.id !== id || claims.exp * 1000 <= now) return undefined
  const [text = '', signature = ''] = token.split('.')
  return isSameSecret(signature, sign(secret, `moraine token ${text}`))
    ? secretOf(secret, token)
    : undefined
}

function claimsIn(token: string): Claims | undefined {
  if (token.length > 2048) return undefined
  try {
    const found = JSON.parse(
      Buffer.from(token.split('.')[0] ?? '', 'base64url').toString(),
    ) as Partial<Claims>
    const { key, id, exp } = found
    const isWhole = typeof key === 'string' && typeof id === 'string' && typeof exp === 'number'
    return isWhole ? { key, id, exp } : undefined
  } catch {
    return undefined
  }
}
