import { describe, expect, it } from 'vitest'
import type { ObjectCall } from '../storage.js'
import { s3Place } from './settings.js'
import { signerFor } from './signing.js'

const store = 'https://minio.example'
const bucket = `${store}/lakes/deep/lake`
const access = {
  url: 's3://lakes/deep/lake',
  keyId: 'k',
  secret: 's3cret',
  token: undefined,
  region: 'r',
  endpoint: undefined,
  pathStyle: true,
  expires: undefined,
}

async function sign(
  method: string,
  url: string,
  headers: Record<string, string[]> = {},
  root = `s3://lakes/deep/lake?endpoint=${store}`,
) {
  const signer = signerFor(s3Place(root), async () => access)
  const calls: ObjectCall[] = []
  const more = await signer?.sign({ method, url, headers }, (call) => void calls.push(call))
  return { call: calls[0], more }
}

const refused = (...asked: Parameters<typeof sign>) =>
  expect(sign(...asked), JSON.stringify(asked)).rejects.toThrow(/is not signed/)

describe('requests of others to a bucket', () => {
  it.each<[string, string, ObjectCall, once?: true]>([
    ['GET', '/a/b%20c/%C3%BC.parquet?x-id=GetObject', { does: 'read', path: 'a/b c/ü.parquet' }],
    ['HEAD', '/a/b', { does: 'read', path: 'a/b' }],
    ['PUT', '/a/b', { does: 'create', path: 'a/b' }, true],
    ['POST', '/a/b?uploads', { does: 'create', path: 'a/b' }],
    ['PUT', '/a/b?partNumber=1&uploadId=u', { does: 'create', path: 'a/b' }],
    ['POST', '/a/b?uploadId=u', { does: 'create', path: 'a/b' }, true],
  ])(
    '%s %s is signed, and creates an object only where there is none',
    async (method, path, call, once) => {
      const { call: seen, more } = await sign(method, bucket + path)
      expect(seen).toEqual(call)
      expect(more?.authorization).toMatch(/^AWS4-HMAC-SHA256 Credential=k\//)
      expect(JSON.stringify(more)).not.toContain('s3cret')
      expect(more?.['if-none-match']).toBe(once && '*')
      expect(more?.authorization?.includes('if-none-match;')).toBe(once === true)
    },
  )

  it('are known for what they list', async () => {
    const { call } = await sign('GET', `${store}/lakes?list-type=2&prefix=deep%2Flake%2Fa%2F`)
    expect(call).toEqual({ does: 'list', path: 'a/' })
  })

  it('go to AWS under each of its names of a bucket', async () => {
    for (const url of [
      'https://lakes.s3.eu-west-1.amazonaws.com/deep/lake/a',
      'https://lakes.s3.amazonaws.com/deep/lake/a',
      'https://s3.eu-west-1.amazonaws.com/lakes/deep/lake/a',
      'https://lakes.s3.dualstack.eu-west-1.amazonaws.com/deep/lake/a',
    ])
      expect((await sign('GET', url, {}, 's3://lakes/deep/lake')).call?.path).toBe('a')
  })

  it('are not signed where they remove, copy, or ask about anything else', async () => {
    for (const method of ['DELETE', 'PATCH', 'OPTIONS', 'get'])
      await refused(method, `${bucket}/a/b`)
    await refused('DELETE', `${bucket}/a?uploadId=u`)
    await refused('POST', `${store}/lakes?delete`)
    await refused('POST', `${bucket}/a?restore`)
    await refused('POST', `${bucket}/a?select&select-type=2`)
    for (const name of ['acl', 'tagging', 'policy', 'versions', 'retention', 'torrent', 'uploads'])
      for (const method of ['GET', 'PUT']) await refused(method, `${bucket}/a?${name}`)
    await refused('GET', `${store}/lakes?prefix=deep/lake/a/`)
    await refused('GET', store)
    await refused('GET', `${store}/lakes?list-type=2&prefix=deep/lake/a/&prefix=`)
    await refused('PUT', `${bucket}/a?partNumber=1&uploadId=u&uploadId=v`)
    await refused('GET', `${bucket}/a?response-content-type=text/html`)
    // A name that is told in two ways: of the folder 'a b', or of 'a+b'.
    await refused('GET', `${store}/lakes?list-type=2&prefix=deep%2Flake%2Fa+b%2F`)
    await refused('GET', `${bucket}/a+b`)
    expect((await sign('GET', `${bucket}/a%2Bb`)).call?.path).toBe('a+b')
  })

  it('are not signed for other places', async () => {
    for (const url of [
      'https://evil.example/lakes/deep/lake/a',
      `${store}:444/lakes/deep/lake/a`,
      'http://minio.example/lakes/deep/lake/a',
      'https://k:s@minio.example/lakes/deep/lake/a',
      `${store}/lakes2/deep/lake/a`,
      `${store}/lakes/deep/lake2/a`,
      `${store}/lakes/deep/a`,
      `${bucket}/../../other/a`,
      `${bucket}/%2e%2e/a`,
      `${bucket}/a%2F..%2Fb`,
      `${bucket}//a`,
      `${bucket}/a%5Cb`,
      `${bucket}/a%00`,
      `${bucket}/%zz`,
      `${bucket}/`,
      bucket,
      'nonsense',
    ])
      await refused('GET', url)
    await refused('GET', 'https://s3.evil.example/lakes/deep/lake/a', {}, 's3://lakes/deep/lake')
    await refused(
      'GET',
      'https://lakes.s3.amazonaws.com.evil.example/deep/lake/a',
      {},
      's3://lakes/deep/lake',
    )
    await refused('GET', `${store}/lakes?list-type=2&prefix=deep`)
    await refused('GET', `${store}/lakes?list-type=2`)
  })

  it('are not signed with headers that change what they do', async () => {
    const url = `${bucket}/a`
    for (const [name, value] of [
      ['x-amz-copy-source', '/lakes/deep/lake/_moraine/log/1'],
      ['X-Amz-Copy-Source', '/lakes/x'],
      ['x-amz-acl', 'public-read'],
      ['x-amz-grant-read', 'x'],
      ['x-amz-object-lock-mode', 'COMPLIANCE'],
      ['x-amz-tagging', 'a=b'],
      ['x-amz-security-token', 't'],
      ['x-amz-date', '20130524T000000Z'],
      ['x-amz-server-side-encryption-customer-key', 'x'],
      ['x-amz-website-redirect-location', '/'],
      ['authorization', 'AWS4'],
      ['x-amz-content-sha256', 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD'],
      ['if-none-match', '"another"'],
      ['content-type', 'a\r\nx-amz-acl: public-read'],
    ] as const)
      await refused('PUT', url, { [name]: [value] })
    const fine = { 'x-amz-sdk-checksum-algorithm': ['CRC32'], range: ['bytes=0-1'] }
    expect((await sign('PUT', url, fine)).call?.does).toBe('create')
  })

  it('are not signed for a bucket that needs no keys', () => {
    expect(signerFor(s3Place('s3://b/x?anonymous=true'), async () => access)).toBeUndefined()
  })
})
