import { expect, it } from 'vitest'
import { purgeVersions } from './versions.js'

const purge = (error: Error) => {
  const client = { send: () => Promise.reject(error) }
  const clients = { s3: { ListObjectVersionsCommand: class {} }, client }
  const below = { bucket: 'lake', prefix: 'bronze', hinders: async () => undefined }
  return purgeVersions(clients as unknown as Parameters<typeof purgeVersions>[0], below)
}

it('a storage that knows no versions keeps none; whoever may not see them is told', async () => {
  const unknown = Object.assign(new Error('not implemented'), { name: 'NotImplemented' })
  expect(await purge(unknown)).toEqual({ versions: 0, kept: [] })
  const denied = Object.assign(new Error('denied'), { name: 'AccessDenied' })
  await expect(purge(denied)).rejects.toBe(denied)
})
