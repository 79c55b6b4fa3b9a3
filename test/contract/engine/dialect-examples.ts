import type { RowValue } from '../../../src/engine/engine.js'
import type { Dialect } from '../../../src/sql/dialect.js'

/** What a function of the dialect gives; whole numbers may have any type of the engine's. */
type Example = [sql: (dialect: Dialect) => string, value: RowValue]
type Examples = Record<string, readonly Example[]>

const NULL = 'CAST(NULL AS VARCHAR)'
const time = (text: string) => `CAST('${text}' AS TIMESTAMP)`
const moment = (text: string) => `CAST('${text}' AS TIMESTAMP WITH TIME ZONE)`

const values: Examples = {
  'values.wholeType': [
    [
      ({ values: v }) => v.tryCast("'-99999999999999999999999999999999999999'", v.wholeType),
      -(10n ** 38n - 1n),
    ],
    [({ values: v }) => v.tryCast("'x'", v.wholeType), null],
  ],
  'values.whole': [
    [({ values: v }) => v.whole(2n ** 63n), 2n ** 63n],
    [({ values: v }) => v.whole(-5n), -5n],
    [({ values: v }) => v.whole(-(10n ** 37n)), -(10n ** 37n)],
  ],
  'values.tryCast': [
    [({ values: v }) => v.tryCast("'12'", 'INTEGER'), 12],
    [({ values: v }) => v.tryCast("'99999999999'", 'INTEGER'), null],
    [({ values: v }) => v.tryCast("'x'", 'BIGINT'), null],
    [({ values: v }) => v.tryCast("''", 'BIGINT'), null],
    [({ values: v }) => v.tryCast("'-0.5'", 'DECIMAL(3, 1)'), '-0.5'],
    [({ values: v }) => v.tryCast("'1969-02-29'", 'DATE'), null],
    [({ values: v }) => v.tryCast("'1968-02-29'", 'DATE'), '1968-02-29'],
    [({ values: v }) => v.tryCast(NULL, 'DATE'), null],
    [({ values: v }) => v.tryCast("' 12\t'", 'INTEGER'), 12],
    [({ values: v }) => v.tryCast("'-9223372036854775809'", 'BIGINT'), null],
    [({ values: v }) => v.tryCast("'1234'", 'DECIMAL(4, 1)'), null],
    [({ values: v }) => v.tryCast("'1.50000'", 'DECIMAL(3, 2)'), '1.50'],
    [({ values: v }) => v.tryCast('1234', 'DECIMAL(4, 1)'), null],
    [({ values: v }) => v.tryCast("'0.1'", 'DOUBLE'), 0.1],
    [
      ({ values: v }) => v.tryCast("'1969-12-31T24:00:00'", 'TIMESTAMP'),
      '1970-01-01T00:00:00.000000',
    ],
    [
      ({ values: v }) => v.tryCast("'1582-10-10 00:00:00.000001'", 'TIMESTAMP'),
      '1582-10-10T00:00:00.000001',
    ],
    [({ values: v }) => v.tryCast("'2024-01-01 24:00:01'", 'TIMESTAMP'), null],
    [
      ({ values: v }) => v.tryCast("'2024-03-31 02:30:00'", 'TIMESTAMP WITH TIME ZONE'),
      '2024-03-31T02:30:00.000000Z',
    ],
    [
      ({ values: v }) => v.tryCast("'2024-03-31T02:30:00-0130'", 'TIMESTAMP WITH TIME ZONE'),
      '2024-03-31T04:00:00.000000Z',
    ],
  ],
  'values.text': [
    [({ values: v }) => v.text("CAST('-1.50' AS DECIMAL(4, 2))"), '-1.50'],
    [({ values: v }) => v.text("CAST('0001-01-01' AS DATE)"), '0001-01-01'],
    [({ values: v }) => v.text('1 = 1'), 'true'],
    [({ values: v }) => v.text(NULL), null],
    [({ values: v }) => v.text("CAST('0' AS DECIMAL(4, 2))"), '0.00'],
    [({ values: v }) => v.text("CAST('-9223372036854775808' AS BIGINT)"), '-9223372036854775808'],
    [({ values: v }) => v.text(time('1969-12-31 23:59:59.500000')), '1969-12-31 23:59:59.5'],
    [({ values: v }) => v.text(time('1970-01-01 00:00:00')), '1970-01-01 00:00:00'],
    [({ values: v }) => v.text(moment('1970-01-01 00:00:00+02:00')), '1969-12-31 22:00:00+00'],
    [({ values: v }) => v.text("'  é '"), '  é '],
    [({ values: v }) => v.tryCast(v.text("CAST('5e-324' AS DOUBLE)"), 'DOUBLE'), 5e-324],
    [
      ({ values: v }) => v.tryCast(v.text("CAST('0.30000000000000004' AS DOUBLE)"), 'DOUBLE'),
      0.30000000000000004,
    ],
  ],
  'values.attempt': [
    [({ values: v }) => `(${v.attempt("CAST('x' AS INTEGER)")}) IS NULL`, true],
    [({ values: v }) => `(${v.attempt('CAST(NULL AS INTEGER)')}) IS NULL`, false],
    [({ values: v }) => v.attempt("'é'"), { v: 'é' }],
    // What comes twice is computed once by engines, and must not be outside of the attempt.
    [
      ({ values: v }) =>
        `(SELECT count(*) FILTER ((${v.attempt('CAST(x AS INTEGER) * 2 > CAST(x AS INTEGER)')}) IS NULL)
          FROM (VALUES ('1'), ('x'), (NULL)) AS t(x))`,
      1n,
    ],
    [({ values: v }) => v.attempt("'-- é' -- of people"), { v: '-- é' }],
  ],
  'values.hash': [
    [({ values: v }) => `${v.hash("'a'")} = ${v.hash("'a'")}`, true],
    [({ values: v }) => `${v.hash("'a'")} = ${v.hash("'b'")}`, false],
    [({ values: v }) => `${v.hash(NULL)} IS NULL`, false],
    [({ values: v }) => `${v.hash("'a'", "'b'")} = ${v.hash("'b'", "'a'")}`, false],
    [({ values: v }) => `${v.hash("'a'", NULL)} = ${v.hash(NULL, "'a'")}`, false],
    [
      ({ values: v }) => `${v.hash("CAST('-0' AS DOUBLE)")} = ${v.hash("CAST('0' AS DOUBLE)")}`,
      true,
    ],
    [
      ({ values: v }) =>
        `${v.hash("CAST('1.5' AS DECIMAL(9, 2))")} = ${v.hash("CAST('1.50' AS DECIMAL(9, 2))")}`,
      true,
    ],
  ],
  'values.isFinite': [
    [({ values: v }) => v.isFinite("CAST('infinity' AS DOUBLE)"), false],
    [({ values: v }) => v.isFinite("CAST('nan' AS DOUBLE)"), false],
    [({ values: v }) => v.isFinite("CAST('-1e300' AS DOUBLE)"), true],
  ],
  'values.isNaN': [
    [({ values: v }) => v.isNaN("CAST('nan' AS DOUBLE)"), true],
    [({ values: v }) => v.isNaN("CAST('infinity' AS DOUBLE)"), false],
    [({ values: v }) => v.isNaN('CAST(NULL AS DOUBLE)'), null],
  ],
  'values.quotient': [
    [({ values: v }) => v.quotient('7', '3'), 2],
    [({ values: v }) => v.quotient('2', '3'), 0],
    [({ values: v }) => v.quotient('0', '3'), 0],
    [({ values: v }) => v.quotient("CAST('9223372036854775807' AS BIGINT)", '2'), 2n ** 62n - 1n],
  ],
  'values.struct': [
    [
      ({ values: v }) => {
        const struct = (day: string) =>
          v.struct([
            ['a "b"', NULL],
            ['day', day],
          ] as const)
        const [one, other] = ["CAST('1969-12-31' AS DATE)", "CAST('1970-01-01' AS DATE)"]
        return `${struct(one)} IS NOT DISTINCT FROM ${struct(one)} AND ${struct(one)} IS DISTINCT FROM ${struct(other)}`
      },
      true,
    ],
  ],
  'values.fail': [
    [({ values: v }) => `CASE WHEN 1 = 1 THEN 'é' ELSE ${v.fail("'not this'")} END`, 'é'],
  ],
}

