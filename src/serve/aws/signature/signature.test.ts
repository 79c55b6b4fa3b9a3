import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { provedBody } from './body.js'
import { canonicalRequest, hmac, signingKey, stringToSign } from './canonical.js'
import { type Asking, EMPTY, type KeyHolder, verify } from './verify.js'

/*
 * The examples of AWS's own documentation of S3, and what is not one of them.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 */

const KEY = 'AKIAIOSFODNN7EXAMPLE'
const SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'
const AT = Date.parse('2013-05-24T00:00:00Z')
const keyFor = async ({ id }: { id: string }): Promise<KeyHolder<string> | undefined> =>
  id === KEY ? { who: 'ann', secret: SECRET } : undefined

const asking = (
  method: string,
  target: string,
  headers: Record<string, string>,
  bodySha256 = EMPTY,
): Asking => ({
  method,
  target,
  header: (name) => headers[name],
  present: Object.keys(headers),
  bodySha256,
})

const scope = `${KEY}/20130524/us-east-1/s3/aws4_request`
const signedBy = (names: string, signature: string) =>
  `AWS4-HMAC-SHA256 Credential=${scope},SignedHeaders=${names},Signature=${signature}`

const get = {
  host: 'examplebucket.s3.amazonaws.com',
  range: 'bytes=0-9',
  'x-amz-content-sha256': EMPTY,
  'x-amz-date': '20130524T000000Z',
  authorization: signedBy(
    'host;range;x-amz-content-sha256;x-amz-date',
    'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
  ),
}
const link =
  '/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256' +
  '&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request' +
  '&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host' +
  '&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404'

const code = (asked: Asking, now = AT) =>
  verify(asked, keyFor, now).then(
    () => 'believed',
    (error: { code?: string }) => error.code ?? String(error),
  )

describe('a request that is signed', () => {
  it('is believed by its headers, or by its link', async () => {
    const { who, payload, scope } = await verify(asking('GET', '/test.txt', get), keyFor, AT)
    expect(who).toBe('ann')
    expect(scope).toEqual({ day: '20130524', region: 'us-east-1', service: 's3' })
    expect(payload).toEqual({ kind: 'hash', sha256: EMPTY })
    expect(await code(asking('GET', link, { host: get.host }))).toBe('believed')
  })

  it.each<[string, Asking, string, number?]>([
    ['another method', asking('PUT', '/test.txt', get), 'SignatureDoesNotMatch'],
    ['another path', asking('GET', '/test.txT', get), 'SignatureDoesNotMatch'],
    ['one more parameter', asking('GET', '/test.txt?acl', get), 'SignatureDoesNotMatch'],
    [
      'another range',
      asking('GET', '/test.txt', { ...get, range: 'bytes=0-99' }),
      'SignatureDoesNotMatch',
    ],
    [
      'an open header',
      asking('GET', '/test.txt', { ...get, 'x-amz-target': 'x' }),
      'IncompleteSignature',
    ],
    ['an hour later', asking('GET', '/test.txt', get), 'RequestTimeTooSkewed', AT + 3_600_000],
    ['an hour before', asking('GET', '/test.txt', get), 'RequestTimeTooSkewed', AT - 3_600_000],
    [
      'a link two days later',
      asking('GET', link, { host: get.host }),
      'AccessDenied',
      AT + 2 * 86_400_000,
    ],
    ['a link to another host', asking('GET', link, { host: 'other' }), 'SignatureDoesNotMatch'],
    [
      'a link for longer',
      asking('GET', link.replace('=86400', '=604800'), { host: get.host }),
      'SignatureDoesNotMatch',
    ],
    [
      'a link for ever',
      asking('GET', link.replace('=86400', '=9999999'), { host: get.host }),
      'IncompleteSignature',
    ],
    ['both', asking('GET', link, get), 'IncompleteSignature'],
    ['neither', asking('GET', '/test.txt', { host: get.host }), 'MissingAuthenticationToken'],
    ['a broken path', asking('GET', '/%zz', get), 'IncompleteSignature'],
    ['a broken query', asking('GET', '/test.txt?%', get), 'IncompleteSignature'],
    [
      'an unknown key',
      asking('GET', '/test.txt', {
        ...get,
        authorization: get.authorization.replace(KEY, 'AKIAOTHER'),
      }),
      'SignatureDoesNotMatch',
    ],
    [
      'another service',
      asking('GET', '/test.txt', {
        ...get,
        authorization: get.authorization.replace('/s3/', '/ec2/'),
      }),
      'SignatureDoesNotMatch',
    ],
    [
      'an older scheme',
      asking('GET', '/test.txt', { ...get, authorization: 'AWS AKIA:sig' }),
      'IncompleteSignature',
    ],
  ])('is not with %s', async (_, asked, expected, now = AT) => {
    expect(await code(asked, now)).toBe(expected)
  })
})

