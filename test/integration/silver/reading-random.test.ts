import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { z } from 'zod'
import { t } from '../../../src/define/types/t.js'
import { checkTexts } from '../../support/checked.js'
import { amount } from '../../support/effort.js'
import { engineSession } from '../../support/engine.js'
import { seed } from '../../support/seed.js'

/*
 * Numbers and dates as they come: what the compiled checks read from generated texts is what
 * JavaScript reads from them, by arithmetic of its own (BigInt, Date, and the zones of ICU as Node
 * has them).
 */

const session = engineSession()
const RUNS = amount(6, 25, 80)

async function agree(
  schema: z.ZodType,
  texts: readonly string[],
  read: (text: string) => string | undefined,
) {
  const rows = await checkTexts(session(), schema, texts)
  const found = rows.map((row, i) => [texts[i], row._reasons === null ? String(row.c) : undefined])
  expect(found).toEqual(texts.map((text) => [text, read(text)]))
}

const marks = fc.constantFrom<['.' | ',', ('.' | ',' | "'" | '_' | ' ')?]>(
  ['.', ','],
  [',', '.'],
  [',', ' '],
  ['.', "'"],
  ['.', '_'],
  ['.'],
  [','],
)
const numberText = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.string({ unit: fc.constantFrom(..."0123456789.,' _-+€$e"), maxLength: 10 }),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(
        fc.constantFrom('', '-', '+', '€', '€ ', '-€', '€-', '$'),
        fc.array(fc.constantFrom('1', '12', '345', '678', '000'), { minLength: 1, maxLength: 4 }),
        fc.constantFrom('.', ',', "'", '_', ' ', '\u00a0', ''),
        fc.constantFrom('', ',', '.', ',5', '.50', ',005', '.000'),
        fc.constantFrom('', '€', ' €', '\u202f€', ' $'),
      )
      .map(
        ([before, groups, group, decimals, after]) =>
          before + groups.join(group) + decimals + after,
      ),
  },
)

/** A number to the scale, in units of its last digit; by hand, character by character. */
function units(
  text: string,
  scale: number,
  decimal: string,
  group: string | undefined,
  money: boolean,
) {
  let rest = text.replace(/^[ \t]+|[ \t]+$/g, '')
  const blanks = [' ', '\u00a0', '\u202f']
  let negative = false
  let signed = false
  const sign = () => {
    if (rest[0] !== '-' && rest[0] !== '+') return
    if (signed) return
    signed = true
    negative = rest[0] === '-'
    rest = rest.slice(1)
  }
  sign()
  let before = false
  if (money && rest.startsWith('€')) {
    before = true
    rest = rest.slice(1)
    if (blanks.includes(rest[0] ?? '')) rest = rest.slice(1)
    sign()
  }
  if (money && !before && rest.endsWith('€')) {
    rest = rest.slice(0, -1)
    if (blanks.includes(rest.at(-1) ?? '')) rest = rest.slice(0, -1)
  }
  const point = rest.indexOf(decimal)
  const [whole, fraction] = point < 0 ? [rest, ''] : [rest.slice(0, point), rest.slice(point + 1)]
  if (!/^\d*$/.test(fraction) || (whole === '' && fraction === '')) return undefined
  const separators = group === ' ' ? blanks : group === "'" ? ["'", '\u2019'] : group ? [group] : []
  const marked = separators.reduce((text, mark) => text.replaceAll(mark, '|'), whole)
  if (whole.includes('|')) return undefined
  const parts = marked.split('|')
  if (parts.some((part) => !/^\d*$/.test(part))) return undefined
  if (parts.length > 1 && (parts[0]?.length === 0 || (parts[0]?.length ?? 0) > 3)) return undefined
  if (parts.slice(1).some((part) => part.length !== 3)) return undefined
  if (/[^0]/.test(fraction.slice(scale))) return undefined
  const digits = BigInt(parts.join('') + fraction.slice(0, scale).padEnd(scale, '0') || '0')
  return negative ? -digits : digits
}

