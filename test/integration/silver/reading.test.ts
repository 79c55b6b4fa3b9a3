import { describe, expect, it } from 'vitest'
import type { z } from 'zod'
import { t } from '../../../src/define/types/t.js'
import type { RowValue } from '../../../src/engine/engine.js'
import { checkTexts } from '../../support/checked.js'
import { engineSession } from '../../support/engine.js'

const session = engineSession()

/** What texts become in a column; reasons begin with `✖`. */
async function read(schema: z.ZodType, texts: readonly (string | null)[]): Promise<RowValue[]> {
  const rows = await checkTexts(session(), schema, texts)
  return rows.map((row) =>
    row._reasons === null ? (row.c as RowValue) : `✖ ${(row._reasons as string[]).join('; ')}`,
  )
}

/** Texts and what each becomes; `✖` stands for any reason. */
async function reads(schema: z.ZodType, expected: readonly (readonly [string, RowValue])[]) {
  const found = await read(
    schema,
    expected.map(([text]) => text),
  )
  const shown = found.map((value, i) =>
    expected[i]?.[1] === '✖' && String(value).startsWith('✖') ? '✖' : value,
  )
  expect(expected.map(([text], i) => [text, shown[i]])).toEqual(expected)
}

describe('numbers as they come', () => {
  it('has a comma before decimals and points between groups', async () => {
    const german = t.decimal(12, 2, { decimal: ',', group: '.' })
    await reads(german, [
      ['1.234,50', '1234.50'],
      ['-1.234.567,5', '-1234567.50'],
      ['1234,5', '1234.50'],
      ['0,07', '0.07'],
      [',07', '0.07'],
      ['1.234', '1234.00'],
      // What would be bent is no value: an English number is not a German one.
      ['1.23', "✖ c: not a decimal(12,2) with ',' before decimals and '.' between groups"],
      ['12.50', '✖'],
      ['1,234.50', '✖'],
      ['12.34.567', '✖'],
      ['1.2345', '✖'],
      ['1,005', '✖'],
      ['1,000', '1.00'],
      ['99.999.999.999,99', '✖'],
    ])
    await reads(t.double({ decimal: ',' }), [
      ['0,5', 0.5],
      ['1,5e3', 1500],
      ['1.5', '✖'],
      ['1e999', '✖'],
    ])
  })

  it('has groups of other marks, and currencies', async () => {
    await reads(t.decimal(12, 2, { group: ',', currency: ['$', 'USD', 'US$'] }), [
      ['$1,234.50', '1234.50'],
      ['-$1,234.50', '-1234.50'],
      ['$-5', '-5.00'],
      ['US$ 7', '7.00'],
      ['1,234.5\u00a0USD', '1234.50'],
      ['12', '12.00'],
      ['€12', '✖'],
      ['$', '✖'],
      ['-$-5', '✖'],
      ['$5$', '✖'],
      ['$12,34', '✖'],
    ])
    await reads(t.bigint({ group: ' ' }), [
      ['12 345 678', 12345678n],
      ['12\u202f345', 12345n],
      ['1\u00a0000', 1000n],
      ['12 34', '✖'],
    ])
    await reads(t.int({ group: "'" }), [
      ["1'000", 1000],
      ['1\u2019000', 1000],
      ["3'000'000'000", '✖'],
    ])
  })

  it('has whole numbers with decimals that are zero, where that was said', async () => {
    await reads(t.int(), [['1.0', '✖ c: not an int']])
    await reads(t.int({ zeroFraction: true }), [
      ['1.0', 1],
      ['-7.', -7],
      ['12', 12],
      ['1.50', '✖'],
      ['.0', '✖'],
      ['1e3', '✖'],
      ['2147483648.0', '✖'],
    ])
    await reads(t.bigint({ zeroFraction: true, decimal: ',' }), [
      ['9007199254740993,0', 9007199254740993n],
      ['1.0', '✖'],
    ])
  })

  it('never rounds what begins with its point', async () => {
    await reads(t.decimal(5, 2), [
      ['.12', '0.12'],
      ['.120', '0.12'],
      ['.125', '✖'],
      ['-.5', '-0.50'],
    ])
    await reads(t.decimal(5, 0), [
      ['.0', '0'],
      ['.5', '✖'],
      ['5.', '5'],
    ])
  })
})

