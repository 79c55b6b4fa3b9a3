import fc from 'fast-check'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { t } from '../../../src/define/types/t.js'
import type { RowValue } from '../../../src/engine/engine.js'
import { checkTexts } from '../../support/checked.js'
import { amount } from '../../support/effort.js'
import { engineSession } from '../../support/engine.js'
import { anyText, oddTexts } from '../../support/odd-texts.js'
import { seed } from '../../support/seed.js'

/*
 * Generated schemas and hostile texts: what the compiled checks say of a value is what Zod says of
 * it, and what they make of it is what Zod makes of it.
 */

const session = engineSession()

/**
 * A column's schema, and how its text becomes the value that Zod sees; `undefined` when it is none.
 */
interface Case {
  schema: z.ZodType
  said: string
  decode(text: string): unknown
}

type Link = { said: string; apply: (schema: any) => any }
const link = (said: string, apply: (schema: any) => any): Link => ({ said, apply })
const few = fc.integer({ min: 0, max: 6 })

const stringLink: fc.Arbitrary<Link> = fc.oneof(
  fc.constantFrom(
    link('trim()', (s) => s.trim()),
    link('toLowerCase()', (s) => s.toLowerCase()),
    link('toUpperCase()', (s) => s.toUpperCase()),
    link('lowercase()', (s) => s.lowercase()),
    link('uppercase()', (s) => s.uppercase()),
    link('regex(digits)', (s) => s.regex(/^\d+$/)),
    link('regex(any case)', (s) => s.regex(/[a-f]/i)),
    link('regex(spaces)', (s) => s.regex(/\s/)),
    link('regex(words)', (s) => s.regex(/\bа?\w*\b$/)),
    link('regex(unicode)', (s) => s.regex(/^\p{L}*$/u)),
    link('regex(look-ahead)', (s) => s.regex(/^(?=.*a)/)),
    link('includes(a)', (s) => s.includes('a')),
    link('startsWith( )', (s) => s.startsWith(' ')),
    link('endsWith(1)', (s) => s.endsWith('1')),
    link('refine(even)', (s) => s.refine((text: string) => text.length % 2 === 0, 'odd')),
    link('superRefine', (s) =>
      s.superRefine((text: string, context: any) => {
        if (text.includes('@')) context.addIssue({ code: 'custom', message: 'has @' })
      }),
    ),
    link('transform(reverse)', (s) =>
      s.transform((text: string) => [...text].reverse().join('')).pipe(z.string()),
    ),
  ),
  few.map((n) => link(`min(${n})`, (s) => s.min(n))),
  few.map((n) => link(`max(${n})`, (s) => s.max(n))),
  few.map((n) => link(`length(${n})`, (s) => s.length(n))),
)

const number = fc.integer({ min: -20, max: 40 })
const numberLink = (big: boolean): fc.Arbitrary<Link> => {
  const value = (n: number) => (big ? BigInt(n) : n)
  return fc.oneof(
    number.map((n) => link(`min(${n})`, (s) => s.min(value(n)))),
    number.map((n) => link(`max(${n})`, (s) => s.max(value(n)))),
    number.map((n) => link(`gt(${n})`, (s) => s.gt(value(n)))),
    number.map((n) => link(`lt(${n})`, (s) => s.lt(value(n)))),
    fc
      .integer({ min: 1, max: 7 })
      .map((n) => link(`multipleOf(${n})`, (s) => s.multipleOf(value(n)))),
    fc.constant(link('refine(not 7)', (s) => s.refine((v: unknown) => Number(v) !== 7, 'seven'))),
  )
}

const wrapper = fc.constantFrom<Link>(
  link('', (s) => s),
  link('', (s) => s),
  link('optional()', (s) => s.optional()),
  link('nullable()', (s) => s.nullable()),
  link('nullish()', (s) => s.nullish()),
  link('readonly()', (s) => s.readonly()),
)

const trimmed = (text: string) => text.replace(/^[ \t]+|[ \t]+$/g, '')
const within = (value: bigint, bits: bigint) =>
  value >= -(2n ** (bits - 1n)) && value < 2n ** (bits - 1n)
