import { expect, it } from 'vitest'
import { mysql } from './dialect.js'

it('does not go on where it could not have the lock of another export', async () => {
  for (const late of ['0', null]) {
    const answers = ['0', late]
    const session = {
      place: 'MySQL',
      secrets: [],
      ask: async () => [[answers.shift() ?? null]],
      change: async () => 0n,
      [Symbol.asyncDispose]: async () => {},
    }
    await expect(
      mysql.lock(session, { schema: undefined, name: 'daily' }, () => {}),
    ).rejects.toThrow('Another export works on this database, and could not be waited for')
  }
})
