import { expect, it } from 'vitest'
import { tooLarge } from './large-steps.js'

const MIB = 2 ** 20
const room = { memory: 2048 * MIB, left: 800_000 }

it('hands over what has more bytes than memory, or takes longer than is left', () => {
  expect(tooLarge(100 * MIB, room)).toBeUndefined()
  expect(tooLarge(4096 * MIB, room)).toBe(
    'it reads 4.0 GiB, and the function has 2.0 GiB of memory',
  )
  expect(tooLarge(1024 * MIB, { ...room, left: 60_000 })).toMatch(
    /takes about 135 s, and the function has 60 s left$/,
  )
})

it('hands over from the size on that somebody has said, whatever there is room for', () => {
  const from = 10 * MIB
  expect(tooLarge(9 * MIB, { ...room, from })).toBeUndefined()
  expect(tooLarge(10 * MIB, { ...room, from })).toContain('steps go to Glue from 10.0 MiB on')
  expect(tooLarge(0, { ...room, from })).toBeUndefined()
})
