import { createHmac } from 'node:crypto'
import { sha256 } from '../checksum.js'

/** What signs requests. */
export interface SigningKeys {
  keyId: string
  secret: string
  token?: string | undefined
  region: string
}

/** A request as it goes over the wire; names of headers are in lower case. */
export interface WireRequest {
  method: string
  url: URL
  headers: Readonly<Record<string, string>>
}

/**
 * The headers that sign a request to S3 (Signature Version 4, without its body), beside its own.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 */
export function signatureOf(
  { method, url, headers }: WireRequest,
  { keyId, secret, token, region }: SigningKeys,
  now: Date,
): Record<string, string> {
  const time = now.toISOString().replace(/[-:]|\.\d+/g, '')
  const day = time.slice(0, 8)
  const added: Record<string, string> = {
    'x-amz-content-sha256': headers['x-amz-content-sha256'] ?? 'UNSIGNED-PAYLOAD',
    'x-amz-date': time,
    ...(token === undefined ? {} : { 'x-amz-security-token': token }),
  }
  const all = Object.entries({ ...headers, ...added, host: url.host }).sort(byName)
  const names = all.map(([name]) => name).join(';')
  const canonical = [
    method,
    url.pathname.split('/').map(decodeURIComponent).map(encoded).join('/'),
    queryOf(url),
    ...all.map(([name, value]) => `${name}:${value.trim().replace(/ +/g, ' ')}`),
    '',
    names,
    added['x-amz-content-sha256'],
  ].join('\n')
  const scope = `${day}/${region}/s3/aws4_request`
  const text = ['AWS4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n')
  const key = [day, region, 's3', 'aws4_request'].reduce<string | Buffer>(
    (before, part) => hmac(before, part),
    `AWS4${secret}`,
  )
  const signature = hmac(key, text).toString('hex')
  return {
    ...added,
    authorization: `AWS4-HMAC-SHA256 Credential=${keyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`,
  }
}

const byName = ([a]: readonly [string, string], [b]: readonly [string, string]) => (a < b ? -1 : 1)

function queryOf({ search }: URL): string {
  const pairs = search
    .slice(1)
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => {
      const [name = '', value = ''] = pair.split(/=(.*)/s)
      return [encoded(decodeURIComponent(name)), encoded(decodeURIComponent(value))] as const
    })
  return pairs
    .sort(([a, x], [b, y]) => (a === b ? (x < y ? -1 : 1) : a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
}

/** As S3 wants it: all but unreserved characters. */
const encoded = (text: string) =>
  encodeURIComponent(text).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  )

const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest()