const texts: Examples = {
  'texts.length': [
    [({ texts: t }) => t.length("'é😀'"), 2],
    [({ texts: t }) => t.length("'e\u0301'"), 2],
    [({ texts: t }) => t.length("''"), 0],
    [({ texts: t }) => t.length(NULL), null],
    [({ texts: t }) => t.length("'  '"), 2],
  ],
  'texts.bytes': [
    [({ texts: t }) => t.bytes("'é😀'"), 6],
    [({ texts: t }) => t.bytes("''"), 0],
    [({ texts: t }) => t.bytes(NULL), null],
  ],
  'texts.utf8': [
    [({ texts: t }) => t.utf8("'\ufeffé'"), new Uint8Array([0xef, 0xbb, 0xbf, 0xc3, 0xa9])],
    [({ texts: t }) => t.utf8("''"), new Uint8Array()],
    [({ texts: t }) => t.utf8(NULL), null],
  ],
  'texts.md5': [
    [({ texts: t }) => t.md5("'é'"), '66ddcd97cfdeabb2f6fb8a999b4bc76f'],
    [({ texts: t }) => t.md5("''"), 'd41d8cd98f00b204e9800998ecf8427e'],
    [({ texts: t }) => t.md5(NULL), null],
  ],
  'texts.characters': [[({ texts: t }) => t.characters([9, 10, 65, 0x1f600]), '\t\nA😀']],
  'texts.contains': [
    [({ texts: t }) => t.contains("'a😀b'", "'😀'"), true],
    [({ texts: t }) => t.contains("'abc'", "'B'"), false],
    [({ texts: t }) => t.contains("'a%c'", "'%'"), true],
    [({ texts: t }) => t.contains("'abc'", "'_'"), false],
    [({ texts: t }) => t.contains("'abc'", "''"), true],
    [({ texts: t }) => t.contains(NULL, "'a'"), null],
    [({ texts: t }) => t.contains("'e\u0301'", "'é'"), false],
  ],
  'texts.startsWith': [
    [({ texts: t }) => t.startsWith("'éa'", "'é'"), true],
    [({ texts: t }) => t.startsWith("''", "'a'"), false],
    [({ texts: t }) => t.startsWith("'ab'", "'_b'"), false],
    [({ texts: t }) => t.startsWith(NULL, "'a'"), null],
    [({ texts: t }) => t.startsWith("'a'", "''"), true],
  ],
  'texts.endsWith': [
    [({ texts: t }) => t.endsWith("'aé'", "'é'"), true],
    [({ texts: t }) => t.endsWith("'ab'", "'B'"), false],
    [({ texts: t }) => t.endsWith("'a'", "'aa'"), false],
    [({ texts: t }) => t.endsWith(NULL, "'a'"), null],
    [({ texts: t }) => t.endsWith("'a '", "'a'"), false],
    [({ texts: t }) => t.endsWith("'a'", "''"), true],
  ],
  'texts.slice': [
    [({ texts: t }) => t.slice("'a😀bc'", 2, 2), '😀b'],
    [({ texts: t }) => t.slice("'abc'", 2), 'bc'],
    [({ texts: t }) => t.slice("'abc'", 5), ''],
    [({ texts: t }) => t.slice("'abc'", 1, 0), ''],
    [({ texts: t }) => t.slice(NULL, 1, 1), null],
    [({ texts: t }) => t.slice("'e\u0301x'", 2, 1), '\u0301'],
  ],
  'texts.first': [
    [({ texts: t }) => t.first("'😀a'", 1), '😀'],
    [({ texts: t }) => t.first("'a'", 3), 'a'],
    [({ texts: t }) => t.first("'e\u0301'", 1), 'e'],
    [({ texts: t }) => t.first(NULL, 1), null],
    [({ texts: t }) => t.first("'a'", 0), ''],
  ],
  'texts.last': [
    [({ texts: t }) => t.last("'a😀'", 1), '😀'],
    [({ texts: t }) => t.last("'a'", 3), 'a'],
    [({ texts: t }) => t.last("''", 1), ''],
    [({ texts: t }) => t.last(NULL, 1), null],
  ],
  'texts.position': [
    [({ texts: t }) => t.position("'😀b'", "'b'"), 2],
    [({ texts: t }) => t.position("'ab'", "'c'"), 0],
    [({ texts: t }) => t.position(NULL, "'c'"), null],
    [({ texts: t }) => t.position("'😀abab'", "'b'"), 3],
  ],
  'texts.before': [
    [({ texts: t }) => t.before("'000012-é-x'", '-'), '000012'],
    [({ texts: t }) => t.before("'é'", '-'), 'é'],
    [({ texts: t }) => t.before("'-'", '-'), ''],
    [({ texts: t }) => t.before(NULL, '-'), null],
    [({ texts: t }) => t.before("'a--b--c'", '--'), 'a'],
  ],
  'texts.trim': [
    [({ texts: t }) => t.trim("' \t a \t'", "' \t'"), 'a'],
    [({ texts: t }) => t.trim("' \t '", "' \t'"), ''],
    [({ texts: t }) => t.trim("'\u00a0a\n'", "' \t'"), '\u00a0a\n'],
    [({ texts: t }) => t.trim(NULL, "' '"), null],
  ],
  'texts.replace': [
    [({ texts: t }) => t.replace("'aXbX'", "'X'", "''"), 'ab'],
    [({ texts: t }) => t.replace("'1.5'", "'.'", "','"), '1,5'],
    [({ texts: t }) => t.replace(NULL, "'a'", "'b'"), null],
    [({ texts: t }) => t.replace("'aaa'", "'aa'", "'b'"), 'ba'],
    [({ texts: t }) => t.replace("'abc'", "''", "'x'"), 'abc'],
  ],
  'texts.join': [
    [({ texts: t }) => t.join(["'a'", NULL, "'é'"]), 'aé'],
    [({ texts: t }) => t.join([NULL, NULL]), ''],
  ],
  'texts.joinBy': [
    [({ texts: t }) => t.joinBy("', ", ["'a'", NULL, "''", "'é'"]), "a', ', é"],
    [({ texts: t }) => t.joinBy(', ', [NULL]), ''],
  ],
}

