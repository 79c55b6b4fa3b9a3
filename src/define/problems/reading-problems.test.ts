import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { DefinitionError } from '../../errors.js'
import { files } from '../../source/index.js'
import { bronze, gold, silver } from '../dataset.js'
import { defineLake } from '../lake.js'
import { sql } from '../sql/sql.js'
import { readingOf } from '../types/reading.js'
import { t } from '../types/t.js'

const raw = bronze('raw', { from: files('x.csv', { columns: ['v'] }) })

/** What is wrong with one column `v`. */
function problems(column: () => z.ZodType): string[] {
  try {
    const schema = column()
    defineLake({
      name: 'test',
      datasets: [silver('x', { from: raw, schema: z.object({ v: schema }) })],
    })
    return []
  } catch (error) {
    if (!(error instanceof DefinitionError)) throw error
    return error.problems.map(({ message }) => message.replace("silver.x: column 'v': ", ''))
  }
}

/** Options as somebody without types may write them. */
const any = (options: object) => options as never

describe('words that say how texts are read', () => {
  it.each<[string, () => z.ZodType]>([
    ['German', () => t.decimal(12, 2, { decimal: ',', group: '.', currency: '€' })],
    ['pandas', () => t.int({ zeroFraction: true, nulls: ['NaN'] }).nullable()],
    ['a zone', () => t.timestamptz({ zone: 'America/New_York', format: '%m/%d/%Y %H:%M' })],
    [
      'names of zones',
      () => t.timestamptz({ format: '%Y-%m-%d %H:%M %Z', zones: { CET: '+01:00' } }),
    ],
    ['mail', () => t.timestamptz({ format: ['rfc2822', 'iso'] })],
    ['logs', () => t.timestamp({ format: 'syslog', year: 2026 })],
    ['MySQL', () => t.date({ zeroDates: 'null', midnight: true }).optional()],
  ])('may be %s', (_, schema) => {
    expect(problems(schema)).toEqual([])
  })

  it.each<[string, () => z.ZodType, string]>([
    ['a misspelt option', () => t.date(any({ fromat: '%d' })), "t.date has no option 'fromat'"],
    ['an option of another type', () => t.int(any({ zone: 'UTC' })), "t.int has no option 'zone'"],
    [
      'one mark for two things',
      () => t.decimal(9, 2, { group: '.' }),
      "'.' cannot be both the decimal mark and the group separator",
    ],
    [
      'a decimal mark that is none',
      () => t.double(any({ decimal: ';' })),
      "t.double: decimal must be '.' or ',', not the string ';'",
    ],
    [
      'a currency with digits',
      () => t.decimal(9, 2, { currency: '1' }),
      "t.decimal: currency must be a symbol or code without digits, spaces and number marks, such as '€', or a list of them, not the string '1'",
    ],
    [
      'one NULL that is no list',
      () => t.string(any({ nulls: '-' })),
      "t.string: nulls must be a list of strings, not the string '-'",
    ],
    [
      'an unknown unit',
      () => t.timestamp(any({ epoch: 'm' })),
      "t.timestamp: epoch must be 's', 'ms', 'us' or 'ns', not the string 'm'",
    ],
    [
      'an unknown zone',
      () => t.timestamptz({ zone: 'Europe/Atlantis' }),
      "t.timestamptz: zone must be a time zone name, such as 'Europe/Berlin' or 'UTC', not the string 'Europe/Atlantis'",
    ],
    [
      'an epoch in a zone',
      () => t.timestamptz({ epoch: 's', zone: 'Europe/Berlin' }),
      'epoch is always in UTC, so zone has no effect',
    ],
    [
      'an epoch with a format',
      () => t.timestamp({ epoch: 's', format: '%Y' }),
      'epoch means that the text is a number, but format means that it is not',
    ],
    ['no year', () => t.timestamp({ format: 'syslog' }), "the format 'syslog' has no year"],
    [
      'two years',
      () => t.date({ format: '%d.%m.%Y', year: 2024 }),
      'year is only for formats without a year',
    ],
    [
      'an offset that would be lost',
      () => t.timestamp({ format: 'rfc2822' }),
      "the format 'rfc2822' has a UTC offset, which this type would lose",
    ],
    [
      'zones that nothing reads',
      () => t.timestamptz({ zones: { CET: '+01:00' } }),
      'zones defines the names for %Z, but no format has %Z',
    ],
    [
      'nothing ambiguous',
      () => t.timestamptz({ ambiguous: 'later' }),
      'ambiguous resolves times that occur twice in a time zone, but there is no zone',
    ],
    [
      'midnight in a format',
      () => t.date({ midnight: true, format: '%d.%m.%Y' }),
      'midnight applies to ISO 8601, but format specifies another format',
    ],
    [
      'words inside of JSON',
      () => t.struct({ at: t.timestamptz({ epoch: 's' }) }).optional(),
      't.timestamptz({ epoch }) says how to parse text, but the column is inside a list or struct, which is read as JSON',
    ],
    [
      'no options at all',
      () => t.date(any('%d' as never)),
      "t.date needs an object of options, not the string '%d'",
    ],
  ])('are refused: %s', (_, schema, message) => {
    expect(problems(schema)).toEqual([message])
  })

  it('are refused in gold, whose values SQL gives', () => {
    const day = gold('days', {
      query: sql`select 1`,
      columns: { day: t.date({ format: '%d.%m.%Y' }) },
    })
    expect(() => defineLake({ name: 'test', datasets: [day] })).toThrow(
      "gold.days: column 'day': t.date({ format }) says how to parse text, but the columns of gold and of external tables are typed already",
    )
  })

  it('stay with a schema through its checks and wrappers', () => {
    const schema = t.int({ zeroFraction: true }).min(1).multipleOf(2).optional().describe('x')
    expect(readingOf(schema)).toEqual({ zeroFraction: true })
    const price = t.decimal(9, 2, { decimal: ',' }).min(0).default('1.00')
    expect(readingOf(price)).toEqual({ decimal: ',' })
    expect(readingOf(t.boolean({ true: ['Y'] }).refine((b) => b))).toEqual({ true: ['Y'] })
  })
})
