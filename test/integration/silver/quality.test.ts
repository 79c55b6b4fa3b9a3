import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { t } from '../../../src/define/types/t.js'
import type { RowValue } from '../../../src/engine/engine.js'
import { checkTexts } from '../../support/checked.js'
import { engineSession } from '../../support/engine.js'

const session = engineSession()

interface Checked {
  value: RowValue
  reasons: string[]
}

/** Runs texts through the compiled checks of one column. */
async function check(schema: z.ZodType, texts: readonly (string | null)[]): Promise<Checked[]> {
  const found = await checkTexts(session(), schema, texts)
  return found.map((row) => ({
    value: row.c as RowValue,
    reasons: (row._reasons as string[]) ?? [],
  }))
}

const good = async (schema: z.ZodType, text: string | null) => {
  const [result] = await check(schema, [text])
  return result?.reasons.length === 0 ? result.value : `discarded: ${result?.reasons.join('; ')}`
}

describe('the grammar of types', () => {
  // What a cast would bend is not a value of the type.
  it.each([
    [t.int(), '42', 42],
    [t.int(), ' +042 ', 42],
    [t.int(), '1.5', null],
    [t.int(), '1e3', null],
    [t.int(), '0x1F', null],
    [t.int(), '1_000', null],
    [t.int(), '2147483648', null],
    [t.bigint(), '9223372036854775807', 9223372036854775807n],
    [t.bigint(), '9223372036854775808', null],
    [t.double(), '1e400', null],
    [t.double(), '1e-400', null],
    [t.double(), '-0.00e-400', -0],
    [t.double(), '0', 0],
    [t.double(), 'NaN', null],
    [t.double(), 'inf', null],
    [t.double(), '-.5e1', -5],
    [t.decimal(5, 2), '12.345', null],
    [t.decimal(5, 2), '12.3400', '12.34'],
    [t.decimal(5, 2), '1000', null],
    [t.decimal(5, 2), '1e2', null],
    [t.boolean(), 'TRUE', true],
    [t.boolean(), 'f', false],
    [t.boolean(), '0', false],
    [t.boolean(), 'yes', null],
    [t.boolean({ true: ['Y'], false: ['N'] }), 'y', true],
    [t.date(), '2008-02-29', '2008-02-29'],
    [t.date(), '2007-02-29', null],
    [t.date(), '2008-2-9', null],
    [t.date(), 'infinity', null],
    [t.date(), '12345-01-01', null],
    [t.date(), '0044-03-15 (BC)', null],
    [t.date(), 'epoch', null],
    [t.timestamp(), 'infinity', null],
    [t.timestamp(), '0044-03-15 (BC) 00:00:00', null],
    [t.timestamp(), '2008-02-18', null],
    [t.date({ format: '%d.%m.%Y' }), '29.2.2008', '2008-02-29'],
    [t.date({ format: '%d.%m.%Y' }), '29.2.2007', null],
    [t.date({ format: ['%d.%m.%Y', '%Y%m%d'] }), '20080229', '2008-02-29'],
    [t.timestamp(), '2008-02-18 02:36:48', '2008-02-18T02:36:48.000000'],
    [t.timestamp(), '2008-02-18T02:36:48.1234567', null],
    [t.timestamp(), '2008-02-18 02:36:48Z', null],
    [
      t.timestamp({ format: '%m/%d/%Y %H:%M:%S' }),
      '2/18/2008 02:36:48',
      '2008-02-18T02:36:48.000000',
    ],
    [t.timestamptz(), '2008-02-18 02:36:48+02:00', '2008-02-18T00:36:48.000000Z'],
    [t.timestamptz(), '2008-02-18 02:36:48', null],
    [t.uuid(), '0b7e1e7c-7d3a-4a3f-9c55-0d6f3e1e2b11', '0b7e1e7c-7d3a-4a3f-9c55-0d6f3e1e2b11'],
    [t.uuid(), 'not-a-uuid', null],
    [t.json(), '{"a": 1}', '{"a": 1}'],
    [t.json(), '{a: 1}', null],
    [t.list(t.bigint()), '[1, 9223372036854775807]', [1n, 9223372036854775807n]],
    [t.list(t.int()), '[1, "x"]', null],
    [
      t.struct({ a: t.string(), d: t.decimal(9, 2) }),
      '{"a": "x", "d": 1.50}',
      { a: 'x', d: '1.50' },
    ],
  ])('%# reads %s as %s', async (schema, text, value) => {
    const result = await good(schema as z.ZodType, text as string)
    if (value === null) expect(result).toMatch(/^discarded/)
    else expect(result).toEqual(value)
  })
})