const patterns: Examples = {
  'patterns.matches': [
    [({ patterns: p }) => p.matches("'abc'", 'a.c'), true],
    [({ patterns: p }) => p.matches("'xabc'", 'abc'), false],
    // Java's `$` would let a last line end pass.
    [({ patterns: p }) => p.matches("'abc\n'", 'abc'), false],
    [({ patterns: p }) => p.matches("'😀'", '.'), true],
    [({ patterns: p }) => p.matches("''", '[a-z]*'), true],
    [({ patterns: p }) => p.matches("'a\\b''c'", "a\\\\b'c"), true],
    [({ patterns: p }) => p.matches("'ABC'", '(?i)abc'), true],
    [({ patterns: p }) => p.matches("'a\nb'", '(?s:.*)'), true],
    [({ patterns: p }) => p.matches(NULL, '.*'), null],
    [({ patterns: p }) => p.matches("'a\nb'", 'a.b'), false],
    [({ patterns: p }) => p.matches("'é'", '\\w'), false],
    [({ patterns: p }) => p.matches("'\u0663'", '\\d'), false],
    [({ patterns: p }) => p.matches("'\u00a0'", '\\s'), false],
    [({ patterns: p }) => p.matches("'ab'", 'a|ab'), true],
  ],
  'patterns.finds': [
    [({ patterns: p }) => p.finds("'xabcx'", 'b'), true],
    [({ patterns: p }) => p.finds("'xabcx'", '\\Ab'), false],
    [({ patterns: p }) => p.finds("'b\n'", 'b\\z'), false],
    [({ patterns: p }) => p.finds(NULL, 'b'), null],
    [({ patterns: p }) => p.finds("'a\n'", 'a$'), false],
    [({ patterns: p }) => p.finds("'a\nb'", '^b'), false],
  ],
  'patterns.extract': [
    [({ patterns: p }) => p.extract("'k=é'", '(.)=(.)', 2), 'é'],
    [({ patterns: p }) => p.extract("'k'", '(.)=(.)', 2), ''],
    [({ patterns: p }) => p.extract(NULL, '(.)', 1), null],
    [({ patterns: p }) => p.extract("'b'", '(x)?b', 1), ''],
    [({ patterns: p }) => p.extract("'ab-ac'", '(ab?|ac)', 1), 'ab'],
    [({ patterns: p }) => p.extract("'aaa'", '(a|aa)', 1), 'a'],
  ],
  'patterns.extractAll': [
    [({ patterns: p }) => p.extractAll("'k=é'", '(.)=(.)', ['a', 'b']), { a: 'k', b: 'é' }],
    [({ patterns: p }) => p.extractAll("'k'", '(.)=(.)', ['a', 'b']), { a: '', b: '' }],
    [({ patterns: p }) => `(${p.extractAll("'k=é'", '(.)=(.)', ['a', 'b'])}).b`, 'é'],
    [({ patterns: p }) => `(${p.extractAll(NULL, '(.)', ['a'])}).a`, null],
  ],
  'patterns.without': [
    [({ patterns: p }) => p.without("'-1 234,5é'", '[^0-9]'), '12345'],
    [({ patterns: p }) => p.without("''", 'a'), ''],
    [({ patterns: p }) => p.without(NULL, 'a'), null],
    [({ patterns: p }) => p.without("'aXbX'", 'X'), 'ab'],
    [({ patterns: p }) => p.without("'aaa'", '^a'), 'aa'],
  ],
  'patterns.replaceFirst': [
    [({ patterns: p }) => p.replaceFirst("'1.50'", '[.].*$', ''), '1'],
    [({ patterns: p }) => p.replaceFirst("'aa'", 'a', 'b'), 'ba'],
    [({ patterns: p }) => p.replaceFirst("'a'", '(a)', '\\1$1'), '\\1$1'],
    [({ patterns: p }) => p.replaceFirst(NULL, 'a', 'b'), null],
    [({ patterns: p }) => p.replaceFirst("'ab'", 'x', 'y'), 'ab'],
  ],
}

