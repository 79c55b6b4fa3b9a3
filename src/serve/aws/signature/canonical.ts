import { createHash, createHmac } from 'node:crypto'

/** A request as it came over the wire. */
export interface SignedRequest {
  method: string
  /** The path and query as they were sent, such as `/bucket/a%20b?list-type=2`. */
  target: string
  /** Values of a header, in the order in which they came. */
  header: (name: string) => string | undefined
}

/** What a key is for: a day, a region and a service. */
export interface Scope {
  day: string
  region: string
  service: string
}

export const scopeText = ({ day, region, service }: Scope) =>
  `${day}/${region}/${service}/aws4_request`

export const sha256 = (data: string | Uint8Array) => createHash('sha256').update(data).digest('hex')

export const hmac = (key: string | Buffer, text: string) =>
  createHmac('sha256', key).update(text).digest()

/** The key that signs within a scope. */
export function signingKey(secret: string, { day, region, service }: Scope): Buffer {
  return [day, region, service, 'aws4_request'].reduce<Buffer | string>(
    (before, part) => hmac(before, part),
    `AWS4${secret}`,
  ) as Buffer
}

/** As AWS wants it: all but unreserved characters. */
export const encoded = (text: string) =>
  encodeURIComponent(text).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  )

/** The path and the query of a target. */
export function partsOf(target: string): { path: string; pairs: [string, string][] } {
  const at = target.indexOf('?')
  const path = at < 0 ? target : target.slice(0, at)
  const pairs = (at < 0 ? '' : target.slice(at + 1))
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair): [string, string] => {
      const equals = pair.indexOf('=')
      const [name, value] =
        equals < 0 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)]
      return [decodeURIComponent(name), decodeURIComponent(value)]
    })
  return { path, pairs }
}

/**
 * The text of which a signature is made (Signature Version 4).
 *
 * @param payload the hash of the body, or the words that stand in its place.
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
export function canonicalRequest(
  { method, target, header }: SignedRequest,
  { service, names, payload }: { service: string; names: readonly string[]; payload: string },
): string {
  const { path, pairs } = partsOf(target)
  const segments = path.split('/').map((one) => encoded(decodeURIComponent(one)))
  // Only S3 signs the path as it is sent; others encode it once more.
  const canonicalPath = (service === 's3' ? segments : segments.map(encoded)).join('/')
  const query = pairs
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => [encoded(name), encoded(value)] as const)
    .sort(([a, x], [b, y]) => (a < b ? -1 : a > b ? 1 : x < y ? -1 : x > y ? 1 : 0))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
  const headers = names.map(
    (name) => `${name}:${(header(name) ?? '').trim().replace(/ +/g, ' ')}\n`,
  )
  return [method, canonicalPath || '/', query, headers.join(''), names.join(';'), payload].join(
    '\n',
  )
}

export const stringToSign = (time: string, scope: Scope, canonical: string) =>
  ['AWS4-HMAC-SHA256', time, scopeText(scope), sha256(canonical)].join('\n')
