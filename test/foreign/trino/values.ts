import type { random } from '../../support/seed.js'

type Draw = ReturnType<typeof random>

const pick = <T>(list: readonly T[], draw: Draw): T => list[Math.floor(draw() * list.length)] as T
const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`

const words = [
  ...[
    '',
    ' ',
    'a',
    'A',
    'b',
    'ab',
    'abc',
    'aab',
    'a,b,,c',
    'Zürich',
    'ß',
    'İ',
    'ı',
    'é',
    '日本語',
    '😀',
    'a😀b',
  ],
  ...['a\n', 'b\n\n', 'é1', 'a٣', '\u000b', 'a\u000bb', 'a\r', 'ba\u2028', '\n'],
  ...[
    "it's",
    '\\',
    '%',
    '_',
    'a%',
    '100%',
    '$1',
    '`',
    '"',
    '--',
    'a\tb',
    ' a ',
    '\u00a0',
    'ς',
    'Σ',
    'ABC',
    'xbxbx',
  ],
  ...[
    '0',
    '-0',
    '1',
    ' 1',
    '1 ',
    '+7',
    '1.5',
    '2.5',
    '-1.5',
    '1e3',
    '.5',
    '5.',
    'NaN',
    'Infinity',
    'true',
    'T',
    'yes',
    'null',
  ],
  ...[
    '2020-02-29',
    '2021-02-29',
    '2020-1-5',
    ' 2020-01-05',
    '2020-01-05 10:11:12.5',
    '2020/01/05',
    '99999999999',
    '0x1F',
    '1_000',
  ],
]
const jsons = [
  '{"a": "x", "b": [1, "two"]}',
  '{"a": null}',
  '{"a": {"e": 1}, "c": {"d": true}}',
  '[1,2,3]',
  '{"a": 1.50}',
  'no json',
  '',
  '2020-01-31',
  '{"b": []}',
]
const integers = [0, 1, -1, 2, -2, 3, 5, 7, 10, 100, -100, 1000, 2147483647, -2147483648, 86400]
const bigs = ['0', '1', '-1', '9223372036854775807', '-9223372036854775807', '1577836800', '3']
const doubles = [
  '0e0',
  '-0e0',
  '1e0',
  '-1e0',
  '0.5e0',
  '1.5e0',
  '2.5e0',
  '-2.5e0',
  '0.1e0',
  '3.14159e0',
  '1e10',
  '1e-5',
  '123456.789e0',
  '2.675e0',
  'nan()',
  'infinity()',
  '-infinity()',
  '1e300',
]
const decimals = [
  '0',
  '0.01',
  '-0.01',
  '1.50',
  '2.50',
  '-2.50',
  '99.99',
  '1234567890.12',
  '-3.33',
  '0.05',
  '10.00',
]
const days = [
  '1970-01-01',
  '2020-02-29',
  '2019-12-31',
  '2020-12-31',
  '2021-01-03',
  '1999-01-01',
  '2024-03-31',
  '1900-02-28',
  '2038-01-19',
  '2020-01-31',
]
const clocks = [
  '00:00:00',
  '23:59:59.999999',
  '12:30:00.5',
  '05:06:07.123456',
  '00:00:00.000001',
  '10:00:00.500',
]

const COLUMNS: Readonly<Record<string, { type: string; draw: (draw: Draw) => string }>> = {
  t: { type: 'varchar', draw: (d) => quoted(pick(words, d)) },
  u: { type: 'varchar', draw: (d) => quoted(pick(words, d)) },
  i: { type: 'integer', draw: (d) => String(pick(integers, d)) },
  k: { type: 'integer', draw: (d) => String(pick(integers, d)) },
  b: { type: 'bigint', draw: (d) => pick(bigs, d) },
  d: { type: 'double', draw: (d) => pick(doubles, d) },
  e: { type: 'double', draw: (d) => pick(doubles, d) },
  m: { type: 'decimal(12,2)', draw: (d) => pick(decimals, d) },
  n: { type: 'decimal(18,6)', draw: (d) => pick(decimals, d) },
  day: { type: 'date', draw: (d) => `DATE '${pick(days, d)}'` },
  dai: { type: 'date', draw: (d) => `DATE '${pick(days, d)}'` },
  ts: { type: 'timestamp(6)', draw: (d) => `TIMESTAMP '${pick(days, d)} ${pick(clocks, d)}'` },
  a: {
    type: 'array(integer)',
    draw: (d) =>
      `ARRAY[${Array.from({ length: Math.floor(d() * 4) }, () => (d() < 0.2 ? 'NULL' : pick(integers, d))).join(', ')}]`,
  },
  c: {
    type: 'array(integer)',
    draw: (d) =>
      `ARRAY[${Array.from({ length: Math.floor(d() * 3) }, () => pick(integers, d)).join(', ')}]`,
  },
  o: { type: 'boolean', draw: (d) => pick(['true', 'false'], d) },
  j: { type: 'varchar', draw: (d) => quoted(pick(jsons, d)) },
}

/** A table of values that both engines read: `(SELECT … FROM (VALUES …)) AS v`. */
export function valuesTable(count: number, draw: Draw): string {
  const rows = Array.from({ length: count }, (_, rn) => {
    const values = Object.values(COLUMNS).map((one) => (draw() < 0.08 ? 'NULL' : one.draw(draw)))
    return `(${[rn + 1, ...values].join(', ')})`
  })
  const names = ['rn', ...Object.keys(COLUMNS)]
  const cast = Object.entries(COLUMNS).map(
    ([name, { type }]) => `CAST(${name} AS ${type}) AS ${name}`,
  )
  return `(SELECT rn, ${cast.join(', ')}, CAST(ts AS timestamp(6) with time zone) AS tz FROM (VALUES ${rows.join(', ')}) AS r(${names.join(', ')})) AS v`
}