const berlin = "'Europe/Berlin'"
const asText = ({ values: v }: Dialect, sql: string) => v.text(sql)
const times: Examples = {
  'times.parse': [
    [
      (d) => asText(d, d.times.parse("'31.12.1969 23:59:59'", '%d.%m.%Y %H:%M:%S')),
      '1969-12-31 23:59:59',
    ],
    [(d) => asText(d, d.times.parse("'29.02.1900'", '%d.%m.%Y')), null],
    [(d) => asText(d, d.times.parse("'29.02.2000'", '%d.%m.%Y')), '2000-02-29 00:00:00'],
    [(d) => asText(d, d.times.parse("''", '%d.%m.%Y')), null],
    [(d) => asText(d, d.times.parse(NULL, '%d.%m.%Y')), null],
    [(d) => asText(d, d.times.parse("'3/1/24'", '%m/%d/%y')), '2024-03-01 00:00:00'],
    [(d) => asText(d, d.times.parse("'3/1/69'", '%m/%d/%y')), '1969-03-01 00:00:00'],
    [(d) => asText(d, d.times.parse("'3/1/68'", '%m/%d/%y')), '2068-03-01 00:00:00'],
    [
      (d) => asText(d, d.times.parse("'sep 01 1970 12:05 am'", '%b %d %Y %I:%M %p')),
      '1970-09-01 00:05:00',
    ],
    [
      (d) => asText(d, d.times.parse("'10:00:00.000001'", '%H:%M:%S.%f')),
      '1900-01-01 10:00:00.000001',
    ],
    [
      (d) => d.times.parse("'1970-01-01 00:00:00 +0200'", '%Y-%m-%d %H:%M:%S %z'),
      '1969-12-31T22:00:00.000000Z',
    ],
  ],
  'times.inZone': [
    [
      (d) => asText(d, d.times.inZone(berlin, moment('1969-12-31 23:30:00Z'))),
      '1970-01-01 00:30:00',
    ],
    [(d) => d.times.inZone("'UTC'", time('1969-12-31 23:30:00')), '1969-12-31T23:30:00.000000Z'],
    // Clocks went from 2 to 3: the offset changed between the two.
    [(d) => d.times.inZone(berlin, time('2024-03-31 01:59:59')), '2024-03-31T00:59:59.000000Z'],
    [(d) => d.times.inZone(berlin, time('2024-03-31 03:00:00')), '2024-03-31T01:00:00.000000Z'],
    [(d) => d.times.inZone(berlin, 'CAST(NULL AS TIMESTAMP)'), null],
    [
      (d) => asText(d, d.times.inZone(berlin, moment('1890-01-01 00:00:00Z'))),
      '1890-01-01 00:53:28',
    ],
    [
      (d) => asText(d, d.times.inZone("'America/New_York'", moment('2024-11-03 06:30:00Z'))),
      '2024-11-03 01:30:00',
    ],
  ],
  'times.isZone': [
    [({ times: t }) => t.isZone(berlin), true],
    [({ times: t }) => t.isZone("'Nowhere/Land'"), false],
    [({ times: t }) => t.isZone(NULL), null],
    [({ times: t }) => t.isZone("'europe/berlin'"), false],
    [({ times: t }) => t.isZone("'+02:00'"), false],
  ],
  'times.fromDays': [
    [({ times: t }) => t.fromDays('-1'), '1969-12-31'],
    [({ times: t }) => t.fromDays('19782'), '2024-02-29'],
    [({ times: t }) => t.fromDays('-719162'), '0001-01-01'],
    [({ times: t }) => t.fromDays('2932896'), '9999-12-31'],
    [({ times: t }) => t.fromDays('CAST(NULL AS INTEGER)'), null],
  ],
  'times.fromMicros': [
    [({ times: t }) => t.fromMicros('CAST(-1 AS BIGINT)'), '1969-12-31T23:59:59.999999'],
    [
      ({ times: t }) => t.fromMicros("CAST('253402300799999999' AS BIGINT)"),
      '9999-12-31T23:59:59.999999',
    ],
    [({ times: t }) => t.fromMicros('CAST(NULL AS BIGINT)'), null],
    [
      ({ times: t }) => t.fromMicros("CAST('-62135596800000000' AS BIGINT)"),
      '0001-01-01T00:00:00.000000',
    ],
  ],
  'times.minutes': [
    [
      ({ times: t }) => `${time('1970-01-01 00:00:00')} + ${t.minutes('CAST(-90 AS BIGINT)')}`,
      '1969-12-31T22:30:00.000000',
    ],
    [
      ({ times: t }) => `${moment('2024-03-31 00:30:00Z')} + ${t.minutes('CAST(60 AS BIGINT)')}`,
      '2024-03-31T01:30:00.000000Z',
    ],
  ],
  'times.days': [
    [
      ({ times: t }) => `${time('2024-02-28 12:00:00')} + ${t.days(1)}`,
      '2024-02-29T12:00:00.000000',
    ],
    [
      ({ times: t }) => `${time('1970-01-01 00:00:00')} - ${t.days(1)}`,
      '1969-12-31T00:00:00.000000',
    ],
    [
      ({ times: t }) => `${time('2024-01-31 00:00:00')} + ${t.days(0)}`,
      '2024-01-31T00:00:00.000000',
    ],
  ],
  'times.micros': [
    [
      ({ times: t }) => `${time('1970-01-01 00:00:00')} - ${t.micros(1)}`,
      '1969-12-31T23:59:59.999999',
    ],
  ],
  'times.seconds': [
    [({ times: t }) => t.seconds(time('1969-12-31 23:59:58.500000')), -1.5],
    [({ times: t }) => t.seconds(moment('1970-01-01 01:00:00+01:00')), 0],
    [({ times: t }) => t.seconds('CAST(NULL AS TIMESTAMP)'), null],
    [({ times: t }) => t.seconds("CAST('1969-12-31' AS DATE)"), -86_400],
  ],
  'times.millis': [
    [({ times: t }) => t.millis(time('1969-12-31 23:59:59.999000')), -1],
    [({ times: t }) => t.millis(time('2024-02-29 00:00:00')), 1_709_164_800_000],
    [({ times: t }) => t.millis('CAST(NULL AS TIMESTAMP)'), null],
    [({ times: t }) => t.millis(time('1970-01-01 00:00:00.001999')), 1],
    [({ times: t }) => t.millis(time('9999-12-31 23:59:59.999999')), 253_402_300_799_999],
  ],
  'times.weekday': [
    [({ times: t }) => t.weekday(time('1970-01-01 00:00:00')), 'Thu'],
    [({ times: t }) => t.weekday(time('1969-12-31 23:59:59')), 'Wed'],
    [({ times: t }) => t.weekday('CAST(NULL AS TIMESTAMP)'), null],
  ],
}

