import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { diskOf, reserveOf, roomToSpill } from './disk.js'

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