const refusals = [
  ...['IncompleteSignature', 'SignatureDoesNotMatch', 'AccessDenied'],
  'MissingAuthenticationToken',
]

describe('a request that is anything', () => {
  const part = fc.oneof(
    fc.constantFrom('AWS4-HMAC-SHA256 ', 'Credential=', KEY, '/20130524/us-east-1/s3/aws4_request'),
    fc.constantFrom(',SignedHeaders=', 'host;x-amz-date', ',Signature=', '0'.repeat(64), '%', ';'),
    fc.string({ maxLength: 6 }),
  )
  const header = fc.array(part, { maxLength: 8 }).map((parts) => parts.join(''))

  it('is refused with a code that clients know', async () => {
    await fc.assert(
      fc.asyncProperty(header, fc.string(), header, async (authorization, target, query) => {
        const headers = { ...get, authorization }
        for (const asked of [
          asking('GET', `/${target}`, headers),
          asking('GET', `/${target}?X-Amz-Signature=${query}&X-Amz-Credential=${query}`, {
            host: 'h',
          }),
        ])
          expect(refusals).toContain(await code(asked))
      }),
      { numRuns: 300 },
    )
  })
})

/** What S3 takes a target for: a path, and the value of each name. */
function meaningOf(target: string): string {
  const at = target.indexOf('?')
  const path = (at < 0 ? target : target.slice(0, at)).split('/').map(decodeURIComponent)
  const query = (at < 0 ? '' : target.slice(at + 1)).split('&').filter((pair) => pair !== '')
  const pairs = query.map((pair) => /^([^=]*)=?(.*)$/s.exec(pair)?.slice(1).map(decodeURIComponent))
  return JSON.stringify([
    path,
    Object.entries(Object.fromEntries(pairs as [string, string][])).sort(),
  ])
}

