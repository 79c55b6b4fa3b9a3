import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seed } from '../../test/support/seed.js'
import { type Grant, MemoryBudget } from './budget.js'

const MIB = 2 ** 20
const GIB = 2 ** 30
const usual = { most: 4 * GIB, patience: Number.POSITIVE_INFINITY }

describe('the memory of queries at the same time', () => {
  it('is a third of what is left for each, so that one alone has a quarter of the machine', () => {
    const budget = new MemoryBudget(6 * GIB)
    const grants = Array.from({ length: 4 }, () => budget.take(undefined, usual) as Grant)
    expect(grants.map(({ memory }) => Math.round(memory / MIB))).toEqual([2048, 1365, 910, 607])
    grants[0]?.giveBack()
    grants[0]?.giveBack()
    expect((budget.take(undefined, usual) as Grant).memory).toBeGreaterThan(900 * MIB)
  })

  it('is what was asked for, and waited for where others have it', async () => {
    const budget = new MemoryBudget(3 * GIB)
    const first = budget.take(2 * GIB, usual) as Grant
    const order: string[] = []
    const second = Promise.resolve(budget.take(2 * GIB, usual)).then((grant) => {
      order.push('second')
      return grant
    })
    // There is room for it, but it came later.
    const third = Promise.resolve(budget.take(512 * MIB, usual)).then(() => order.push('third'))
    await Promise.resolve()
    expect(order).toEqual([])
    first.giveBack()
    expect((await second).memory).toBe(2 * GIB)
    await third
    expect(order).toEqual(['second', 'third'])
  })

  it('may be more than there is for one that is alone', () => {
    expect((new MemoryBudget(GIB).take(8 * GIB, usual) as Grant).memory).toBe(8 * GIB)
  })

  it('is not waited for by who has given up, or waited for long', async () => {
    const budget = new MemoryBudget(GIB)
    const first = budget.take(GIB, usual) as Grant
    const abort = new AbortController()
    const cancelled = budget.take(GIB, { ...usual, signal: abort.signal })
    const late = budget.take(GIB, { ...usual, patience: 1 })
    const next = budget.take(GIB, usual)
    abort.abort(new Error('enough'))
    await expect(cancelled).rejects.toThrow('enough')
    await expect(late).rejects.toMatchObject({ kind: 'limit' })
    first.giveBack()
    expect((await next).memory).toBe(GIB)
  })

  it('never sums to more than there is, and all who wait are admitted in the end', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined }), { maxLength: 40 }),
        async (asked) => {
          const total = 4 * GIB
          const budget = new MemoryBudget(total)
          const held = new Set<Grant>()
          const all = asked.map(async (gib) => {
            const grant = await budget.take(gib === undefined ? undefined : gib * GIB, usual)
            held.add(grant)
            const sum = [...held].reduce((bytes, { memory }) => bytes + memory, 0)
            if (held.size > 1) expect(sum).toBeLessThanOrEqual(total)
            await new Promise((done) => setImmediate(done))
            held.delete(grant)
            grant.giveBack()
          })
          await Promise.all(all)
        },
      ),
      { seed, numRuns: 100 },
    )
  })
})
