import fc from 'fast-check'
import { z } from 'zod'
import { t } from '../../src/define/types/t.js'

/** A kind of column that can be a key, and how JavaScript reads its texts. */
export interface KeyKind {
  /** The column's schema, as it stands in `lake.ts`. */
  schema: string
  texts: fc.Arbitrary<string | null>
  /** The key as SQL shows it as text; `undefined` where the text is none. */
  read(text: string): string | undefined
}

const oneOf = (...texts: string[]) => fc.constantFrom(...texts)
const mostly = (good: fc.Arbitrary<string>, ...bad: (string | null)[]) =>
  fc.oneof({ weight: 9, arbitrary: good }, fc.constantFrom<string | null>(...bad, null))

/** Texts whose keys are what Zod itself makes of them. */
function zod(schema: string, texts: fc.Arbitrary<string | null>): KeyKind {
  const built = build(schema)
  const read = (text: string) => {
    const result = z.safeParse(built, text)
    return result.success ? String(result.data) : undefined
  }
  return { schema, texts, read }
}

export function build(schema: string): z.ZodType {
  return new Function('t', 'z', `return ${schema}`)(t, z) as z.ZodType
}

/** Texts that are read by a pattern, whose match gives the key. */
function pattern(
  schema: string,
  texts: fc.Arbitrary<string | null>,
  regex: RegExp,
  key: (match: RegExpExecArray) => string | undefined,
): KeyKind {
  return {
    schema,
    texts,
    read: (text) => {
      const match = regex.exec(text.replace(/^[ \t]+|[ \t]+$/g, ''))
      return match ? key(match) : undefined
    },
  }
}

const names = oneOf('ada', 'Ada', ' ada', 'bob', 'Zoë', 'zoë', 'İ', 'x1', 'x2')
const uuids = fc.nat(5).map((n) => `3f06af63-a93c-11e4-9797-0050569077${n}f`)
const whole = (low: bigint, high: bigint) => (match: RegExpExecArray) => {
  const value = BigInt(match[0].replace('+', ''))
  return value < low || value > high ? undefined : String(value)
}
const numbers = mostly(
  fc.nat(9).map((n) => (n % 3 === 0 ? `+0${n}` : String(n))),
  'x',
  '1.5',
  '99999999999999999999',
)
const days = fc.nat(5).map((n) => String(n + 1))

