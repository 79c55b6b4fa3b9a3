import type { Context } from 'hono'
import { toJsonText } from '../../../iceberg/json.js'
import { isObject } from '../../../iceberg/spec/updates/json.js'
import { sha256 } from '../../../storage/checksum.js'
import type { RequestKey } from '../caller.js'
import { badRequest, type OAuthError } from '../errors.js'
import type { MetadataPointer } from '../files.js'
import { checkedName, checkedNamespace, type Identifier } from '../names.js'

/** An answer of JSON whose whole numbers keep all digits. */
export function told(c: Context, value: unknown, status: 200 = 200): Response {
  return toldText(c, toJsonText(value, 0), status)
}

export function toldText(c: Context, text: string, status: 200 = 200): Response {
  return c.body(text, status, { 'content-type': 'application/json' })
}

/** An answer of the token endpoint that refuses, as OAuth2 spells it (RFC 6749, 5.2). */
export function toldOAuthError(c: Context, { status, error, message }: OAuthError): Response {
  if (status === 401) c.header('www-authenticate', 'Basic realm="moraine"')
  c.header('cache-control', 'no-store')
  return c.json({ error, error_description: message }, status)
}

export const nothing = (c: Context) => c.body(null, 204)

/** A table or view that a request names in its body. */
export function identifierIn(value: unknown): Identifier {
  if (!isObject(value)) throw badRequest('An identifier must have a namespace and a name')
  return { namespace: checkedNamespace(value.namespace), name: checkedName(value.name) }
}

/** What changes with the metadata of a table, for clients that have them already. */
export const etagOf = ({ metadata, sha256 }: MetadataPointer, mode: string) =>
  `W/"${sha256 ?? Buffer.from(metadata).toString('base64url')}-${mode}"`

/** Characters of a key that a request may have. */
const KEY = /^[\w-]{1,128}$/

/**
 * The key that a client gave a request, so that it is carried out once however often it is sent.
 *
 * @throws RestError for one that can't be kept.
 */
export function requestKey(c: Context, principal: string): RequestKey | undefined {
  const key = c.req.header('idempotency-key')
  if (key === undefined) return undefined
  if (!KEY.test(key)) throw badRequest('An idempotency key must be 1 to 128 letters, digits and -')
  const what = new URL(c.req.url)
  return { key, sha256: sha256(`${principal} ${c.req.method} ${what.pathname}${what.search}`) }
}