const whole = (bits: bigint, to: (value: bigint) => unknown) => (text: string) => {
  if (!/^[+-]?\d+$/.test(trimmed(text))) return undefined
  const value = BigInt(trimmed(text).replace(/^\+/, ''))
  return within(value, bits) ? to(value) : undefined
}
const double = (text: string) => {
  const value = Number(trimmed(text))
  const matches = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(trimmed(text))
  const isBent = value === 0 && /^[^e]*[1-9]/i.test(text)
  return matches && Number.isFinite(value) && !isBent ? value : undefined
}
const yes = ['true', 't', '1']
const no = ['false', 'f', '0']
const boolean = (text: string) => {
  const word = trimmed(text).toLowerCase()
  return yes.includes(word) ? true : no.includes(word) ? false : undefined
}

const bases = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.array(stringLink, { maxLength: 3 }).map((links) => ({
      said: 'string',
      base: z.string() as any,
      links,
      decode: (text: string) => text as unknown,
    })),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom(z.email(), z.url(), z.uuid(), z.enum(['a', 'A', '12', ' ']), z.literal('1'))
      .map((base) => ({
        said: base.constructor.name,
        base: base as any,
        links: [] as Link[],
        decode: (text: string) => text as unknown,
      })),
  },
  {
    weight: 2,
    arbitrary: fc
      .array(numberLink(false), { maxLength: 3 })
      .map((links) => ({ said: 't.int', base: t.int() as any, links, decode: whole(32n, Number) })),
  },
  {
    weight: 2,
    arbitrary: fc.array(numberLink(true), { maxLength: 3 }).map((links) => ({
      said: 't.bigint',
      base: t.bigint() as any,
      links,
      decode: whole(64n, (v) => v),
    })),
  },
  {
    weight: 2,
    arbitrary: fc
      .array(
        numberLink(false).filter(({ said }) => !said.startsWith('multiple')),
        { maxLength: 3 },
      )
      .map((links) => ({
        said: 't.double',
        base: t.double() as any,
        links,
        decode: double as (text: string) => unknown,
      })),
  },
  {
    weight: 1,
    arbitrary: fc.constant({
      said: 't.boolean',
      base: t.boolean() as any,
      links: [] as Link[],
      decode: boolean as (text: string) => unknown,
    }),
  },
)

const schemas: fc.Arbitrary<Case> = fc
  .tuple(bases, wrapper)
  .map(([{ said, base, links, decode }, outer]) => {
    // What a transform gives has none of a string's own methods.
    const end = links.findIndex((l) => l.said.startsWith('transform'))
    const used = end < 0 ? links : links.slice(0, end + 1)
    const schema = outer.apply(used.reduce((s, l) => l.apply(s), base))
    return {
      schema,
      decode,
      said: [said, ...used.map((l) => l.said), outer.said].filter(Boolean).join('.'),
    }
  })

const text = fc.oneof({ weight: 5, arbitrary: anyText }, fc.constantFrom(...oddTexts, '0e-400'))
const clean = (s: string) => s.toWellFormed().replaceAll('\0', '')
/** What stands for a missing value, in the order in which Moraine tries it. */
const absent = (schema: z.ZodType) =>
  schema._zod.def.type === 'nullable' ? [null, undefined] : [undefined, null]

function expected(
  { schema, decode }: Case,
  value: string | null,
): { good: boolean; value?: unknown } {
  if (value === null) {
    const found = absent(schema)
      .map((a) => z.safeParse(schema, a))
      .find((r) => r.success)
    return found?.success ? { good: true, value: found.data ?? null } : { good: false }
  }
  const decoded = decode(value)
  if (decoded === undefined) return { good: false }
  const result = z.safeParse(schema, decoded)
  return result.success ? { good: true, value: result.data ?? null } : { good: false }
}

const TEXTS = 100
const SCHEMAS = amount(5, 20, 100)

it(`says of ${SCHEMAS * TEXTS} texts what Zod says (seed ${seed})`, async () => {
  await fc.assert(
    fc.asyncProperty(
      schemas,
      fc.array(text, { minLength: TEXTS - 1, maxLength: TEXTS - 1 }),
      async (one, found) => {
        const texts = [null, ...found.map(clean)]
        const rows = await checkTexts(session(), one.schema, texts)
        for (const [i, row] of rows.entries()) {
          const said = `${one.said} of ${JSON.stringify(texts[i])}: ${row._reasons}`
          const wanted = expected(one, texts[i] as string | null)
          expect(row._reasons === null, said).toBe(wanted.good)
          if (wanted.good)
            expect(plain(row.c as RowValue), said).toEqual(plain(wanted.value as RowValue))
        }
      },
    ),
    { numRuns: SCHEMAS, seed, endOnFailure: true },
  )
})

/** `-0` and `0` are the same number to SQL. */
const plain = (value: RowValue) => (value === 0 ? 0 : value)
