import { expect, it } from 'vitest'
import { sha256 } from '../../storage/checksum.js'
import { MemoryStorage } from '../../storage/memory.js'
import { readLeads } from './leads.js'

it('a worker builds nothing of manifests that are not those of its run', async () => {
  const storage = new MemoryStorage()
  const laid = { path: 'scratch/run-1.json', sha256: sha256('{}') }
  await expect(readLeads(storage, laid)).rejects.toMatchObject({ kind: 'storage', retryable: true })
  await storage.write(laid.path, Buffer.from('{"tables":{}}'))
  await expect(readLeads(storage, laid)).rejects.toMatchObject({
    kind: 'corrupt',
    hint: expect.stringContaining('Nothing was built of it'),
  })
  expect(await readLeads(storage, { ...laid, sha256: sha256('{"tables":{}}') })).toBe(
    '{"tables":{}}',
  )
})
