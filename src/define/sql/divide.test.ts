import fc from 'fast-check'
import { expect, it } from 'vitest'
import { engineSession } from '../../../test/support/engine.js'
import { seed } from '../../../test/support/seed.js'
import { divide } from './divide.js'
import { renderSql, sql } from './sql.js'

const session = engineSession()

/** The quotient by whole numbers alone: digits are shifted, halves go away from zero. */
function exactly(cents: bigint, divisor: bigint, scale: number): string {
  const top = 2n * (cents < 0n ? -cents : cents) * 10n ** BigInt(scale)
  const bottom = 100n * (divisor < 0n ? -divisor : divisor)
  const rounded = (top + bottom) / (2n * bottom)
  const digits = String(rounded).padStart(scale + 1, '0')
  const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`
  return cents < 0n !== divisor < 0n && rounded !== 0n ? `-${text}` : text
}

it('decimals are divided exactly, halves away from zero', async () => {
  const cents = fc.bigInt({ min: -(10n ** 17n), max: 10n ** 17n })
  const small = fc.bigInt({ min: -2000n, max: 2000n })
  const divisor = fc.oneof(fc.bigInt({ min: -40n, max: 40n }), cents).filter((n) => n !== 0n)
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(small, cents),
      divisor,
      fc.constantFrom(0, 2, 4),
      async (a, b, scale) => {
        const text = `${a < 0n ? '-' : ''}${String(a < 0n ? -a : a)
          .padStart(3, '0')
          .replace(/(..)$/, '.$1')}`
        const one = sql`CAST(${text} AS DECIMAL(38, 2))`
        const other = sql`CAST(${String(b)} AS BIGINT)`
        const [row] = await session().rows(`SELECT ${renderSql(divide(one, other, scale))} AS q`)
        expect(row?.q).toBe(exactly(a, b, scale))
      },
    ),
    { seed, numRuns: 200 },
  )
})

it('what SQL divides as doubles is a cent off; by zero and of NULL there is nothing', async () => {
  const [row] = await session().rows(`SELECT
    CAST(1.005::DECIMAL(9,3) * 1000 / 1000 AS DECIMAL(9, 2)) AS doubles,
    ${renderSql(divide(sql`1.005::DECIMAL(9,3)`, sql`1`, 2))} AS exact,
    ${renderSql(divide(sql`1.5`, sql`0`, 2))} AS by_zero, ${renderSql(divide(sql`NULL::DECIMAL(9,2)`, sql`3`, 2))} AS of_nothing`)
  expect(row).toEqual({ doubles: '1.00', exact: '1.01', by_zero: null, of_nothing: null })
})