export const keyKinds: KeyKind[] = [
  zod('z.string()', mostly(names)),
  zod('z.string().trim()', mostly(names)),
  zod('z.string().toLowerCase()', mostly(names)),
  zod('z.string().toUpperCase().trim().min(2)', mostly(names, 'x')),
  zod('z.string().regex(/^[a-zë]+\\d*$/)', mostly(names)),
  zod('z.string().regex(/^(?!b)/)', mostly(names)),
  zod('z.string().includes("a").max(3)', mostly(names)),
  zod('z.string().refine((s) => s !== "bob")', mostly(names)),
  zod('z.string().transform((s) => s + "!").pipe(z.string())', mostly(names)),
  zod('z.enum(["ada", "bob"])', mostly(names)),
  zod('z.union([z.literal("ada"), z.string().startsWith("x")])', mostly(names)),
  zod('z.email()', mostly(oneOf('a@b.co', 'b@b.co', 'c@b.co'), 'nobody', 'é@b.co')),
  zod('z.url()', mostly(oneOf('http://x.y/1', 'http://x.y/2'), 'nothing')),
  zod('t.uuid()', mostly(uuids, '3f06af63', 'é')),
  zod('z.uuid()', mostly(uuids, '3f06af63')),
  zod('t.json()', mostly(oneOf('[1]', '[2]', '3'), '{a}')),
  pattern('t.int().min(1)', numbers, /^[+-]?\d+$/, (match) => whole(1n, 2n ** 31n - 1n)(match)),
  pattern('t.bigint()', numbers, /^[+-]?\d+$/, whole(-(2n ** 63n), 2n ** 63n - 1n)),
  pattern('t.int().multipleOf(2)', numbers, /^[+-]?\d+$/, (match) =>
    Number(match[0]) % 2 ? undefined : whole(-(2n ** 31n), 2n ** 31n - 1n)(match),
  ),
  pattern('t.int().refine((n) => n !== 7)', numbers, /^[+-]?\d+$/, (match) =>
    Number(match[0]) === 7 ? undefined : whole(-(2n ** 31n), 2n ** 31n - 1n)(match),
  ),
  pattern(
    't.decimal(4, 1).max(8)',
    mostly(
      fc.tuple(fc.nat(9), fc.nat(2)).map(([n, digits]) => n.toFixed(digits)),
      '1.55',
      '1e1',
    ),
    /^\d+(\.\d0*)?$/,
    ([text]) => (Number(text) > 8 ? undefined : Number(text).toFixed(1)),
  ),
  pattern(
    't.double()',
    mostly(oneOf('0.5', '.5', '5e-1', '2.25', '7'), 'NaN', '1e400'),
    /^[\d.]+(e-?\d+)?$/,
    ([text]) => {
      const value = Number(text)
      return !Number.isFinite(value)
        ? undefined
        : Number.isInteger(value)
          ? `${value}.0`
          : `${value}`
    },
  ),
  pattern(
    't.boolean({ true: ["Y"], false: ["N"] })',
    mostly(oneOf('Y', 'y', 'N'), 'x'),
    /^[YN]$/i,
    ([b]) => String(/y/i.test(b)),
  ),
  pattern(
    't.date()',
    mostly(
      days.map((d) => `2026-02-0${d}`),
      '2026-02-30',
      'x',
    ),
    /^2026-02-0\d$/,
    ([day]) => day,
  ),
  pattern(
    't.date({ format: ["%d.%m.%Y", "%Y%m%d"] })',
    mostly(
      fc.tuple(days, fc.boolean()).map(([d, points]) => (points ? `${d}.2.2026` : `2026020${d}`)),
      '30.2.2026',
    ),
    /^(\d)\.2\.2026$|^2026020(\d)$/,
    ([, a, b]) => `2026-02-0${a ?? b}`,
  ),
  pattern(
    't.timestamp().min("2026-02-02 00:00:00")',
    mostly(
      days.map((d) => `2026-02-0${d} 10:00:00`),
      '2026-02-30 10:00:00',
    ),
    /^2026-02-0[2-9] 10:00:00$/,
    ([at]) => at,
  ),
  pattern(
    't.timestamptz()',
    mostly(
      fc
        .tuple(days, fc.boolean())
        .map(([d, zulu]) => `2026-02-0${d}T${zulu ? '10:00:00Z' : '12:00:00+02:00'}`),
      '2026-02-01 10:00:00',
    ),
    /^(2026-02-0\d)T/,
    ([, day]) => `${day} 10:00:00+00`,
  ),
  pattern(
    't.decimal(9, 2, { decimal: ",", group: ".", currency: "€", nulls: ["-"] })',
    mostly(
      fc
        .tuple(fc.nat(4), fc.nat(2))
        .map(([n, form]) => [`1.00${n},50 €`, `100${n},5`, `€1.00${n},500`][form] ?? ''),
      '1.5',
      '-',
    ),
    /^(?:€)?1\.?00(\d),50*(?: €)?$/,
    ([, n]) => `100${n}.50`,
  ),
  pattern(
    't.bigint({ zeroFraction: true, nulls: ["-1", "NaN"] })',
    mostly(
      fc.tuple(fc.nat(5), oneOf('', '.', '.0', '.000')).map(([n, end]) => `${n}${end}`),
      '-1',
      '-1.0',
      'NaN',
      '1.5',
    ),
    /^(\d+)(?:\.0*)?$/,
    ([, n]) => n,
  ),
  pattern(
    't.timestamptz({ epoch: "ms" })',
    mostly(
      fc.nat(5).map((n) => String(1_700_000_000_000 + n * 500)),
      '1.7e12',
      'x',
    ),
    /^\d+$/,
    ([ms]) =>
      new Date(Number(ms))
        .toISOString()
        .replace('T', ' ')
        .replace(/(\.\d*?)0*Z$/, '$1+00')
        .replace('.+', '+'),
  ),
  pattern(
    't.timestamptz({ format: ["rfc2822", "iso"], zone: "Asia/Tokyo" })',
    mostly(
      fc
        .tuple(fc.nat(3), fc.nat(2))
        .map(
          ([n, form]) =>
            [
              `Tue, 01 Apr 2025 0${n}:00:00 GMT`,
              `1 Apr 2025 0${n + 2}:00 +0200`,
              `2025-04-01 ${n + 9 < 10 ? '0' : ''}${n + 9}:00:00`,
            ][form] ?? '',
        ),
      'Mon, 01 Apr 2025 01:00:00 GMT',
    ),
    /^(?:Tue, 01 Apr 2025 (\d\d):00:00 GMT|1 Apr 2025 (\d\d):00 \+0200|2025-04-01 (\d\d):00:00)$/,
    ([, gmt, cest, tokyo]) => {
      const hour = gmt ?? (cest ? Number(cest) - 2 : Number(tokyo) - 9)
      return `2025-04-01 ${String(hour).padStart(2, '0')}:00:00+00`
    },
  ),
  pattern(
    't.date({ midnight: true, zeroDates: "null" })',
    mostly(
      fc
        .tuple(days, oneOf('', ' 00:00:00', 'T00:00:00.000Z'))
        .map(([d, end]) => `2026-02-0${d}${end}`),
      '0000-00-00',
      '2026-02-01 00:00:01',
    ),
    /^(2026-02-0\d)(?: 00:00:00|T00:00:00\.000Z)?$/,
    ([, day]) => day,
  ),
  pattern(
    't.timestamp({ format: "syslog", year: 2024 })',
    mostly(
      days.map((d) => `Feb  ${d} 10:00:00`),
      'Feb 30 10:00:00',
      '2024-02-01 10:00:00',
    ),
    /^Feb {2}(\d) 10:00:00$/,
    ([, d]) => `2024-02-0${d} 10:00:00`,
  ),
]
