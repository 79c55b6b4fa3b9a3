import { describe, expect, it } from 'vitest'
import { bisect } from '../../../src/branch/bisect.js'
import { MoraineError } from '../../../src/errors.js'
import { CommitLog } from '../../../src/log/log.js'
import { MemoryStorage } from '../../../src/storage/memory.js'
import { csv, shop } from './shop.js'

const info = { author: 'ada', run: null, message: 'one of many' }

/** A log of so many commits. */
async function logOf(commits: number): Promise<CommitLog> {
  const log = new CommitLog(new MemoryStorage())
  let state = await log.head()
  for (let i = 0; i < commits; i++)
    state = await log.commit(state, { offsets: { x: { y: i } } }, info)
  return log
}

describe('bisect', () => {
  it('finds each commit at which a condition can flip, in few questions', async () => {
    const log = await logOf(40)
    for (let flip = 2; flip <= 40; flip++) {
      const found = await bisect(log, {}, async ({ number }) => number >= flip)
      expect(found).toMatchObject({ before: 'false', after: 'true', commit: { number: flip } })
      expect(found.asked).toBeLessThanOrEqual(2 + Math.ceil(Math.log2(40)))
    }
    const back = await bisect(log, { from: 10, to: 20 }, async ({ number }) => number < 17)
    expect(back).toMatchObject({ before: 'true', after: 'false', commit: { number: 17 } })
    await expect(bisect(log, {}, async () => true)).rejects.toThrow(/It is true at commit 1 and/)
    // What can't be asked yet is no answer; damage is none either, and stops it.
    const unknown = await bisect(log, {}, async ({ number }) => {
      if (number < 9) throw new MoraineError('usage', 'there is no such dataset')
      return false
    })
    expect(unknown).toMatchObject({ before: 'unknown', after: 'false', commit: { number: 9 } })
    // The answer before is that of the commit before, also where the first one had another.
    const gone = await bisect(log, {}, async ({ number }) => {
      if (number > 9 && number < 30) throw new MoraineError('query', 'it was dropped')
      return number >= 30
    })
    expect(gone).toMatchObject({ before: 'unknown', after: 'true', commit: { number: 30 } })
    const often = await bisect(log, {}, async ({ number }) => Math.floor(number / 7) % 2 === 1)
    expect(often).toMatchObject({ before: 'false', after: 'true' })
    expect(often.commit.number % 14).toBe(7)
    const damaged = bisect(log, {}, async () => {
      throw new MoraineError('corrupt', 'it is damaged')
    })
    await expect(damaged).rejects.toThrow(/damaged/)
  })

  it('says what the run of that commit did', async () => {
    const project = await shop()
    for (const [id, amount] of [
      [4, '5.00'],
      [5, '-1.00'],
      [6, '7.00'],
    ] as const) {
      await project.write({ [`data/${id}.csv`]: csv([[id, 'paid', amount]]) })
      await project.run()
    }
    const sql = 'select count(*) > 0 from silver.orders where amount < 0'
    const { stdout, stderr } = await project.cli('bisect', sql)
    expect(stderr).toBe('')
    expect(stdout).toMatch(/^It is true since commit 6, and was (false|unknown) before/)
    expect(stdout).toMatch(/silver\.orders {2}bronze\.orders has a new batch of 1 row/)
    const found = JSON.parse((await project.cli('bisect', sql, '--json')).stdout)
    expect(found.commit.changed).toContain('silver.orders')
    const wrong = await project.cli('bisect', 'select * from silver.orders')
    expect(wrong.code).toBe(2)
    expect(wrong.stderr).toMatch(/one row with one value/)
    expect((await project.cli('bisect', 'select nothing from silver.orders')).stderr).toMatch(
      /nothing/,
    )
  })
})
