import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { seed } from '../../test/support/seed.js'
import { silver } from '../define/dataset.js'
import { t } from '../define/types/t.js'
import { duckdbDialect } from '../engine/duckdb/dialect/dialect.js'
import { bronze } from '../index.js'
import { files } from '../source/index.js'
import { compileChecks } from './compile.js'
import { compareNumbers, type Known, knownOfAll } from './known.js'

const host = { dialect: duckdbDialect, files: { addFunction: () => 'f' } }
const raw = bronze('raw', { from: files('x.csv', { columns: ['v'] }) })

/** Whether something is still asked of a column of which that much is known. */
function asks(schema: z.ZodType, sqlType: string, known: Known | undefined): boolean {
  const dataset = silver('x', { from: raw, schema: z.object({ v: schema }) })
  const column = { sql: 'v', sqlType, ...(known ? { known } : {}) }
  const sql = compileChecks(dataset, { v: column }, host).over('(SELECT 1)')
  return sql.includes('list_filter')
}

describe('what is known of a column', () => {
  it.each<[string, z.ZodType, string, Known | undefined, boolean]>([
    ['nothing', t.bigint().min(0n), 'BIGINT', undefined, true],
    ['a value in each row', t.bigint(), 'BIGINT', { nulls: 0 }, false],
    ['rows without one', t.bigint(), 'BIGINT', { nulls: 1 }, true],
    ['rows without one, which may be', t.bigint().nullable(), 'BIGINT', { nulls: 1 }, false],
    [
      'bounds within',
      t.bigint().min(0n).max(9n),
      'BIGINT',
      { nulls: 0, min: '0', max: '9' },
      false,
    ],
    [
      'bounds beyond',
      t.bigint().min(0n).max(9n),
      'BIGINT',
      { nulls: 0, min: '0', max: '10' },
      true,
    ],
    ['the border itself', t.bigint().gt(0n), 'BIGINT', { nulls: 0, min: '0', max: '9' }, true],
    [
      'decimals',
      t.decimal(7, 2).min('0.05'),
      'DECIMAL(7,2)',
      { nulls: 0, min: '0.05', max: '1.00' },
      false,
    ],
    [
      'smaller ones',
      t.decimal(7, 2).min('0.05'),
      'DECIMAL(7,2)',
      { nulls: 0, min: '0.04', max: '1.00' },
      true,
    ],
    [
      'bounds of texts, which say nothing of numbers',
      t.bigint().min(0n),
      'VARCHAR',
      { nulls: 0, min: '1', max: '9' },
      true,
    ],
    [
      'bounds of what has a value of its own where there is none',
      t.bigint().min(0n).default(-1n),
      'BIGINT',
      { nulls: 0, min: '0', max: '9' },
      false,
    ],
    [
      'bounds beside another check',
      t.bigint().min(0n).multipleOf(2n),
      'BIGINT',
      { nulls: 0, min: '0', max: '9' },
      true,
    ],
  ])('decides what is asked: %s', (_, schema, sqlType, known, asked) => {
    expect(asks(schema, sqlType, known)).toBe(asked)
  })

  it('of several files is what holds for all of them', () => {
    expect(
      knownOfAll([
        { a: { nulls: 0, min: '2', max: '10' }, b: { nulls: 0 }, c: { nulls: 0 } },
        { a: { nulls: 3, min: '-1.5', max: '9' }, b: { nulls: 0, min: '1', max: '1' } },
      ]),
    ).toEqual({ a: { nulls: 3, min: '-1.5', max: '10' }, b: { nulls: 0 } })
    expect(knownOfAll([{ a: { nulls: 0 } }, undefined])).toEqual({})
  })

  it('is compared digit by digit, however long numbers are', () => {
    const number = fc.tuple(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), fc.nat(12))
    const text = ([n, scale]: [bigint, number]) => {
      const digits = String(n < 0n ? -n : n).padStart(scale + 1, '0')
      const whole = digits.slice(0, digits.length - scale)
      return `${n < 0n ? '-' : ''}${whole}${scale > 0 ? `.${digits.slice(-scale)}` : ''}`
    }
    fc.assert(
      fc.property(number, number, (a, b) => {
        const [x, y] = [a[0] * 10n ** BigInt(b[1]), b[0] * 10n ** BigInt(a[1])]
        expect(Math.sign(compareNumbers(text(a), text(b)))).toBe(x < y ? -1 : x > y ? 1 : 0)
      }),
      { seed },
    )
  })
})
