import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { encoded, scopeText, sha256 } from '../../../src/serve/aws/signature/canonical.js'
import { type ServedLake, servedLake } from './served.js'
import { signatureOf, timesOf } from './signed.js'

let lake: ServedLake
beforeAll(async () => {
  lake = await servedLake()
})
afterAll(() => lake.close())

/** A link that is signed by somebody who may do all, as it is handed on. */
function link(service: string, target: string, { age = 0, seconds = 900 } = {}): string {
  const { time, day } = timesOf(new Date(Date.now() - age * 1000))
  const scope = { day, region: 'us-east-1', service }
  const more = Object.entries({
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': `AKIABOSS/${scopeText(scope)}`,
    'X-Amz-Date': time,
    'X-Amz-Expires': String(seconds),
    'X-Amz-SignedHeaders': 'host',
  }).map(([name, value]) => `${name}=${encoded(value)}`)
  const whole = `${target}${target.includes('?') ? '&' : '?'}${more.join('&')}`
  const { host } = new URL(lake.url)
  const asked = { method: 'GET', target: whole, header: () => host }
  const payload = service === 's3' ? 'UNSIGNED-PAYLOAD' : sha256('')
  const signature = signatureOf(asked, { time, scope, names: ['host'], payload })
  return `${whole}&X-Amz-Signature=${signature}`
}

/** Sends a target as it is: no client library puts it in order. */
async function get(target: string, headers: Record<string, string> = {}) {
  const { hostname, port } = new URL(lake.url)
  return new Promise<{ status: number; text: string }>((resolve, reject) => {
    const sent = request({ hostname, port, path: target, headers }, (answer) => {
      let text = ''
      answer.setEncoding('utf8').on('data', (part) => {
        text += part
      })
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }))
    })
    sent.on('error', reject).end()
  })
}

const identity = '/?Action=GetCallerIdentity&Version=2011-06-15'

describe('a link that somebody has signed and handed on', () => {
  it('by version 2 is told that version 4 is needed, as S3 tells of errors', async () => {
    const old = await get('/mine/x.csv?AWSAccessKeyId=AKIABOSS&Signature=abc%3D&Expires=1999999999')
    expect(old).toMatchObject({
      status: 400,
      text: expect.stringMatching(/<Code>InvalidRequest<\/Code>.*version 4 is needed/s),
    })
    expect(await get('/mine/x.csv', { authorization: 'AWS AKIABOSS:abc=' })).toMatchObject({
      status: 400,
      text: expect.stringContaining('version 4 is needed'),
    })
  })

  it('is good for its service, and for no other', async () => {
    // As a proof of who one is, such links are given to others.
    const proof = link('sts', identity)
    expect(await get(proof)).toMatchObject({ status: 200, text: expect.stringContaining('boss') })
    // S3 would list the buckets at this address.
    expect(await get(link('s3', '/'))).toMatchObject({
      status: 200,
      text: expect.stringContaining('ListAllMyBucketsResult'),
    })
    for (const other of [
      proof.replaceAll('%2F', '%2f'),
      proof.replace('%2Fsts%2F', '%2Fs3%2F'),
      proof.replace('%2Fsts%2F', '%2F%73ts%2F'),
      proof.replace('X-Amz-Credential=AKIABOSS%2F', 'X-Amz-Credential=AKIABOSS/'),
      link('glue', '/').replaceAll('%2F', '%2f'),
      link('athena', '/').replace('%2Fathena%2F', '%2F%61thena%2F'),
    ]) {
      const { status, text } = await get(other)
      expect([status, text], other).not.toEqual([200, expect.stringContaining('Bucket')])
    }
  })

  it('says what it was signed to say, however its signs are written', async () => {
    const action = (session: string) =>
      `/?Action=AssumeRole&RoleArn=${encoded('arn:aws:iam::000000000000:role/AKIABOSS')}&RoleSessionName=${session}`
    const signed = link('sts', action('a%2Bb'))
    for (const one of [signed, signed.replace('a%2Bb', 'a+b')]) {
      const { status, text } = await get(one)
      expect([status, text]).toEqual([200, expect.stringContaining('/a+b<')])
    }
    expect((await get(signed.replace('a%2Bb', 'a%20b'))).status).toBe(403)
  })

  it('is refused once anything of it is another', async () => {
    const signed = link('s3', '/mine/a%2Fb?versionId=1')
    const known = (await get(signed)).status
    expect(known).toBe(404)
    for (const other of [
      signed.replace('/mine/', '//mine/'),
      signed.replace('/mine/', '/mine//'),
      signed.replace('/mine/', '/mine/../mine/'),
      signed.replace('a%2Fb', 'a/b'),
      signed.replace('a%2Fb', 'a%252Fb'),
      signed.replace('versionId=1', 'versionId=2'),
      signed.replace('versionId=1&', ''),
      signed.replace('X-Amz-Expires=900', 'X-Amz-Expires=604800'),
      `${signed}&versionId=0`,
      `${signed}&acl`,
      `${signed}&X-Amz-Expires=900`,
      `${signed}&X%2DAmz%2DSignature=${'0'.repeat(64)}`,
      signed.replace('X-Amz-SignedHeaders=host', 'X-Amz-SignedHeaders=host%3Brange'),
      signed.replace('X-Amz-SignedHeaders=host', 'X-Amz-SignedHeaders='),
    ])
      expect([400, 403], other).toContain((await get(other)).status)
  })

  it('is refused when it is over, early, for another host, or with more than was signed', async () => {
    expect(await get(link('s3', '/', { age: 20, seconds: 10 }))).toMatchObject({
      status: 403,
      text: expect.stringContaining('Request has expired'),
    })
    expect((await get(link('s3', '/', { age: -3600 }))).status).toBe(403)
    const signed = link('s3', '/')
    const { port } = new URL(lake.url)
    expect((await get(signed, { host: `localhost:${port}` })).status).toBe(403)
    for (const [name, value] of [
      ['x-amz-copy-source', '/moraine-lake/x'],
      ['x-amz-content-sha256', 'STREAMING-UNSIGNED-PAYLOAD-TRAILER'],
      ['x-amz-security-token', 'x'],
      ['authorization', 'AWS4-HMAC-SHA256 Credential=AKIABOSS/20260101/us-east-1/s3/aws4_request'],
    ] as const)
      expect([400, 403], name).toContain((await get(signed, { [name]: value })).status)
    expect(lake.errors).toEqual([])
  })
})
