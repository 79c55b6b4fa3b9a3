import { describe, expect, it } from 'vitest'
import { signatureOf } from './signature.js'

/** The examples of AWS's own description of its signature. */
const keys = {
  keyId: 'AKIAIOSFODNN7EXAMPLE',
  secret: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  region: 'us-east-1',
}
const now = new Date('2013-05-24T00:00:00.123Z')
const empty = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
const host = 'https://examplebucket.s3.amazonaws.com'

const signed = (method: string, url: string, headers: Record<string, string>) =>
  /Signature=(.*)$/.exec(
    signatureOf({ method, url: new URL(host + url), headers }, keys, now).authorization as string,
  )?.[1]

describe('a signature', () => {
  it('is the one of AWS’s examples', () => {
    const sum = { 'x-amz-content-sha256': empty }
    expect(signed('GET', '/test.txt', { ...sum, range: 'bytes=0-9' })).toBe(
      'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
    )
    expect(signed('GET', '/?lifecycle', sum)).toBe(
      'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
    )
    expect(signed('GET', '/?max-keys=2&prefix=J', sum)).toBe(
      '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
    )
    expect(
      signed('PUT', '/test%24file.text', {
        'x-amz-content-sha256': '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072',
        'x-amz-storage-class': 'REDUCED_REDUNDANCY',
        date: 'Fri, 24 May 2013 00:00:00 GMT',
      }),
    ).toBe('98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd')
  })

  it('is the same however a client encodes a path or orders a query', () => {
    const one = signed('GET', '/a%20b=c/%C3%BC?b=2&a=%2F', {})
    expect(signed('GET', '/a%20b%3Dc/ü?a=/&b=2', {})).toBe(one)
    expect(signed('GET', '/a%20b%3Dd/ü?a=/&b=2', {})).not.toBe(one)
  })

  it('names the token of keys that have one', () => {
    const request = { method: 'GET', url: new URL(host), headers: {} }
    const { authorization, ...others } = signatureOf(request, { ...keys, token: 't' }, now)
    expect(authorization).toContain('SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-sec')
    expect(others).toMatchObject({ 'x-amz-security-token': 't', 'x-amz-date': '20130524T000000Z' })
  })
})
