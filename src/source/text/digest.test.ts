import { createHash, randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { digestOf } from './digest.js'

it('is the same in a thread of its own, whatever memory the chunks are in', async () => {
  const bytes = randomBytes(5_000_000)
  for (const size of [0, 2 ** 30]) {
    const hash = digestOf(size)
    // Parts of one memory, and memory of their own.
    for (let at = 0; at < bytes.length; at += 70_000)
      await hash.take(
        at % 2 === 0
          ? bytes.subarray(at, at + 70_000)
          : Buffer.from(bytes.subarray(at, at + 70_000)),
      )
    expect((await hash.digest()).sha256).toBe(createHash('sha256').update(bytes).digest('hex'))
  }
  // What is given up leaves no thread behind that keeps the process alive.
  digestOf(2 ** 30).close()
})
