import { expect, it } from 'vitest'
import { ObjectLock } from './bucket.js'

/** A bucket that answers so to whoever looks at an object. */
function answering(answer: () => object) {
  const client = { send: async () => answer() }
  const clients = { s3: { HeadObjectCommand: class {} }, client }
  const lock = new ObjectLock('lake', async () => clients as never)
  return lock.hinders({ Bucket: 'lake', Key: 'archive/orders/1.csv' })
}

const refused = (status: number) =>
  Object.assign(new Error(`HTTP ${status}`), { $metadata: { httpStatusCode: status } })

it('an object that nobody could look at is not taken for one without a lock', async () => {
  const until = new Date(Date.now() + 86_400_000)
  expect(await answering(() => ({ ObjectLockRetainUntilDate: until }))).toContain('it is locked')
  expect(await answering(() => ({ ObjectLockLegalHoldStatus: 'ON' }))).toContain('legal hold')
  expect(await answering(() => ({}))).toBeUndefined()
  // What is gone has no lock; whoever may not look learns of one when it is removed.
  for (const status of [403, 404, 405])
    expect(
      await answering(() => {
        throw refused(status)
      }),
    ).toBeUndefined()
  for (const error of [refused(503), refused(429), new Error('socket hang up')])
    await expect(
      answering(() => {
        throw error
      }),
    ).rejects.toBe(error)
})
