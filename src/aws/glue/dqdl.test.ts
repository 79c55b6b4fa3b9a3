import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseDqdl } from '../../../test/support/dqdl.js'
import { bronze, check, gold, rule, type Silver, silver, sql, t, z } from '../../index.js'
import { files } from '../../source/index.js'
import { ruleset } from './dqdl.js'

const raw = bronze('orders', { from: files('x.csv') })
const customers = silver('customers', {
  from: raw,
  schema: z.object({ id: t.int() }),
  key: 'id',
})

describe('a ruleset of Glue Data Quality', () => {
  it('has what DQDL can say exactly, and tells what it leaves out', () => {
    const orders = silver('orders', {
      from: raw,
      schema: z.object({
        order_id: t.bigint().positive(),
        customer: t.int(),
        status: z.enum(['paid', 'sent "now"']),
        note: z.enum(['a', 'b']).nullable(),
        amount: t.decimal(12, 2).min(0).max('99999999999999.99'),
        discount: t.int().min(0).optional(),
        at: t.timestamp(),
      }),
      key: 'order_id',
      rules: [rule('paid first', sql`amount > 0`)],
      checks: [
        check.notEmpty(),
        check.rowCount({ min: 10, max: 1000 }),
        check.unique<'customer' | 'at'>(['customer', 'at']),
        check.unique('note'),
        check.references('customer', customers, 'id'),
        check.fresh('at', { within: '1d' }),
        check.discarded({ max: 0.1 }),
        check.sql('none is late', sql`select 1 from this_table where false`),
      ],
    })
    const made = ruleset(orders)
    expect(made?.text).toBe(`Rules = [
    IsPrimaryKey "order_id",
    ColumnValues "order_id" > 0,
    IsComplete "customer",
    IsComplete "status",
    ColumnValues "status" in ["paid", "sent \\"now\\""],
    ColumnValues "note" in ["a", "b", NULL],
    IsComplete "amount",
    ColumnValues "amount" >= 0,
    IsComplete "at",
    RowCount > 0,
    RowCount >= 10,
    RowCount <= 1000,
    IsUnique "customer" "at",
    ReferentialIntegrity "customer" "silver_customers.{id}" = 1.0
]`)
    expect(made?.sources).toEqual([{ alias: 'silver_customers', dataset: customers }])
    expect(made?.left.map(({ check }) => check)).toEqual([
      'bounds of amount',
      'bounds of discount',
      'unique note',
      'at within 1d',
      'at most 10 % discarded',
      'none is late',
      "rule 'paid first'",
    ])
    expect(parseDqdl(made?.text ?? '')).toHaveLength(14)
  })

  it('says of gold what its checks say, and nothing where they say nothing', () => {
    const daily = gold('daily', { query: sql`select 1 as n`, checks: [check.notEmpty()] })
    expect(ruleset(daily)?.rules).toEqual(['RowCount > 0'])
    expect(ruleset(gold('none', { query: sql`select 1 as n` }))).toBeUndefined()
  })

  it('is one of the grammar, and says the same values, whatever these are', () => {
    const texts = fc.array(fc.string({ unit: 'grapheme', maxLength: 12 }), {
      minLength: 1,
      maxLength: 5,
    })
    fc.assert(
      fc.property(texts, fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }), (values, bound) => {
        const kind = z.enum(values as [string, ...string[]])
        const orders = silver('orders', {
          from: raw,
          schema: z.object({ id: t.bigint().min(bound), kind }),
          key: 'id',
        }) as Silver
        const parsed = parseDqdl(ruleset(orders)?.text ?? '')
        const isPlain = !values.some((value) => /\p{Cc}/u.test(value))
        const given = parsed.find(({ condition }) => condition?.[0] === 'in')
        expect(given?.condition?.slice(1)).toEqual(isPlain ? [...new Set(values)] : undefined)
        const least = parsed.find(({ condition }) => condition?.[0] === '>=')
        if (least) expect(BigInt(least.condition?.[1] ?? '')).toBe(bound)
        else expect(String(bound).replace('-', '').length).toBeGreaterThan(15)
      }),
    )
  })

  it('has whole rules alone, where there are more than Glue takes', () => {
    const values = Array.from({ length: 9000 }, (_, i) => `value ${i}`)
    const schema = z.object({
      id: t.int(),
      kind: z.enum(values as [string, ...string[]]),
      a: t.int(),
    })
    const made = ruleset(silver('orders', { from: raw, schema, key: 'id' }) as Silver)
    expect(Buffer.byteLength(made?.text ?? '')).toBeLessThanOrEqual(65_536)
    expect(made?.left.some(({ why }) => /65536 bytes/.test(why))).toBe(true)
    parseDqdl(made?.text ?? '')
  })
})