describe('values that mean NULL', () => {
  it('are said for a column, and go where a missing value goes', async () => {
    await reads(t.int({ nulls: ['N/A', '-999'] }).nullable(), [
      ['N/A', null],
      [' N/A ', null],
      ['-999', null],
      ['-0999', null],
      ['999', 999],
      ['n/a', '✖'],
    ])
    await reads(t.string({ nulls: ['-'] }).default('none'), [
      ['-', 'none'],
      [' -', ' -'],
      ['x', 'x'],
    ])
    await reads(t.double({ nulls: ['NaN'] }), [['NaN', '✖ c: required, but it is missing']])
    await reads(
      t
        .string({ nulls: ['?'] })
        .trim()
        .min(2)
        .optional(),
      [
        ['?', null],
        ['ab', 'ab'],
        ['a', '✖'],
      ],
    )
    await reads(t.uuid({ nulls: ['none'] }).nullable(), [['none', null]])
    await reads(t.boolean({ true: ['Y'], nulls: ['?'] }).nullable(), [
      ['y', true],
      ['?', null],
    ])
  })

  it('are dates of zeros', async () => {
    await reads(t.date({ zeroDates: 'null' }).nullable(), [
      ['0000-00-00', null],
      ['2024-02-29', '2024-02-29'],
      ['2024-00-00', '✖'],
    ])
    await reads(t.timestamp({ zeroDates: 'null', format: ['iso', '%d.%m.%Y %H:%M'] }).nullable(), [
      ['0000-00-00 00:00:00', null],
      ['00.00.0000 00:00', null],
      ['1.2.2024 10:30', '2024-02-01T10:30:00.000000'],
    ])
    await reads(t.date().nullable(), [['0000-00-00', '✖']])
  })
})

