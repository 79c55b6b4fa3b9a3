import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { textTable } from './table.js'

const columns = [{ name: 'dataset' }, { name: 'rows', right: true }, { name: 'state' }]
const row = {
  dataset: 'silver.orders',
  rows: 1234,
  state: 'its inputs changed, the checks of column amount changed, and its key is another',
}

describe('a table of text', () => {
  it('takes the room it needs where nobody reads it on a terminal', () => {
    expect(textTable(columns, [row], { width: undefined })).toBe(
      [
        'dataset        rows  state',
        `─────────────  ────  ${'─'.repeat(row.state.length)}`,
        `silver.orders  1234  ${row.state}`,
      ].join('\n'),
    )
  })

  it('breaks long texts within their column on a narrow terminal', () => {
    expect(textTable(columns, [row], { width: 50 }).split('\n')).toEqual([
      'dataset        rows  state',
      `─────────────  ────  ${'─'.repeat(29)}`,
      'silver.orders  1234  its inputs changed, the',
      '                     checks of column amount',
      '                     changed, and its key is',
      '                     another',
    ])
  })

  it('shows records where there are too many columns', () => {
    const many = Array.from({ length: 9 }, (_, i) => ({ name: `column_${i}` }))
    const wide = Object.fromEntries(many.map(({ name }, i) => [name, `a value of ${i}, and more`]))
    const text = textTable(many, [wide, wide], { width: 40 })
    expect(text.split('\n')).toHaveLength(20)
    expect(text).toContain('column_3  a value of 3, and more')
  })

  it('never writes beyond the terminal, and leaves nothing out', () => {
    const value = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.lorem(),
      fc.constant('日本語のテキスト'),
      fc.integer(),
    )
    const table = fc.integer({ min: 1, max: 12 }).chain((n) => {
      const names = Array.from({ length: n }, (_, i) => `c${i}`)
      const record = fc.record(Object.fromEntries(names.map((name) => [name, value])))
      return fc.tuple(fc.constant(names), fc.array(record, { minLength: 1, maxLength: 4 }))
    })
    fc.assert(
      fc.property(table, fc.integer({ min: 40, max: 200 }), ([names, rows], width) => {
        const text = textTable(
          names.map((name, i) => ({
            name,
            right: i % 3 === 1 && rows.every((r) => typeof r[name] === 'number'),
          })),
          rows as never,
          { width },
        )
        for (const line of text.split('\n')) expect([...line].length).toBeLessThanOrEqual(width)
        const squeezed = text.replace(/\s/g, '')
        for (const one of rows)
          for (const v of Object.values(one))
            if (typeof v === 'number') expect(squeezed).toContain(String(v).slice(0, 3))
      }),
      { seed: 7 },
    )
  })
})
