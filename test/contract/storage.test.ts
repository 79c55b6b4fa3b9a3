import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, onTestFinished } from 'vitest'
import { LocalStorage } from '../../src/storage/local.js'
import { MemoryStorage } from '../../src/storage/memory.js'
import { storageContract } from '../../src/testing/index.js'

const storages = {
  memory: async () => new MemoryStorage(),
  'local folder': async () => {
    const folder = await mkdtemp(join(tmpdir(), 'moraine storage '))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    return new LocalStorage(folder)
  },
}

for (const [name, make] of Object.entries(storages))
  describe(`storage in ${name}`, () => {
    for (const { name, run } of storageContract(make)) it(name, run)
  })