describe('times as they come', () => {
  it('counts from 1970', async () => {
    await reads(t.timestamptz({ epoch: 's' }), [
      ['1700000000', '2023-11-14T22:13:20.000000Z'],
      ['1700000000.123456', '2023-11-14T22:13:20.123456Z'],
      ['1700000000.5000000', '2023-11-14T22:13:20.500000Z'],
      ['-1', '1969-12-31T23:59:59.000000Z'],
      ['-1.5', '1969-12-31T23:59:58.500000Z'],
      ['1700000000.1234567', '✖ c: not a timestamptz in seconds since 1970'],
      ['2023-11-14', '✖'],
      ['99999999999999', '✖'],
    ])
    await reads(t.timestamp({ epoch: 'ms' }), [
      ['1700000000123', '2023-11-14T22:13:20.123000'],
      ['1700000000123.0', '2023-11-14T22:13:20.123000'],
      ['1.7e12', '✖'],
    ])
    await reads(t.timestamp({ epoch: 'us' }), [['1700000000123456', '2023-11-14T22:13:20.123456']])
    await reads(t.timestamp({ epoch: 'ns' }), [
      ['1700000000123456000', '2023-11-14T22:13:20.123456'],
      ['1700000000123456789', '✖'],
      ['0', '1970-01-01T00:00:00.000000'],
    ])
  })

  it('is written as in mail and HTTP', async () => {
    await reads(t.timestamptz({ format: ['rfc2822', 'iso'] }), [
      ['Tue, 01 Apr 2025 12:00:00 GMT', '2025-04-01T12:00:00.000000Z'],
      ['Tue,  1 Apr 2025 12:00 +0200 (CEST)', '2025-04-01T10:00:00.000000Z'],
      ['1 apr 2025 12:00:00 EST', '2025-04-01T17:00:00.000000Z'],
      ['Mon, 01 Apr 2025 12:00:00 GMT', '✖ c: not a timestamptz written as rfc2822 or iso'],
      ['31 Apr 2025 12:00:00 GMT', '✖'],
      ['1 Apr 2025 12:00:00', '✖'],
      ['1 Apr 25 12:00:00 GMT', '✖'],
      ['2025-04-01T12:00:00Z', '2025-04-01T12:00:00.000000Z'],
    ])
  })

  it('has no year', async () => {
    await reads(t.timestamp({ format: 'syslog', year: 2024 }), [
      ['Feb 29 23:59:59', '2024-02-29T23:59:59.000000'],
      ['Apr  1 00:00:00', '2024-04-01T00:00:00.000000'],
      ['Apr 31 00:00:00', '✖'],
    ])
    await reads(t.timestamp({ format: 'syslog', year: 2023 }), [['Feb 29 23:59:59', '✖']])
    await reads(t.date({ format: '%d.%m.', year: 2024 }), [['24.12.', '2024-12-24']])
  })

  it('is of a zone', async () => {
    await reads(t.timestamptz({ zone: 'Europe/Berlin' }), [
      ['2024-07-01 12:00:00', '2024-07-01T10:00:00.000000Z'],
      ['2024-01-01 12:00:00', '2024-01-01T11:00:00.000000Z'],
      ['2024-01-01T12:00:00Z', '2024-01-01T12:00:00.000000Z'],
      ['2024-03-31 02:30:00', '✖ c: a local time skipped by a clock change'],
      ['2024-03-31 03:00:00', '2024-03-31T01:00:00.000000Z'],
      [
        '2024-10-27 02:30:00',
        "✖ c: a local time that occurs twice at a clock change (set ambiguous: 'earlier' or 'later')",
      ],
      ['2024-10-27 03:00:00', '2024-10-27T02:00:00.000000Z'],
      ['x', '✖ c: not a timestamptz'],
    ])
    await reads(
      t.timestamptz({ zone: 'Europe/Berlin', ambiguous: 'earlier', format: '%d.%m.%Y %H:%M' }),
      [
        ['27.10.2024 02:30', '2024-10-27T00:30:00.000000Z'],
        ['31.3.2024 02:30', '✖'],
      ],
    )
    await reads(t.timestamptz({ zone: 'Australia/Lord_Howe', ambiguous: 'later' }), [
      ['2024-04-07 01:45:00', '2024-04-06T15:15:00.000000Z'],
      ['2024-10-06 02:15:00', '✖'],
      ['2024-10-06 02:30:00', '2024-10-05T15:30:00.000000Z'],
    ])
    await reads(t.timestamptz({ zone: 'Pacific/Apia' }), [
      ['2011-12-30 12:00:00', '✖'],
      ['2011-12-31 00:00:00', '2011-12-30T10:00:00.000000Z'],
    ])
  })

  it('names its zone', async () => {
    const options = { format: '%a %b %e %H:%M:%S %Z %Y', zones: { CET: '+01:00', CEST: '+02:00' } }
    await reads(t.timestamptz(options), [
      ['Tue Apr  1 12:00:00 CEST 2025', '2025-04-01T10:00:00.000000Z'],
      ['Wed Jan 1 12:00:00 CET 2025', '2025-01-01T11:00:00.000000Z'],
      ['Tue Apr  1 12:00:00 UTC 2025', '2025-04-01T12:00:00.000000Z'],
      ['Tue Apr  1 12:00:00 America/New_York 2025', '2025-04-01T16:00:00.000000Z'],
      // Abbreviations mean several zones each.
      ['Tue Apr  1 12:00:00 CST 2025', '✖'],
      ['Tue Apr  1 12:00:00 Mars/Olympus 2025', '✖'],
      ['Sun Oct 26 02:30:00 CEST 2025', '2025-10-26T00:30:00.000000Z'],
      ['Sun Oct 26 02:30:00 CET 2025', '2025-10-26T01:30:00.000000Z'],
      ['Sun Oct 26 02:30:00 Europe/Berlin 2025', '✖'],
    ])
  })

  it('is the midnight of a day', async () => {
    await reads(t.date(), [['2024-01-31 00:00:00', '✖']])
    await reads(t.date({ midnight: true }), [
      ['2024-01-31 00:00:00', '2024-01-31'],
      ['2024-01-31T00:00:00.000Z', '2024-01-31'],
      ['2024-01-31', '2024-01-31'],
      ['2024-01-31 00:00:01', '✖'],
      ['2024-01-31T00:00:00+02:00', '✖'],
      ['2024-02-31 00:00:00', '✖'],
    ])
  })
})
