import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  columnIndex,
  columnLetters,
  kindOfFormat,
  numberText,
  parseRange,
  shortestText,
  timeText,
  unescapeText,
} from './values.js'

describe('numbers of cells', () => {
  it('come in the fewest digits that mean the same, however many they were written with', () => {
    const numbers = fc.double({ noNaN: true, noDefaultInfinity: true })
    fc.assert(
      fc.property(numbers, (number) => {
        // Whole numbers that are written in full keep their digits.
        fc.pre(Math.abs(number) < 1e15 || Math.abs(number) > 1e18)
        const written = [number.toPrecision(17), number.toExponential(16).replace('e', 'E')]
        for (const text of [...written, String(number)]) {
          const shortest = shortestText(text) as string
          expect(Number(shortest)).toBe(number === 0 ? 0 : number)
          const digits = (of: string) => of.replace(/e.*|\D/gi, '').replace(/^0+|0+$/g, '').length
          expect(digits(shortest)).toBeLessThanOrEqual(Math.max(1, digits(String(number))))
        }
      }),
    )
  })

  it('have no exponent unless they are very large or small, and whole ones keep all digits', () => {
    expect(
      ['4.0999999999999996', '1E-3', '1.0', '-0', '+5', '.5', '1e21', '1e-7'].map(shortestText),
    ).toEqual(['4.1', '0.001', '1', '0', '5', '0.5', '1000000000000000000000', '0.0000001'])
    expect(shortestText('12345678901234567890')).toBe('12345678901234567890')
    expect(shortestText('0.12345678901234567891')).toBe('0.12345678901234567891')
    expect(numberText(1e300)).toBe('1e+300')
    expect(['', 'x', '1e999', '.', 'NaN', '0x1'].map(shortestText)).toEqual(
      Array(6).fill(undefined),
    )
  })
})

describe('formats', () => {
  it.each([
    ['General', 'number'],
    ['0.00E+00', 'number'],
    ['#,##0 "days"', 'number'],
    ['[Red]0.00;[$€-407] 0', 'number'],
    ['0\\d', 'number'],
    ['yyyy-mm-dd', 'date'],
    ['[$-409]d-mmm-yy;@', 'date'],
    ['mmm', 'date'],
    ['[$-411]ggge"年"m"月"d"日"', 'date'],
    ['yyyy\\-mm\\-dd hh:mm:ss', 'datetime'],
    ['dd/mm/yyyy h:mm AM/PM', 'datetime'],
    ['hh:mm', 'time'],
    ['mm:ss.0', 'time'],
    ['[h]:mm:ss', 'duration'],
    ['[mm]:ss', 'duration'],
  ])('%s shows a %s', (code, kind) => {
    expect(kindOfFormat(164, code)).toBe(kind)
  })

  it('that are built in are known by their number', () => {
    expect([0, 9, 14, 20, 22, 46, 49].map((id) => kindOfFormat(id, undefined))).toEqual([
      'number',
      'number',
      'date',
      'time',
      'datetime',
      'duration',
      'number',
    ])
  })
})

describe('times', () => {
  it('are those that their serials mean, from the first day to the last', () => {
    const moments = fc.date({
      min: new Date('1900-03-01'),
      max: new Date('9999-12-31T23:59:59.999Z'),
      noInvalidDate: true,
    })
    fc.assert(
      fc.property(moments, (moment) => {
        const [day, time] = moment.toISOString().slice(0, -1).split('T') as [string, string]
        const days = (moment.getTime() - Date.UTC(1899, 11, 30)) / 86_400_000
        const text = `${day} ${time.replace(/\.000$/, '')}`
        expect(timeText(days, 'datetime', 1900)).toBe(text)
        if (days >= 1463) expect(timeText(days - 1462, 'datetime', 1904)).toBe(text)
      }),
    )
  })

  it.each([
    [1, 'date', 1900, '1900-01-01'],
    [59, 'date', 1900, '1900-02-28'],
    [60, 'date', 1900, '1900-02-29'],
    [61, 'date', 1900, '1900-03-01'],
    [46027, 'date', 1900, '2026-01-05'],
    [46027.5, 'date', 1900, '2026-01-05 12:00:00'],
    [46027, 'datetime', 1900, '2026-01-05 00:00:00'],
    [46026.99999999999, 'datetime', 1900, '2026-01-05 00:00:00'],
    [0, 'date', 1904, '1904-01-01'],
    [0.75, 'time', 1900, '18:00:00'],
    [0.75, 'datetime', 1900, '18:00:00'],
    [1.5, 'duration', 1900, '36:00:00'],
    [-0.5, 'duration', 1900, '-12:00:00'],
    [-1, 'date', 1900, '-1'],
    [2958466, 'date', 1900, '2958466'],
  ] as const)('%d as %s in %d is %s', (serial, kind, system, text) => {
    expect(timeText(serial, kind, system)).toBe(text)
  })
})

it('columns are called as in Excel, and ranges are read as they are written there', () => {
  for (const index of [0, 25, 26, 701, 702, 16383])
    expect(columnIndex(columnLetters(index))).toBe(index)
  expect(columnLetters(16383)).toBe('XFD')
  expect(parseRange('$B$3:F20')).toEqual({
    firstRow: 3,
    lastRow: 20,
    firstColumn: 1,
    lastColumn: 5,
  })
  expect(parseRange('B:C')).toMatchObject({ firstRow: 1, firstColumn: 1, lastColumn: 2 })
  expect(parseRange('C4')).toMatchObject({ firstRow: 4, firstColumn: 2, lastRow: 1_048_576 })
  for (const wrong of ['', ':', 'A1:', 'F3:B2', 'A0', 'XFE1', 'A1:B2:C3', 'Sheet1!A1'])
    expect(parseRange(wrong)).toBeUndefined()
})

it('characters that XML has no room for are those that were meant', () => {
  expect(unescapeText('a_x000D_b _x005F_x0041_ _x41_')).toBe('a\rb _x0041_ _x41_')
})
