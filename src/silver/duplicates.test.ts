import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { amount } from '../../test/support/effort.js'
import { engineSession } from '../../test/support/engine.js'
import { seed } from '../../test/support/seed.js'
import type { Session } from '../engine/engine.js'
import { findDuplicates } from './duplicates.js'

/**
 * Keys that come more than once, as they are and as they are suspected, and whether the order of
 * rows told.
 */
async function repeatedIn(session: Session, rows: string, type: string, flawed: boolean) {
  const relation = await session.materialize(`SELECT a::${type} AS a, b::${type} AS b FROM ${rows}`)
  const candidates = await findDuplicates(session, ['a', 'b'], { relation }, flawed, 200)
  const keys = `SELECT a, b FROM ${relation.sql} WHERE a IS NOT NULL AND b IS NOT NULL`
  const groups = (from: string) =>
    session.rows(`SELECT a, b, count(*) AS n FROM (${from}) GROUP BY ALL HAVING n > 1 ORDER BY ALL`)
  return {
    expected: await groups(keys),
    found: candidates ? await groups(`${keys} AND ${candidates}`) : [],
    suspected: candidates ? (await session.rows(`${keys} AND ${candidates}`)).length : 0,
    byOrder: candidates?.includes('_key') ?? false,
  }
}

describe('keys that come more than once', () => {
  const session = engineSession()

  it('are found whatever the order of rows and the type of keys', async () => {
    const value = fc.option(fc.oneof(fc.nat(40), fc.integer()), { nil: null, freq: 30 })
    const sorted = fc.array(fc.tuple(fc.nat(60), fc.nat(8)), { minLength: 1, maxLength: 300 })
    const rows = fc
      .tuple(sorted, fc.array(fc.tuple(value, value), { maxLength: 6 }))
      .map(([most, some]) => [...most.sort((x, y) => x[0] - y[0]), ...some])
    await fc.assert(
      fc.asyncProperty(
        rows,
        fc.constantFrom('INTEGER', 'BIGINT', 'VARCHAR'),
        fc.boolean(),
        async (all, type, flawed) => {
          const values = all.map(([a, b]) => `(${a ?? 'NULL'}, ${b ?? 'NULL'})`)
          const relation = `(VALUES ${values.join(', ')}) AS v(a, b)`
          const { expected, found } = await repeatedIn(session(), relation, type, flawed)
          expect(found).toEqual(expected)
        },
      ),
      { seed, numRuns: amount(10, 60), endOnFailure: true },
    )
  })

  it('are told by the order of rows where these are lines of one document after the other', async () => {
    // Lines of a document in no order, two of them again, and one without a number.
    const lines = `(SELECT * FROM (SELECT i // 7 AS a, (i * 5) % 7 AS b FROM range(3500) t(i) ORDER BY i)
      UNION ALL VALUES (77, 3), (400, 0), (NULL, 3))`
    for (const flawed of [false, true]) {
      const { expected, found, suspected, byOrder } = await repeatedIn(
        session(),
        lines,
        'BIGINT',
        flawed,
      )
      expect(expected.map(({ a, b, n }) => [a, b, n])).toEqual([
        [77n, 3n, 2n],
        [400n, 0n, 2n],
      ])
      expect(found).toEqual(expected)
      expect(byOrder).toBe(true)
      expect(suspected).toBeLessThan(20)
    }
  })

  it('are told by hashes where rows come in no order', async () => {
    const rows = '(SELECT hash(i) % 5000 AS a, hash(i, 1) % 50 AS b FROM range(5000) t(i))'
    const { expected, found, byOrder } = await repeatedIn(session(), rows, 'BIGINT', false)
    expect(found).toEqual(expected)
    expect(expected.length).toBeGreaterThan(0)
    expect(byOrder).toBe(false)
  })

  it('are told by hashes where only the first rows come in an order', async () => {
    const rows = `(SELECT CASE WHEN i < 3000 THEN i ELSE (hash(i) % 50000)::BIGINT END AS a, 1 AS b
      FROM range(60000) t(i) ORDER BY i)`
    const { expected, found, byOrder } = await repeatedIn(session(), rows, 'BIGINT', false)
    expect(found).toEqual(expected)
    expect(expected.length).toBeGreaterThan(1000)
    expect(byOrder).toBe(false)
  })
})
