import { expect, it } from 'vitest'
import { bronze, defineLake } from '../../../index.js'
import { inbox } from '../../../source/index.js'
import { aws, template } from '../../index.js'
import { differences } from './difference.js'
import { dangersOf } from './risk.js'
import type { Template } from './stack.js'

const bucket = (properties: object) =>
  ({ Resources: { LakeBucket: { Type: 'AWS::S3::Bucket', Properties: properties } } }) as Template

it('refuses to take the key away by which objects are encrypted, though it stays in the account', () => {
  const deploymentOf = (encryption: 'kms' | 's3') => {
    const deploy = aws({ region: 'eu-central-1', encryption })
    const orders = bronze('orders', { from: inbox({ format: 'jsonl' }) })
    const lake = defineLake({ name: 'orders', deploy, datasets: [orders] })
    return template(lake, deploy).stacks[0]?.template as Template
  }
  const dangers = (before: Template, after: Template) => dangersOf(differences(before, after))
  const [danger, ...others] = dangers(deploymentOf('kms'), deploymentOf('s3'))
  expect(others).toEqual([])
  expect(danger?.message).toContain('Key would leave the stack')
  expect(danger?.hint).toContain("Keep encryption: 'kms'")
  // What has no key can be given one: what was written before is read without it.
  expect(dangers(deploymentOf('s3'), deploymentOf('kms'))).toEqual([])
})

it.each([
  ['taken away', { ObjectLockEnabled: true }, {}],
  ['added', {}, { ObjectLockEnabled: true }],
])('refuses an object lock that is %s, and says what can be done', (_, before, after) => {
  const [danger, ...others] = dangersOf(differences(bucket(before), bucket(after)))
  expect(others).toEqual([])
  expect(danger?.message).toContain('LakeBucket would be replaced by an empty bucket')
  expect(danger?.hint).toContain('Keep a lock on an archive, or archiveLock, in lake.ts')
  expect(danger?.hint).toContain('deploy under another name')
})
