import { expect, it, onTestFinished, vi } from 'vitest'
import { Staging } from '../staging.js'
import { S3Storage } from './s3.js'

it('credentials that would end too soon are had anew, before the SDK would', async () => {
  onTestFinished(() => {
    vi.unstubAllEnvs()
  })
  const has = (key: string, minutes: number) => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', key)
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret')
    vi.stubEnv('AWS_CREDENTIAL_EXPIRATION', new Date(Date.now() + minutes * 60_000).toISOString())
  }
  const staging = new Staging()
  new S3Storage('s3://lake/a?region=eu-central-1', staging)
  const keyFor = async (minutes: number) =>
    (await staging.readableRoots()[0]?.access(minutes * 60_000))?.keyId
  has('first', 20)
  expect(await keyFor(10)).toBe('first')
  has('second', 60)
  expect(await keyFor(10)).toBe('first')
  expect(await keyFor(30)).toBe('second')
  expect(await keyFor(30)).toBe('second')
})