const lists: Examples = {
  'lists.present': [
    [({ lists: l }) => l.present(["'a'", NULL, "''"], 'VARCHAR'), ['a', '']],
    [({ lists: l }) => l.present([NULL], 'VARCHAR'), []],
  ],
  'lists.concat': [
    [({ lists: l }) => l.concat(l.of("'a'"), l.of("'é'")), ['a', 'é']],
    [({ lists: l }) => l.concat(l.of(NULL), l.of("'a'")), [null, 'a']],
    [({ lists: l }) => l.concat(l.orEmpty(l.none), l.of("'a'", "'a'")), ['a', 'a']],
  ],
  'lists.orEmpty': [
    [({ lists: l }) => l.orEmpty(l.none), []],
    [({ lists: l }) => l.orEmpty(l.of("'a'")), ['a']],
  ],
  'lists.none': [[({ lists: l }) => l.none, null]],
  'lists.of': [
    [({ lists: l }) => l.of(NULL), [null]],
    [({ lists: l }) => l.of("'a'", "''"), ['a', '']],
  ],
  'lists.some': [
    [({ lists: l }) => l.some(l.of("'a'", NULL), (v) => `${v} = 'a'`), true],
    [({ lists: l }) => l.some(l.of("'a'", NULL), (v) => `${v} = 'b'`), false],
    [({ lists: l }) => l.some(l.of(NULL), (v) => `${v} = 'b'`), false],
    [({ lists: l }) => l.some(l.orEmpty(l.none), (v) => `${v} = 'a'`), false],
    [({ lists: l }) => l.some(l.none, (v) => `${v} = 'a'`), null],
  ],
  'lists.at': [
    [({ lists: l }) => l.at(l.of("'a'", NULL), '1'), 'a'],
    [({ lists: l }) => l.at(l.of("'a'", NULL), '2'), null],
    [({ lists: l }) => l.at(l.of("'a'"), '3'), null],
    [({ lists: l }) => l.at(l.none, '1'), null],
    [({ lists: l }) => l.at(l.of("'a'"), 'CAST(NULL AS INTEGER)'), null],
  ],
  'lists.each': [
    [
      ({ lists: l, texts: t }) =>
        `(SELECT max(${t.join(['n', 't'])}) FROM (SELECT ${l.each(l.of("'1'", "'2'"))} AS n, ${l.each(l.of("'x'", "'y'"))} AS t) AS v)`,
      '2y',
    ],
    [({ lists: l }) => `(SELECT count(*) FROM (SELECT ${l.each(l.orEmpty(l.none))} AS n) AS v)`, 0],
  ],
}

