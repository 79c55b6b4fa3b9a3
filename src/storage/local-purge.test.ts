import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { temporaryFolder } from '../../test/support/project.js'
import { LocalStorage } from './local.js'

it('leaves neither empty folders of partitions, nor what was written half', async () => {
  const folder = await temporaryFolder()
  const half = '0b5c7c1e-7f39-4a5e-9f0a-8f2f6a3f1c2d.tmp'
  const files = ['data/p_day=2/a.parquet', `data/a.${half}`, `data/.${half}`, 'data/mine.tmp']
  for (const path of ['data/p_day=1/p_id=7', 'data/p_day=2', 'landing'])
    await mkdir(join(folder, 'silver', path), { recursive: true })
  for (const path of files) await writeFile(join(folder, 'silver', path), '')
  const before = (seconds: number) => new Date(Date.now() - seconds * 1000)
  await utimes(join(folder, 'silver', `data/a.${half}`), before(3600), before(3600))
  // One that may be written yet is waited for.
  await utimes(join(folder, 'silver', `data/.${half}`), before(9), before(9))
  const storage = new LocalStorage(folder)
  expect(await storage.purge('silver')).toEqual({ versions: 0, kept: [] })
  expect(await storage.purge('gold')).toEqual({ versions: 0, kept: [] })
  expect((await readdir(join(folder, 'silver'), { recursive: true })).sort()).toEqual([
    'data',
    'data/mine.tmp',
    'data/p_day=2',
    'data/p_day=2/a.parquet',
    'landing',
  ])
})