it(`reads decimals as they come (seed ${seed})`, async () => {
  await fc.assert(
    fc.asyncProperty(
      marks,
      fc.boolean(),
      fc.array(numberText, { minLength: 200, maxLength: 200 }),
      async ([decimal, group], money, texts) => {
        const currency = money ? { currency: '€' } : {}
        const schema = t.decimal(9, 2, { decimal, ...(group ? { group } : {}), ...currency })
        await agree(schema, texts, (text) => {
          const found = units(text, 2, decimal, group, money)
          if (found === undefined || found <= -(10n ** 9n) || found >= 10n ** 9n) return undefined
          const digits = String(found < 0n ? -found : found).padStart(3, '0')
          return `${found < 0n ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`
        })
      },
    ),
    { numRuns: RUNS, seed },
  )
})

it('reads whole numbers with decimals that are zero', async () => {
  await fc.assert(
    fc.asyncProperty(
      marks,
      fc.boolean(),
      fc.array(numberText, { minLength: 200, maxLength: 200 }),
      async ([decimal, group], zeroFraction, texts) => {
        const schema = t.int({ decimal, zeroFraction, ...(group ? { group } : {}) })
        await agree(schema, texts, (text) => {
          const own = text.trim()
          if (own.includes(decimal) && decimal !== group && !zeroFraction) return undefined
          if (new RegExp(`^[+-]?[${decimal}]`).test(own)) return undefined
          const found = units(text, 0, decimal, group, false)
          return found === undefined || found >= 2n ** 31n || found < -(2n ** 31n)
            ? undefined
            : String(found)
        })
      },
    ),
    { numRuns: RUNS, seed },
  )
})

/** A time with microseconds, as rows show it. */
const iso = (seconds: bigint, micros: bigint) =>
  new Date(Number(seconds) * 1000)
    .toISOString()
    .replace('.000Z', `.${String(micros).padStart(6, '0')}Z`)

it('counts from 1970, to the microsecond', async () => {
  const digits = { s: 6, ms: 3, us: 0, ns: -3 } as const
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('s', 'ms', 'us', 'ns' as const),
      fc.array(
        fc.tuple(
          fc.constantFrom('', '-', '+'),
          fc.oneof(fc.nat(3), fc.bigInt({ min: 0n, max: 10n ** 19n })).map(String),
          fc.constantFrom('', '.', '.5', '.000', '.1234560', '.1234567', 'e3'),
        ),
        { minLength: 40, maxLength: 40 },
      ),
      async (epoch, numbers) => {
        const texts = numbers.map((parts) => parts.join(''))
        await agree(t.timestamptz({ epoch }), texts, (text) => {
          const match = /^([+-]?)(\d+)(?:\.(\d+))?$/.exec(text)
          if (!match) return undefined
          const [, sign, whole = '', fraction = ''] = match
          const scale = digits[epoch]
          if (/[^0]/.test(fraction.slice(Math.max(scale, 0)))) return undefined
          if (scale < 0 && BigInt(whole) % 1000n !== 0n) return undefined
          const size =
            scale < 0
              ? BigInt(whole) / 1000n
              : BigInt(whole + fraction.slice(0, scale).padEnd(scale, '0'))
          const micros = sign === '-' ? -size : size
          if (micros < -62135596800000000n || micros > 253402300799999999n) return undefined
          const rest = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n
          return iso((micros - rest) / 1_000_000n, rest)
        })
      },
    ),
    { numRuns: RUNS, seed },
  )
})

const clocks = new Map<string, Intl.DateTimeFormat>()

/** What the clocks of a zone show at a moment. */
function shown(zone: string, at: number): string {
  const clock =
    clocks.get(zone) ??
    new Intl.DateTimeFormat('en-CA', {
      timeZone: zone,
      dateStyle: 'short',
      timeStyle: 'medium',
      hourCycle: 'h23',
    })
  clocks.set(zone, clock)
  const parts = Object.fromEntries(clock.formatToParts(at).map(({ type, value }) => [type, value]))
  return `${parts.year}-${parts.month}-${parts.day} ${parts.hour}:${parts.minute}:${parts.second}`
}