/** Rows of a number and a text. */
const relation = (rows: string) => `(SELECT * FROM (VALUES ${rows}) AS v(n, t))`
const three = relation("(1, 'a'), (2, 'é'), (3, NULL)")
const aggregates: Examples = {
  'aggregates.frequent': [
    [
      ({ aggregates: a }) =>
        `(SELECT ${a.frequent('t', 'n', 2)} FROM ${relation("(4, 'b'), (9, 'x'), (4, 'a'), (1, 'c')")} AS r)`,
      '[{"rows":9,"value":"x"},{"rows":4,"value":"a"}]',
    ],
    [
      ({ aggregates: a }) =>
        `(SELECT ${a.frequent('t', 'n', 5)} FROM ${relation(`(1, 'é"')`)} AS r)`,
      String.raw`[{"rows":1,"value":"é\""}]`,
    ],
  ],
  'aggregates.any': [
    [({ aggregates: a }) => `(SELECT ${a.any("t = 'é'")} FROM ${three} AS r)`, true],
    [({ aggregates: a }) => `(SELECT ${a.any("t = 'x'")} FROM ${three} AS r)`, false],
    [({ aggregates: a }) => `(SELECT ${a.any("t = 'x'")} FROM ${three} AS r WHERE n = 3)`, null],
    [({ aggregates: a }) => `(SELECT ${a.any("t = 'a'")} FROM ${three} AS r WHERE n > 9)`, null],
    [
      ({ aggregates: a }) => `(SELECT ${a.any("t = 'a'")} FILTER (WHERE n > 1) FROM ${three} AS r)`,
      false,
    ],
  ],
  'aggregates.all': [
    [({ aggregates: a }) => `(SELECT ${a.all("t <> 'x'")} FROM ${three} AS r)`, true],
    [({ aggregates: a }) => `(SELECT ${a.all("t <> 'é'")} FROM ${three} AS r)`, false],
    [({ aggregates: a }) => `(SELECT ${a.all("t = 'x'")} FROM ${three} AS r WHERE n > 9)`, null],
  ],
  'aggregates.maxBy': [
    [({ aggregates: a }) => `(SELECT ${a.maxBy('t', '-n')} FROM ${three} AS r)`, 'a'],
    [({ aggregates: a }) => `(SELECT ${a.maxBy('n', 't')} FROM ${three} AS r WHERE n < 3)`, 2],
    [({ aggregates: a }) => `(SELECT ${a.maxBy('n', 't')} FROM ${three} AS r WHERE n > 9)`, null],
  ],
  'aggregates.list': [
    [({ aggregates: a }) => `(SELECT ${a.list('t')} FROM ${three} AS r WHERE n = 2)`, ['é']],
    [({ aggregates: a }) => `(SELECT ${a.list('t')} FROM ${three} AS r WHERE n > 9)`, null],
    [({ aggregates: a }) => `(SELECT ${a.list('t')} FROM ${three} AS r WHERE n = 3)`, [null]],
    [
      ({ aggregates: a }) =>
        `(SELECT ${a.list('DISTINCT v')} FROM (SELECT 'é' AS v FROM ${three} AS r) AS s)`,
      ['é'],
    ],
  ],
  'aggregates.checksum': [
    [
      ({ aggregates: a }) => {
        const of = (rows: string) => `(SELECT ${a.checksum('r')} FROM ${relation(rows)} AS r)`
        const [one, turned, other] = [
          "(1, 'a'), (2, 'b')",
          "(2, 'b'), (1, 'a')",
          "(1, 'a'), (2, 'c')",
        ]
        return `${of(one)} = ${of(turned)} AND ${of(one)} <> ${of(other)}`
      },
      true,
    ],
  ],
}

