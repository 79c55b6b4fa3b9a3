import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { NOTE, trim } from './cache.js'

it('removes the copies that were not used for longest, with what is noted of them', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'moraine-test-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  for (const [i, name] of ['a', 'b', 'c'].entries()) {
    const day = new Date(Date.UTC(2026, 0, 1 + i))
    await writeFile(join(folder, name), Buffer.alloc(1000))
    await writeFile(join(folder, name + NOTE), '{}')
    await utimes(join(folder, name), day, day)
  }
  await trim(folder, 2000)
  expect((await readdir(folder)).sort()).toEqual(['b', `b${NOTE}`, 'c', `c${NOTE}`])
})
