import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { scratchFolder, sweep } from './scratch.js'

it('goes when its process is gone, and only then', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'moraine-test-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const own = await scratchFolder('rows')
  onTestFinished(() => rm(own, { recursive: true, force: true }))
  const name = basename(own)
  // A process that has ended leaves its number behind.
  const { pid } = spawnSync(process.execPath, ['-e', ''])
  const dead = name.replace(`-${process.pid}-`, `-${pid}-`)
  const elsewhere = dead.replace(/^(moraine-rows-)\d+/, '$11')
  const others = ['moraine-notes', `moraine-rows-${pid}`, 'other']
  for (const each of [name, dead, elsewhere, ...others]) {
    await mkdir(join(folder, each, 'inner'), { recursive: true })
    await writeFile(join(folder, each, 'inner/rows'), 'x')
  }
  await sweep(folder)
  expect(existsSync(join(folder, dead))).toBe(false)
  for (const each of [name, elsewhere, ...others])
    expect(existsSync(join(folder, each, 'inner/rows'))).toBe(true)
})

it('is called as the system calls it where a link leads to it, as on macOS, and missed where it is missing', async () => {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'moraine-test-')))
  const { TMPDIR } = process.env
  onTestFinished(async () => {
    if (TMPDIR === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = TMPDIR
    await rm(folder, { recursive: true, force: true })
  })
  await mkdir(join(folder, 'real'))
  await symlink(join(folder, 'real'), join(folder, 'link'))
  process.env.TMPDIR = join(folder, 'link')
  expect(dirname(await scratchFolder('rows'))).toBe(join(folder, 'real'))
  process.env.TMPDIR = join(folder, 'nowhere')
  await expect(scratchFolder('rows')).rejects.toMatchObject({
    kind: 'storage',
    hint: expect.stringContaining('TMPDIR'),
  })
})
