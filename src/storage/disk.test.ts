import { existsSync } from 'node:fs'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { diskOf, makeFolder, reserveOf, roomToSpill } from './disk.js'
import { makeOwnFolder, trim } from './s3/cache.js'

const GB = 2 ** 30

it.each([
  ['a large disk', 400 * GB, 2000 * GB, 200 * GB],
  ['one that is nearly full', 1.5 * GB, 250 * GB, 0.5 * GB],
  ['one with less than what stays free', 0.5 * GB, 250 * GB, 0],
  ['a small one', 60 * 2 ** 20, 64 * 2 ** 20, 30 * 2 ** 20],
  ['a full one', 0, 64 * 2 ** 20, 0],
])('%s leaves room to spill', (_, free, size, room) => {
  expect(roomToSpill({ free, size })).toBe(room)
  expect(reserveOf({ free, size })).toBeLessThanOrEqual(GB)
})

it('knows the disk of a folder', () => {
  const disk = diskOf(tmpdir())
  expect(disk?.size).toBeGreaterThan(0)
  expect(disk?.free).toBeLessThanOrEqual(disk?.size ?? 0)
  // One that is made later lies on the disk of the folder around it.
  expect(diskOf(join(tmpdir(), 'not', 'there'))?.size).toBe(disk?.size)
  expect(roomToSpill(undefined)).toBeUndefined()
})

it('a folder is made with those that lead to it, by several at once, and again', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'moraine-test-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const paths = ['a/b/c', 'a/b/d', 'a/b/c', 'a'].map((path) => join(folder, path))
  await Promise.all(paths.map((path) => makeFolder(path)))
  await makeFolder(paths[0] as string)
  for (const path of paths) expect((await stat(path)).isDirectory()).toBe(true)
})

it('a folder of the cache, and those made on the way to it, are for nobody else', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'moraine-test-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  await makeOwnFolder(join(folder, 'a', 'b'))
  for (const path of ['a', 'a/b']) expect((await stat(join(folder, path))).mode & 0o777).toBe(0o700)
})

it.runIf(existsSync('/proc/self'))(
  'where nothing can be made, it fails instead of trying for ever',
  async () => {
    await expect(makeFolder('/proc/x/y/z')).rejects.toThrow('ENOENT')
    await expect(makeFolder('/dev/null/x/y')).rejects.toThrow('ENOTDIR')
    await expect(trim('/proc/x/y/s3', 1)).rejects.toThrow('ENOENT')
  },
)
