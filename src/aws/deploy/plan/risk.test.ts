import { expect, it } from 'vitest'
import { differences } from './difference.js'
import { dangersOf } from './risk.js'
import type { Template } from './stack.js'

const bucket = (properties: object) =>
  ({ Resources: { LakeBucket: { Type: 'AWS::S3::Bucket', Properties: properties } } }) as Template

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