const sumOf = (sql: string) => `(SELECT sum(CAST(n AS INTEGER)) FROM (${sql}) AS s)`
const some = relation("(2, 'x'), (2, 'y'), (NULL, 'z')")
const relations: Examples = {
  'rows.semiJoin': [
    // A row that has several rows of the other side comes once; NULL is equal to nothing.
    [
      ({ rows: r }) =>
        sumOf(`SELECT * FROM ${r.semiJoin(`${three} AS a`, `${some} AS b`, { using: 'n' })}`),
      2,
    ],
    [
      ({ rows: r }) =>
        sumOf(
          `SELECT a.* FROM ${r.semiJoin(`${three} AS a`, `${some} AS b`, { on: 'a.n > b.n' })}`,
        ),
      3,
    ],
    [
      ({ rows: r }) =>
        sumOf(
          `SELECT * FROM ${r.semiJoin(`(SELECT * FROM ${three} AS x UNION ALL SELECT * FROM ${three} AS y) AS a`, `${some} AS b`, { using: 'n' })}`,
        ),
      4,
    ],
    // Both columns have to be equal in one and the same row.
    [
      ({ rows: r }) =>
        sumOf(`SELECT * FROM ${r.semiJoin(`${three} AS a`, `${some} AS b`, { using: 'n, t' })}`),
      null,
    ],
  ],
  'rows.antiJoin': [
    [
      ({ rows: r }) =>
        sumOf(`SELECT * FROM ${r.antiJoin(`${three} AS a`, `${some} AS b`, { using: 'n' })}`),
      4,
    ],
    [
      ({ rows: r }) =>
        sumOf(
          `SELECT a.* FROM ${r.antiJoin(`${three} AS a`, `${some} AS b`, { on: 'a.n > b.n' })}`,
        ),
      3,
    ],
    // Unlike NOT IN: a NULL of the other side takes nothing away, and one of this side stays.
    [
      ({ rows: r }) =>
        `(SELECT count(*) FROM (SELECT * FROM ${r.antiJoin(`${some} AS a`, `${three} AS b`, { using: 'n' })}) AS s)`,
      1,
    ],
  ],
  'rows.union': [
    [
      ({ rows: r }) => {
        const all = r.union(["SELECT 1 AS n, 'a' AS t", "SELECT 'b' AS t, 2 AS n", 'SELECT 4 AS n'])
        return `(SELECT concat(sum(n), max(t), count(*) FILTER (WHERE t IS NULL)) FROM (${all}) AS u)`
      },
      '7b1',
    ],
    // By name alone, whatever its case, and each row as often as it is there.
    [
      ({ rows: r }) => {
        const all = r.union(["SELECT 1 AS n, 'a' AS t", 'SELECT \'a\' AS "T", 1 AS "N"'])
        return `(SELECT concat(sum(n), min(t), max(t), count(*)) FROM (${all}) AS u)`
      },
      '2aa2',
    ],
    [({ rows: r }) => sumOf(r.union(['SELECT 7 AS n'])), 7],
  ],
  'rows.qualify': [
    [
      ({ rows: r }) =>
        sumOf(
          r.qualify('n', `${three} AS a WHERE n > 1`, 'row_number() OVER (ORDER BY n DESC) = 1'),
        ),
      3,
    ],
    [
      ({ rows: r }) =>
        sumOf(r.qualify('n', `${three} AS a`, 'count(*) OVER (PARTITION BY t IS NULL) > 1')),
      3,
    ],
  ],
  'rows.except': [
    [
      ({ rows: r }) =>
        `(SELECT t.n FROM (SELECT ${r.except(['t'])} FROM ${three} AS a) AS t WHERE n = 2)`,
      2,
    ],
  ],
  'rows.replacing': [
    [({ rows: r }) => sumOf(`SELECT ${r.replacing([['n', '-n']])} FROM ${three} AS a`), -6],
  ],
}