it('finds the moment at which the clocks of a zone showed a time, if there was just one', async () => {
  const hour = 3_600_000
  // When clocks are put forward or back, which is where it matters.
  const changes = [
    ['Europe/Berlin', '2024-03-31T01:00Z'],
    ['Europe/Berlin', '2024-10-27T01:00Z'],
    ['America/New_York', '2024-03-10T07:00Z'],
    ['America/New_York', '2024-11-03T06:00Z'],
    ['Australia/Lord_Howe', '2024-04-06T15:00Z'],
    ['Australia/Lord_Howe', '2024-10-05T15:30Z'],
    ['Asia/Kolkata', '2024-03-31T01:00Z'],
  ] as const
  const quarters = fc.integer({ min: -12, max: 12 })
  const [seen, chosenBy] = [new Set<number>(), new Set<string>()]
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...changes),
      fc.constantFrom(undefined, 'earlier', 'later' as const),
      fc.array(quarters, { minLength: 30, maxLength: 30 }),
      async ([zone, change], ambiguous, moments) => {
        // What the clocks would have shown, had they not been changed.
        const before = shown(zone, Date.parse(change) - hour * 12).replace(' ', 'T')
        const local = Date.parse(`${before}Z`) + hour * 12
        const texts = moments.map((n) =>
          new Date(local + (n * hour) / 4).toISOString().slice(0, 19).replace('T', ' '),
        )
        const schema = t.timestamptz({ zone, ...(ambiguous ? { ambiguous } : {}) })
        await agree(schema, texts, (text) => {
          const utc = Date.parse(`${text.replace(' ', 'T')}Z`)
          // Every quarter of an hour that may be meant.
          const all = Array.from({ length: 14 * 8 + 1 }, (_, i) => utc + (i - 56) * (hour / 4))
          const found = all.filter((at) => shown(zone, at) === text)
          seen.add(found.length)
          if (found.length === 2) chosenBy.add(String(ambiguous))
          const chosen =
            found.length === 1 || ambiguous === 'earlier' ? found[0] : ambiguous && found[1]
          return chosen === undefined ? undefined : iso(BigInt(chosen / 1000), 0n)
        })
      },
    ),
    // Each kind of hour is to be met.
    { numRuns: Math.max(RUNS, 25), seed },
  )
  expect([...seen].sort()).toEqual([0, 1, 2])
  expect(chosenBy.size).toBe(3)
})

it('reads dates of mails', async () => {
  const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
  const months = [
    'Jan',
    'Feb',
    'Mar',
    'Apr',
    'May',
    'Jun',
    'Jul',
    'Aug',
    'Sep',
    'Oct',
    'Nov',
    'Dec',
  ]
  const parts = fc.record({
    day: fc.integer({ min: 1, max: 32 }),
    month: fc.constantFrom(...months),
    year: fc.integer({ min: 1900, max: 2100 }),
    hour: fc.integer({ min: 0, max: 24 }),
    minute: fc.integer({ min: 0, max: 60 }),
    offset: fc.integer({ min: -14 * 60, max: 14 * 60 }),
    shift: fc.constantFrom(0, 0, 0, 1),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(parts, { minLength: 40, maxLength: 40 }), async (all) => {
      const two = (n: number) => String(n).padStart(2, '0')
      const expected = new Map<string, string | undefined>()
      for (const { day, month, year, hour, minute, offset, shift } of all) {
        const local = new Date(Date.UTC(year, months.indexOf(month), day, hour, minute))
        const size = Math.abs(offset)
        const zone = `${offset < 0 ? '-' : '+'}${two(Math.floor(size / 60))}${two(size % 60)}`
        const weekday = days[(local.getUTCDay() + shift) % 7]
        const exists = local.getUTCDate() === day && hour < 24 && minute < 60 && shift === 0
        const at = BigInt(local.getTime() / 1000) - BigInt(offset) * 60n
        const text = `${weekday}, ${two(day)} ${month} ${year} ${two(hour)}:${two(minute)}:00 ${zone}`
        expected.set(text, exists ? iso(at, 0n) : undefined)
      }
      await agree(t.timestamptz({ format: 'rfc2822' }), [...expected.keys()], (text) =>
        expected.get(text),
      )
    }),
    { numRuns: RUNS, seed },
  )
})
