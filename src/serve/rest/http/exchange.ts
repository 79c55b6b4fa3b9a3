import type { Context } from 'hono'
import { parseJson, toJsonText } from '../../../iceberg/json.js'
import { isObject, type Json } from '../../../iceberg/spec/updates/json.js'
import { sha256 } from '../../../storage/checksum.js'
import { BadBody, readBody, refuseEncoded } from '../../body.js'
import { HeldBytes } from '../../held-bytes.js'
import type { Caller, RequestKey } from '../caller.js'
import { badRequest, type OAuthError, RestError } from '../errors.js'
import type { MetadataPointer } from '../files.js'
import { checkedName, checkedNamespace, type Identifier } from '../names.js'

/** Bytes of one request, and of all that are being read. */
const LARGEST = 64 * 2 ** 20
const held = () => new HeldBytes(4 * LARGEST)

/** Reads bodies of requests, all together within a limit. */
export class Bodies {
  private readonly held = held()

  async text(c: Context): Promise<string> {
    const counted = { bytes: 0 }
    try {
      refuseEncoded(c.req.header('content-encoding'))
      const bytes = await readBody(c.req.raw.body, { most: LARGEST, held: this.held }, counted)
      return bytes.toString()
    } catch (error) {
      if (!(error instanceof BadBody)) throw error
      if (error.status === 503)
        throw new RestError(503, 'ServiceUnavailableException', error.message)
      const status = error.status === 413 || error.status === 415 ? error.status : 400
      throw new RestError(status, 'BadRequestException', error.message)
    } finally {
      this.held.give(counted.bytes)
    }
  }

  async json(c: Context): Promise<Json> {
    const text = await this.text(c)
    const caller: Caller | undefined = c.get('caller')
    if (caller?.request) c.set('caller', { ...caller, request: withBody(caller.request, text) })
    let value: unknown
    try {
      value = parseJson(text)
    } catch {
      throw badRequest('The body of the request is not JSON')
    }
    if (!isObject(value)) throw badRequest('The body of the request is not a JSON object')
    return value
  }
}

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

const withBody = ({ key, sha256: what }: RequestKey, body: string): RequestKey => ({
  key,
  sha256: sha256(`${what} ${body}`),
})
