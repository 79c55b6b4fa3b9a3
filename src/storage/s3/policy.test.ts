import { describe, expect, it } from 'vitest'
import type { Grant } from '../storage.js'
import { policyFor } from './policy.js'

const place = { bucket: 'b', prefix: 'deep/lake', encryption: {}, endpoint: undefined }
const of = (grants: readonly Grant[], other: object = {}, region = 'eu-west-1') =>
  JSON.parse(policyFor({ ...place, ...other }, grants, region)).Statement

const read: Grant = { folder: 'silver/orders', may: 'read' }
const write: Grant = { folder: 'external/ml/x', may: 'write', except: ['.metadata.json'] }

describe('the policy of temporary credentials', () => {
  it('allows to read what lies below a folder, and nothing that only begins like it', () => {
    expect(of([read])).toEqual([
      {
        Effect: 'Allow',
        Action: 's3:GetObject',
        Resource: ['arn:aws:s3:::b/deep/lake/silver/orders/*'],
      },
    ])
    expect(of([read], { prefix: '' }, 'cn-north-1')[0].Resource).toEqual([
      'arn:aws-cn:s3:::b/silver/orders/*',
    ])
  })

  it('allows to write and to list a folder, but not to write what only the catalog writes', () => {
    const statements = of([read, write])
    const folder = 'arn:aws:s3:::b/deep/lake/external/ml/x'
    expect(statements).toContainEqual({
      Effect: 'Allow',
      Action: ['s3:PutObject', 's3:AbortMultipartUpload', 's3:ListMultipartUploadParts'],
      Resource: [`${folder}/*`],
    })
    expect(statements).toContainEqual({
      Effect: 'Allow',
      Action: 's3:ListBucket',
      Resource: ['arn:aws:s3:::b'],
      Condition: { StringLike: { 's3:prefix': ['deep/lake/external/ml/x/*'] } },
    })
    expect(statements).toContainEqual({
      Effect: 'Deny',
      Action: 's3:PutObject',
      Resource: [`${folder}/*.metadata.json`],
    })
    expect(JSON.stringify(statements)).not.toContain('Delete')
  })

  it('allows the key that encrypts objects', () => {
    const key = 'arn:aws:kms:eu-west-1:1:key/x'
    const encryption = { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: key }
    expect(of([read], { encryption })[1]).toEqual({
      Effect: 'Allow',
      Action: ['kms:Decrypt', 'kms:GenerateDataKey'],
      Resource: [key],
    })
    const alias = { ...encryption, SSEKMSKeyId: 'alias/lake' }
    expect(of([read], { encryption: alias })[1].Condition).toBeDefined()
  })

  it('has letters of any script, in ASCII', () => {
    const policy = policyFor(place, [{ folder: 'silver/größe/日本', may: 'read' }], 'x')
    expect(policy).toMatch(/^[\x20-\x7e]+$/)
    expect(policy).toContain('gr\\u00f6\\u00dfe')
    expect(JSON.parse(policy).Statement[0].Resource[0]).toContain('/größe/日本/*')
  })

  it.each([
    'a*',
    'a?c',
    'a${aws:username}',
    '${*}',
    'a}b',
    'a\\b',
    'a\nb',
    '',
    '..',
    'a/../b',
    'a//b',
    '/a',
    'a/',
    '\ud800',
  ])('is not made for a folder that it could not mean by the letter: %j', (folder) => {
    expect(() => of([{ folder, may: 'read' }])).toThrow(/cannot be limited to/)
    expect(() => of([{ folder: 'x', may: 'read' }], { prefix: `lake${folder}*` })).toThrow()
  })

  it('is not made where it would be longer than stores allow', () => {
    const many = Array.from({ length: 60 }, (_, i) => ({
      folder: `silver/orders${i}`,
      may: 'read',
    }))
    expect(() => of(many as Grant[])).toThrow(/cannot cover 60 folders/)
  })
})