describe('missing values', () => {
  it.each([
    ['required', z.string(), 'discarded: c: required, but it is missing'],
    ['optional', z.string().optional(), null],
    ['nullable', z.string().nullable(), null],
    ['default', z.string().default('x'), 'x'],
    ['default of a number', t.int().default(7), 7],
    ['nullable outside of a default', z.string().default('x').nullable(), null],
    ['default outside of nullable', z.string().nullable().default('x'), 'x'],
    [
      'optional around a transform',
      z
        .string()
        .transform((s) => s.length)
        .pipe(z.int())
        .optional(),
      null,
    ],
  ])('%s', async (_, schema, value) => {
    expect(await good(schema as z.ZodType, null)).toEqual(value)
  })
})

const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.string({ unit: fc.constantFrom(...'aA1 \t@._-İßſΣς\u00a0\ufeff😀é'), maxLength: 10 }),
  fc.constantFrom(
    'a@b.co',
    'A.b@c-d.org',
    'a..b@c.de',
    'http://x.y/z',
    'ftp:x',
    'x y',
    '',
    '12',
    '-3',
    '2.50',
    '1e3',
  ),
)

const strings: Record<string, z.ZodType> = {
  trim: z.string().trim().min(2),
  lower: z.string().toLowerCase().max(5),
  upper: z.string().toUpperCase().trim().length(3),
  email: z.email(),
  url: z.url(),
  regex: z.string().regex(/^[\w\s]+$/),
  'regex, any case': z.string().regex(/^[a-z]*$/i),
  'regex of one character': z.string().regex(/^.$/),
  'look-ahead': z.string().regex(/^(?!a).*b?$/),
  prefix: z.string().startsWith('a').endsWith('b'),
  includes: z.string().includes('@'),
  enum: z.enum(['a', 'A', 'ß']),
  union: z.union([z.literal('a'), z.string().min(4)]),
  refine: z.string().refine((s) => s.length % 2 === 0, 'odd'),
  transform: z
    .string()
    .transform((s) => [...s].reverse().join(''))
    .pipe(z.string().max(6)),
  normalize: z.string().normalize('NFC').max(4),
  lowercase: z.string().lowercase(),
}

describe('checks compiled to SQL', () => {
  it.each(Object.entries(strings))(
    'give the verdict and the value of Zod itself: %s',
    async (_, schema) => {
      const texts = fc
        .sample(text, { numRuns: 300, seed: 42 })
        .map((s) => s.toWellFormed().replaceAll('\0', ''))
      const results = await check(schema, texts)
      for (const [i, { value, reasons }] of results.entries()) {
        const expected = z.safeParse(schema, texts[i])
        const said = JSON.stringify(texts[i])
        expect(reasons.length === 0, `${said}: ${reasons}`).toBe(expected.success)
        if (expected.success) expect(value, said).toBe(expected.data)
      }
    },
  )

  it.each([
    ['int range', t.int().min(-2).max(40), 'int'],
    ['multiple of', t.int().multipleOf(3), 'int'],
    ['positive', z.int().positive(), 'int'],
    ['double', t.double().gt(0.5).lt(100.25), 'double'],
    ['bigint', t.bigint().gte(2n), 'bigint'],
    ['literals', z.literal([1, 2, 12]), 'int'],
  ])('give the verdict of Zod for numbers: %s', async (_, schema, kind) => {
    const numbers = fc.sample(fc.oneof(fc.integer({ min: -50, max: 50 }), fc.integer()), {
      numRuns: 200,
      seed: 7,
    })
    const results = await check(schema as z.ZodType, numbers.map(String))
    for (const [i, { reasons }] of results.entries()) {
      const n = numbers[i] as number
      const expected = z.safeParse(schema as z.ZodType, kind === 'bigint' ? BigInt(n) : n)
      expect(reasons.length === 0, `${n}: ${reasons}`).toBe(expected.success)
    }
  })

  it('holds numbers of single precision to their range, as Zod does', async () => {
    const texts = ['1e38', '-3.4028234663852886e38', '3.5e38', '-3.5e38']
    for (const schema of [z.float32(), z.number().check(z.float32())]) {
      const fits = texts.map((text) => z.safeParse(schema, Number(text)).success)
      expect(fits).toEqual([true, true, false, false])
      const found = await check(schema, texts)
      expect(found.map(({ reasons }) => reasons.length === 0)).toEqual(fits)
    }
  })

  it('compares decimals exactly', async () => {
    const schema = t.decimal(20, 4).min('0.05').lt('12345678901234.5')
    const [a, b, c] = await check(schema, ['0.0499', '0.05', '12345678901234.5'])
    expect([a?.reasons, b?.reasons, c?.reasons]).toEqual([
      ['c: must be at least 0.05'],
      [],
      ['c: must be less than 12345678901234.5'],
    ])
  })

  it('gives all reasons of a row, in the words of the schema where it has some', async () => {
    const schema = z.string().min(5, 'too short').regex(/^\d+$/).endsWith('9')
    const [result] = await check(schema, ['ab'])
    expect(result?.reasons).toEqual([
      'c: too short',
      'c: does not match /^\\d+$/',
      "c: must end with '9'",
    ])
  })
})