const json: Examples = {
  'json.text': [
    [({ json: j }) => j.text("'é\"\n'"), '"é\\"\\n"'],
    [
      ({ json: j }) => j.text("CAST('-123456789012345678901234567890.12' AS DECIMAL(38, 2))"),
      '-123456789012345678901234567890.12',
    ],
    [({ json: j }) => j.text("'a/b\u2028\u0001\\'"), '"a/b\u2028\\u0001\\\\"'],
    [({ json: j, lists: l }) => j.text(l.of("'a'", NULL)), '["a",null]'],
    [({ json: j }) => j.text("CAST('1969-12-31' AS DATE)"), '"1969-12-31"'],
    [({ json: j }) => j.text(time('1969-12-31 23:59:59.5')), '"1969-12-31 23:59:59.5"'],
    [({ json: j }) => j.text(NULL), null],
  ],
  'json.object': [
    [
      ({ json: j }) =>
        j.object([
          ['a "b"', "'é'"],
          ['c', NULL],
          ['d', '1 = 1'],
        ]),
      '{"a \\"b\\"":"é","c":null,"d":true}',
    ],
  ],
  'json.value': [
    [({ json: j }) => j.value("'[1,null]'", 'INTEGER[]'), [1, null]],
    [({ json: j }) => j.value(NULL, 'INTEGER[]'), null],
    [({ json: j }) => j.value("'null'", 'INTEGER[]'), null],
    [
      ({ json: j, values: v }) =>
        j.value(
          `'{"a b":"1969-12-31","n":null}'`,
          v.type({
            kind: 'struct',
            fields: [
              { name: 'a b', type: { kind: 'date' } },
              { name: 'n', type: { kind: 'int' } },
            ],
          }),
        ),
      { 'a b': '1969-12-31', n: null },
    ],
  ],
  'json.texts': [
    [({ json: j }) => j.texts('\'["a","é\\""]\''), ['a', 'é"']],
    [({ json: j }) => j.texts("'[]'"), []],
    [({ json: j }) => j.texts(NULL), null],
    [({ json: j }) => j.texts('\'["a",null]\''), ['a', null]],
  ],
}

/** Standard SQL that is used as it is: an engine has to read it so. */
export const standard: Examples = {
  'orders texts by their code points': [
    [() => "'Z' < 'a'", true],
    [() => "'z' < 'ä'", true],
    [() => "'\uffff' < '😀'", true],
    [() => "'é' = 'e\u0301'", false],
    [() => "'a' = 'a '", false],
    [() => "'' IS NULL", false],
  ],
  'reads a backslash as one, and quotes by their doubles': [
    [() => "'a\\n''\"'", 'a\\n\'"'],
    [() => '(SELECT "a ""b" FROM (SELECT 1 AS "a ""b") AS t)', 1],
  ],
  'reads dates and times as they are written': [
    [() => "DATE '0001-01-01'", '0001-01-01'],
    [() => "TIMESTAMP '1969-12-31 23:59:59.999'", '1969-12-31T23:59:59.999000'],
    [() => "TIMESTAMP WITH TIME ZONE '1969-12-31 23:59:59.999+00'", '1969-12-31T23:59:59.999000Z'],
    // A moment's day is its day in UTC.
    [() => "CAST(TIMESTAMP WITH TIME ZONE '1970-01-01 00:30:00+02' AS DATE)", '1969-12-31'],
    [() => "CAST(DATE '1970-01-01' AS TIMESTAMP)", '1970-01-01T00:00:00.000000'],
  ],
  'has functions of the standard': [
    [() => "substring('a😀bc' FROM 2 FOR 2)", '😀b'],
    [
      () => "lower('ABCÉ') || upper('abc') || lpad('7', 2, '0') || rpad('7', 2, '0')",
      'abcéABC0770',
    ],
    [() => `'a' || ${NULL}`, null],
    [() => "nullif('a', 'a')", null],
    [() => `coalesce(${NULL}, 'é')`, 'é'],
    [() => "(1, 'a') IN (SELECT n, t FROM (VALUES (1, 'a'), (2, 'b')) AS v(n, t))", true],
    [() => `(SELECT count(*) FILTER (WHERE t IS NOT NULL) FROM ${three} AS r)`, 2],
    [() => `${NULL} IS NOT DISTINCT FROM ${NULL}`, true],
  ],
}

/** What each function of the dialect gives. */
export const examples: Examples = {
  ...values,
  ...texts,
  ...patterns,
  ...times,
  ...lists,
  ...json,
  ...aggregates,
  ...relations,
}