describe('a target that is changed on its way', () => {
  const piece = fc.constantFrom(
    ...['a', 'b', '/', '//', '.', '..', '+', '%2B', '%20', '%2F', '%2f', '%252F', '%C3%BC', '%5C'],
    ...[';', ':', '~', '%7E', '*', '%00', '@', '%', 'ü', '\\'],
  )
  const text = fc.array(piece, { maxLength: 5 }).map((pieces) => pieces.join(''))
  const name = fc.constantFrom('prefix', 'list-type', 'versionId', 'delete', 'acl', 'a', '%61')
  const query = fc
    .array(fc.tuple(name, fc.constantFrom('=', ''), text), { maxLength: 3 })
    .map((pairs) => pairs.map((pair) => pair.join('')).join('&'))
  const target = fc.tuple(text, query).map(([path, more]) => `/${path}${more && `?${more}`}`)
  const changes: ((target: string) => string)[] = [
    (one) => one.replace(/%[0-9A-F]{2}/, (octet) => octet.toLowerCase()),
    (one) => one.replace(/%2B/, '+'),
    (one) => one.replace(/\+/, '%20'),
    (one) => one.replace(/%20/, '+'),
    (one) => one.replace(/%2F/i, '/'),
    (one) => one.replace(/(?<=.)\//, '%2F'),
    (one) => one.replace(/%25/, '%'),
    (one) => one.replace(/\/\//, '/'),
    (one) => one.replace(/\/[^/?]*\/\.\.(?=\/|$|\?)/, ''),
    (one) => one.replace(/%5C/, '\\'),
    (one) => one.replace(/\?(.*)&([^&]*)$/, '?$2&$1'),
    (one) => one.replace(/\?(.*)$/, '?$1&$1'),
    (one) => one.replace(/=/, '%3D'),
    (one) => one.replace(/&/, '%26'),
    (one) => one.replace(/a/, '%61'),
    (one) => one.replace(/\?/, '?&&'),
  ]

  const sign = (of: string, headers: Record<string, string>) => {
    const names = Object.keys(headers).sort()
    const asked = asking('GET', of, headers)
    const canonical = canonicalRequest(asked, { service: 's3', names, payload: EMPTY })
    const scope = { day: '20130524', region: 'us-east-1', service: 's3' }
    const text = stringToSign('20130524T000000Z', scope, canonical)
    const signature = hmac(signingKey(SECRET, scope), text).toString('hex')
    return { ...headers, authorization: signedBy(names.join(';'), signature) }
  }

  it('is believed only where it still means what was signed', async () => {
    const { authorization: _, ...headers } = get
    let believed = 0
    await fc.assert(
      fc.asyncProperty(target, fc.array(fc.nat(changes.length - 1)), async (first, order) => {
        let signed: Record<string, string>
        try {
          signed = sign(first, headers)
        } catch {
          // No client signs what is no address.
          return
        }
        const second = order.reduce((one, i) => (changes[i] as (one: string) => string)(one), first)
        if ((await code(asking('GET', second, signed))) !== 'believed') return
        believed++
        expect(meaningOf(second), `${first} → ${second}`).toBe(meaningOf(first))
      }),
      { numRuns: 2000 },
    )
    expect(believed).toBeGreaterThan(100)
  })

  it('names nothing twice: which one counts would be for who passes it on to choose', async () => {
    const { authorization: _, ...headers } = get
    for (const one of ['/b?prefix=x&prefix=y', '/b?prefix=x&%70refix=y', '/b?acl&acl'])
      expect(await code(asking('GET', one, sign(one, headers)))).toBe('IncompleteSignature')
    const once = sign('/b?prefix=x', headers)
    expect(await code(asking('GET', '/b?prefix=x', once))).toBe('believed')
  })
})

describe('a body in chunks', () => {
  const headers = {
    host: 's3.amazonaws.com',
    'x-amz-date': '20130524T000000Z',
    'x-amz-storage-class': 'REDUCED_REDUNDANCY',
    'content-encoding': 'aws-chunked',
    'content-length': '66824',
    'x-amz-decoded-content-length': '66560',
    'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
    authorization: signedBy(
      'content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class',
      '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9',
    ),
  }
  const chunk = (data: string, signature: string) =>
    `${data.length.toString(16)};chunk-signature=${signature}\r\n${data}\r\n`
  const body = [
    chunk('a'.repeat(65536), 'ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648'),
    chunk('a'.repeat(1024), '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497'),
    chunk('', 'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9'),
  ].join('')

  async function read(text: string, pieces = 1000): Promise<string> {
    const { payload } = await verify(
      asking('PUT', '/examplebucket/chunkObject.txt', headers),
      keyFor,
      AT,
    )
    async function* source() {
      for (let at = 0; at < text.length; at += pieces)
        yield Buffer.from(text.slice(at, at + pieces), 'latin1')
    }
    const parts: Uint8Array[] = []
    const header = (name: string) => (headers as Record<string, string>)[name]
    try {
      for await (const part of provedBody(source(), payload, header, 10 ** 6)) parts.push(part)
    } catch (error) {
      return (error as { code: string }).code
    }
    return Buffer.concat(parts).toString('latin1')
  }

  it('is believed chunk by chunk, however it comes', async () => {
    const all = 'a'.repeat(66560)
    for (const pieces of [7, 1000, 10 ** 6]) expect((await read(body, pieces)) === all).toBe(true)
  })

  it.each<[string, string, string]>([
    ['a byte that is another', body.replace('aaa\r\n0;', 'aab\r\n0;'), 'SignatureDoesNotMatch'],
    ['a chunk less', body.replace(/400;[\s\S]*?\r\na+\r\n/, ''), 'SignatureDoesNotMatch'],
    ['no end', body.slice(0, 65700), 'IncompleteBody'],
    ['no last chunk', body.slice(0, -90), 'IncompleteBody'],
    ['more after its end', `${body}x`, 'IncompleteBody'],
    ['a length that is none', `zz${body}`, 'IncompleteBody'],
    ['no signatures', body.replaceAll(/;chunk-signature=\w+/g, ''), 'SignatureDoesNotMatch'],
    ['a chunk of 4 GB', body.replace('10000;', 'ffffffff;'), 'IncompleteBody'],
  ])('is not with %s', async (_, text, expected) => {
    expect(await read(text)).toBe(expected)
  })
})
