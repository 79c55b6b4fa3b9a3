import type { BoundType } from '../../../src/sql/bound/tree.js'
import type { TypeClass } from '../../../src/sql/bound/types.js'

const decimal = (precision: number, scale: number): BoundType => ({
  id: 'decimal',
  precision,
  scale,
})

/** The types that stand for a class, small and large ones. */
export const typesOf: Readonly<Record<Exclude<TypeClass, 'none'>, readonly BoundType[]>> = {
  boolean: [{ id: 'boolean' }],
  integer: [{ id: 'tinyint' }, { id: 'smallint' }, { id: 'integer' }, { id: 'bigint' }],
  hugeint: [{ id: 'hugeint' }],
  decimal: [
    decimal(4, 2),
    decimal(9, 9),
    decimal(12, 2),
    decimal(18, 6),
    decimal(20, 3),
    decimal(38, 0),
    decimal(38, 2),
    decimal(38, 10),
  ],
  double: [{ id: 'double' }],
  text: [{ id: 'varchar' }],
  date: [{ id: 'date' }],
  timestamp: [{ id: 'timestamp' }],
  timestamptz: [{ id: 'timestamptz' }],
  binary: [{ id: 'blob' }],
}

export type Draw = () => number

const bits: Partial<Record<BoundType['id'], bigint>> = {
  tinyint: 7n,
  smallint: 15n,
  integer: 31n,
  bigint: 63n,
}

const pick = <T>(list: readonly T[], draw: Draw): T => list[Math.floor(draw() * list.length)] as T

function whole(digits: number, draw: Draw): bigint {
  const length = Math.ceil(draw() * digits)
  const text = Array.from({ length }, () => Math.floor(draw() * 10)).join('')
  const value = BigInt(text || '0')
  return draw() < 0.5 ? -value : value
}

function edges(end: bigint): bigint[] {
  return [0n, 1n, -1n, 2n, -3n, 5n, 10n, 100n, end, -end, end - 1n, end / 2n, -end / 2n]
}

function withPoint(value: bigint, scale: number): string {
  const text = String(value < 0n ? -value : value).padStart(scale + 1, '0')
  const point = scale === 0 ? text : `${text.slice(0, -scale)}.${text.slice(text.length - scale)}`
  return value < 0n ? `-${point}` : point
}

const words = [
  ...['', ' ', 'a', 'A', 'b', 'ab', 'abc', 'abcabc', 'aab', 'Zürich', 'ß', 'ẞ', 'İstanbul', 'ı'],
  ...[
    'e\u0301',
    '\u00e9',
    '日本',
    '日本語',
    '😀',
    'a😀b',
    '😀😀',
    '👩‍👩‍👧',
    '\ud7ff',
    '\ue000',
    '\u{10ffff}',
  ],
  ...["it's", "''", '\\', '\\n', '%', '_', 'a%', 'a_b', '100%', '${x}', '$', '`', '"', '--', '/*'],
  ...['a\nb', 'a\tb', '\r\n', ' a ', 'a ', '\u00a0', '\u200b', 'x'.repeat(300), '-', '-a'],
  ...['0', '-0', '1', '1.0', 'NaN', 'null', 'NULL', 'true', 'ﬁ', 'ǅ', 'Σ', 'ς', 'σ'],
]

const days = [
  ...['0001-01-01', '0001-12-31', '0004-02-29', '1582-10-04', '1582-10-10', '1582-10-15'],
  ...['1599-12-31', '1899-12-31', '1900-02-28', '1969-12-31', '1970-01-01', '1999-12-31'],
  ...['2000-02-29', '2016-02-29', '2019-12-30', '2020-01-01', '2021-01-03', '2021-01-04'],
  ...['2023-03-31', '2024-02-29', '2024-12-31', '2026-05-10', '9999-12-31', '9999-01-01'],
]
const clocks = [
  ...['00:00:00.000000', '00:00:00.000001', '23:59:59.999999', '12:00:00.500000'],
  ...['11:59:59.000000', '00:30:00.123456', '23:00:00.000000'],
]

function day(draw: Draw): string {
  if (draw() < 0.7) return pick(days, draw)
  const time = Date.UTC(1900, 0, 1) + Math.floor(draw() * 200 * 365.25) * 86_400_000
  return new Date(time).toISOString().slice(0, 10)
}

const doubles = [
  ...['0', '-0', '1', '-1', '0.1', '0.2', '0.30000000000000004', '1e300', '-1e300', '5e-324'],
  ...[
    '1.7976931348623157e308',
    'NaN',
    'Infinity',
    '-Infinity',
    '2.5',
    '3.5',
    '-2.5',
    '1e15',
    '1e22',
  ],
]

/** A hostile value of a type, as text; seldom NULL. */
export function hostileValue(type: BoundType, draw: Draw): string | null {
  if (draw() < 0.08) return null
  switch (type.id) {
    case 'boolean':
      return draw() < 0.5 ? 'true' : 'false'
    case 'decimal': {
      const end = 10n ** BigInt(type.precision) - 1n
      // Halves are what rounding is about.
      const halves = [5n, 15n, 25n, -5n, -15n, 49n, 50n, 51n, 149n, 150n].map(
        (one) => one * 10n ** BigInt(Math.max(0, type.scale - 1)),
      )
      const fitting = [...edges(end), ...halves].filter((one) => one <= end && one >= -end)
      const value = draw() < 0.5 ? pick(fitting, draw) : whole(type.precision, draw)
      return withPoint(value, type.scale)
    }
    case 'hugeint': {
      const end = 10n ** 38n - 1n
      return String(draw() < 0.5 ? pick(edges(end), draw) : whole(38, draw))
    }
    case 'varchar':
      if (draw() < 0.85) return pick(words, draw)
      return pick(words, draw) + pick(words, draw)
    case 'date':
      return day(draw)
    case 'timestamp':
    case 'timestamptz':
      return `${day(draw)} ${pick(clocks, draw)}`
    case 'double':
      return draw() < 0.7 ? pick(doubles, draw) : String((draw() - 0.5) * 10 ** (draw() * 20))
    default: {
      const end = (1n << (bits[type.id] as bigint)) - 1n
      const one = draw() < 0.6 ? pick([...edges(end), -end - 1n], draw) : whole(19, draw)
      return String(one > end || one < -end - 1n ? one % end : one)
    }
  }
}
