import { expect, it } from 'vitest'
import type { ColumnType } from '../../../src/define/types/column-type.js'
import type { RowValue, Session } from '../../../src/engine/engine.js'
import type { Dialect } from '../../../src/sql/dialect.js'
import { within } from './session.js'

/** What a function of the dialect gives; whole numbers may have any type of the engine's. */
type Example = [sql: (dialect: Dialect) => string, value: RowValue]
type Examples = Record<string, readonly Example[]>

const NULL = 'CAST(NULL AS VARCHAR)'
const time = (text: string) => `CAST('${text}' AS TIMESTAMP)`
const moment = (text: string) => `CAST('${text}' AS TIMESTAMP WITH TIME ZONE)`

const values: Examples = {
  'values.whole': [
    [({ values: v }) => v.whole(2n ** 63n), 2n ** 63n],
    [({ values: v }) => v.whole(-5n), -5n],
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
  ],
  'values.text': [
    [({ values: v }) => v.text("CAST('-1.50' AS DECIMAL(4, 2))"), '-1.50'],
    [({ values: v }) => v.text("CAST('0001-01-01' AS DATE)"), '0001-01-01'],
    [({ values: v }) => v.text('1 = 1'), 'true'],
    [({ values: v }) => v.text(NULL), null],
  ],
  'values.attempt': [
    [({ values: v }) => `(${v.attempt("CAST('x' AS INTEGER)")}) IS NULL`, true],
    [({ values: v }) => `(${v.attempt('CAST(NULL AS INTEGER)')}) IS NULL`, false],
    [({ values: v }) => v.attempt("'é'"), { v: 'é' }],
  ],
  'values.hash': [
    [({ values: v }) => `${v.hash("'a'")} = ${v.hash("'a'")}`, true],
    [({ values: v }) => `${v.hash("'a'")} = ${v.hash("'b'")}`, false],
    [({ values: v }) => `${v.hash(NULL)} IS NULL`, false],
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
  'texts.characters': [[({ texts: t }) => t.characters([9, 10, 65, 0x1f600]), '\t\nA😀']],
  'texts.contains': [
    [({ texts: t }) => t.contains("'a😀b'", "'😀'"), true],
    [({ texts: t }) => t.contains("'abc'", "'B'"), false],
    [({ texts: t }) => t.contains("'a%c'", "'%'"), true],
    [({ texts: t }) => t.contains("'abc'", "'_'"), false],
    [({ texts: t }) => t.contains("'abc'", "''"), true],
    [({ texts: t }) => t.contains(NULL, "'a'"), null],
  ],
  'texts.startsWith': [
    [({ texts: t }) => t.startsWith("'éa'", "'é'"), true],
    [({ texts: t }) => t.startsWith("''", "'a'"), false],
    [({ texts: t }) => t.startsWith("'ab'", "'_b'"), false],
    [({ texts: t }) => t.startsWith(NULL, "'a'"), null],
  ],
  'texts.endsWith': [
    [({ texts: t }) => t.endsWith("'aé'", "'é'"), true],
    [({ texts: t }) => t.endsWith("'ab'", "'B'"), false],
    [({ texts: t }) => t.endsWith("'a'", "'aa'"), false],
    [({ texts: t }) => t.endsWith(NULL, "'a'"), null],
  ],
  'texts.slice': [
    [({ texts: t }) => t.slice("'a😀bc'", 2, 2), '😀b'],
    [({ texts: t }) => t.slice("'abc'", 2), 'bc'],
    [({ texts: t }) => t.slice("'abc'", 5), ''],
    [({ texts: t }) => t.slice("'abc'", 1, 0), ''],
    [({ texts: t }) => t.slice(NULL, 1, 1), null],
  ],
  'texts.first': [
    [({ texts: t }) => t.first("'😀a'", 1), '😀'],
    [({ texts: t }) => t.first("'a'", 3), 'a'],
    [({ texts: t }) => t.first(NULL, 1), null],
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
  ],
  'texts.before': [
    [({ texts: t }) => t.before("'000012-é-x'", '-'), '000012'],
    [({ texts: t }) => t.before("'é'", '-'), 'é'],
    [({ texts: t }) => t.before("'-'", '-'), ''],
    [({ texts: t }) => t.before(NULL, '-'), null],
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
  ],
  'patterns.finds': [
    [({ patterns: p }) => p.finds("'xabcx'", 'b'), true],
    [({ patterns: p }) => p.finds("'xabcx'", '\\Ab'), false],
    [({ patterns: p }) => p.finds("'b\n'", 'b\\z'), false],
    [({ patterns: p }) => p.finds(NULL, 'b'), null],
  ],
  'patterns.extract': [
    [({ patterns: p }) => p.extract("'k=é'", '(.)=(.)', 2), 'é'],
    [({ patterns: p }) => p.extract("'k'", '(.)=(.)', 2), ''],
    [({ patterns: p }) => p.extract(NULL, '(.)', 1), null],
  ],
  'patterns.extractAll': [
    [({ patterns: p }) => p.extractAll("'k=é'", '(.)=(.)', ['a', 'b']), { a: 'k', b: 'é' }],
    [({ patterns: p }) => p.extractAll("'k'", '(.)=(.)', ['a', 'b']), { a: '', b: '' }],
  ],
  'patterns.without': [
    [({ patterns: p }) => p.without("'-1 234,5é'", '[^0-9]'), '12345'],
    [({ patterns: p }) => p.without("''", 'a'), ''],
    [({ patterns: p }) => p.without(NULL, 'a'), null],
  ],
  'patterns.replaceFirst': [
    [({ patterns: p }) => p.replaceFirst("'1.50'", '[.].*$', ''), '1'],
    [({ patterns: p }) => p.replaceFirst("'aa'", 'a', 'b'), 'ba'],
    [({ patterns: p }) => p.replaceFirst("'a'", '(a)', '\\1$1'), '\\1$1'],
    [({ patterns: p }) => p.replaceFirst(NULL, 'a', 'b'), null],
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
  ],
  'times.isZone': [
    [({ times: t }) => t.isZone(berlin), true],
    [({ times: t }) => t.isZone("'Nowhere/Land'"), false],
    [({ times: t }) => t.isZone(NULL), null],
  ],
  'times.fromDays': [
    [({ times: t }) => t.fromDays('-1'), '1969-12-31'],
    [({ times: t }) => t.fromDays('19782'), '2024-02-29'],
  ],
  'times.fromMicros': [
    [({ times: t }) => t.fromMicros('CAST(-1 AS BIGINT)'), '1969-12-31T23:59:59.999999'],
    [
      ({ times: t }) => t.fromMicros("CAST('253402300799999999' AS BIGINT)"),
      '9999-12-31T23:59:59.999999',
    ],
    [({ times: t }) => t.fromMicros('CAST(NULL AS BIGINT)'), null],
  ],
  'times.minutes': [
    [
      ({ times: t }) => `${time('1970-01-01 00:00:00')} + ${t.minutes('CAST(-90 AS BIGINT)')}`,
      '1969-12-31T22:30:00.000000',
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
  ],
  'times.seconds': [
    [({ times: t }) => t.seconds(time('1969-12-31 23:59:58.500000')), -1.5],
    [({ times: t }) => t.seconds(moment('1970-01-01 01:00:00+01:00')), 0],
    [({ times: t }) => t.seconds('CAST(NULL AS TIMESTAMP)'), null],
  ],
  'times.millis': [
    [({ times: t }) => t.millis(time('1969-12-31 23:59:59.999000')), -1],
    [({ times: t }) => t.millis(time('2024-02-29 00:00:00')), 1_709_164_800_000],
    [({ times: t }) => t.millis('CAST(NULL AS TIMESTAMP)'), null],
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
  'lists.concat': [[({ lists: l }) => l.concat(l.of("'a'"), l.of("'é'")), ['a', 'é']]],
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
  ],
  'lists.at': [
    [({ lists: l }) => l.at(l.of("'a'", NULL), '1'), 'a'],
    [({ lists: l }) => l.at(l.of("'a'", NULL), '2'), null],
    [({ lists: l }) => l.at(l.of("'a'"), '3'), null],
    [({ lists: l }) => l.at(l.none, '1'), null],
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
  'aggregates.distinct': [
    [({ aggregates: a }) => `(SELECT ${a.distinct('t')} FROM ${three} AS r)`, 2],
    [({ aggregates: a }) => `(SELECT ${a.distinct('t')} FROM ${three} AS r WHERE n > 9)`, 0],
  ],
  'aggregates.any': [
    [({ aggregates: a }) => `(SELECT ${a.any("t = 'é'")} FROM ${three} AS r)`, true],
    [({ aggregates: a }) => `(SELECT ${a.any("t = 'x'")} FROM ${three} AS r)`, false],
    [({ aggregates: a }) => `(SELECT ${a.any("t = 'x'")} FROM ${three} AS r WHERE n = 3)`, null],
  ],
  'aggregates.all': [
    [({ aggregates: a }) => `(SELECT ${a.all("t <> 'x'")} FROM ${three} AS r)`, true],
    [({ aggregates: a }) => `(SELECT ${a.all("t <> 'é'")} FROM ${three} AS r)`, false],
    [({ aggregates: a }) => `(SELECT ${a.all("t = 'x'")} FROM ${three} AS r WHERE n > 9)`, null],
  ],
  'aggregates.one': [
    [({ aggregates: a }) => `(SELECT ${a.one('t')} FROM ${three} AS r WHERE n = 2)`, 'é'],
    [({ aggregates: a }) => `(SELECT ${a.one('t')} FROM ${three} AS r WHERE n = 3)`, null],
  ],
  'aggregates.list': [
    [({ aggregates: a }) => `(SELECT ${a.list('t')} FROM ${three} AS r WHERE n = 2)`, ['é']],
    [({ aggregates: a }) => `(SELECT ${a.list('t')} FROM ${three} AS r WHERE n > 9)`, null],
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
  ],
  'rows.union': [
    [
      ({ rows: r }) => {
        const all = r.union(["SELECT 1 AS n, 'a' AS t", "SELECT 'b' AS t, 2 AS n", 'SELECT 4 AS n'])
        return `(SELECT concat(sum(n), max(t), count(*) FILTER (WHERE t IS NULL)) FROM (${all}) AS u)`
      },
      '7b1',
    ],
  ],
  'rows.qualify': [
    [
      ({ rows: r }) =>
        sumOf(
          r.qualify('n', `${three} AS a WHERE n > 1`, 'row_number() OVER (ORDER BY n DESC) = 1'),
        ),
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
  ],
  'json.texts': [
    [({ json: j }) => j.texts('\'["a","é\\""]\''), ['a', 'é"']],
    [({ json: j }) => j.texts("'[]'"), []],
    [({ json: j }) => j.texts(NULL), null],
  ],
}

const examples: Examples = {
  ...values,
  ...texts,
  ...patterns,
  ...times,
  ...lists,
  ...json,
  ...aggregates,
  ...relations,
}

const types: ColumnType[] = [
  { kind: 'string' },
  { kind: 'int' },
  { kind: 'bigint' },
  { kind: 'float' },
  { kind: 'double' },
  { kind: 'boolean' },
  { kind: 'decimal', precision: 38, scale: 10 },
  { kind: 'date' },
  { kind: 'timestamp' },
  { kind: 'timestamptz' },
  { kind: 'binary' },
  { kind: 'list', element: { kind: 'decimal', precision: 4, scale: 2 } },
  {
    kind: 'struct',
    fields: [{ name: 'a "b"', type: { kind: 'list', element: { kind: 'date' } } }],
  },
]

/** Whole numbers as bigint, whatever type the engine gives them. */
function plain(value: RowValue): RowValue {
  if (typeof value === 'number' && Number.isInteger(value)) return BigInt(value)
  if (Array.isArray(value)) return value.map(plain)
  return value instanceof Uint8Array ? [...value].map(plain) : value
}

export function dialectContract(open: () => Promise<Session>): void {
  it('has an example of each of its functions', () =>
    within(open, async ({ dialect }) => {
      const names = Object.entries(dialect).flatMap(([group, functions]) =>
        Object.keys(functions).map((name) => `${group}.${name}`),
      )
      expect([...Object.keys(examples), 'values.type'].sort()).toEqual(names.sort())
    }))

  it('spells each type as one that a column can have', () =>
    within(open, async (session) => {
      const nulls = types.map((t, i) => `CAST(NULL AS ${session.dialect.values.type(t)}) AS c${i}`)
      const columns = await session.describe(`SELECT ${nulls.join(', ')}`)
      expect(columns.map(({ type }) => type)).toEqual(types)
    }))

  it('fails with what it is told to say, where it is computed', () =>
    within(open, async (session) => {
      const { values } = session.dialect
      const kept = await session.materialize('SELECT 1 AS n UNION ALL SELECT 2 AS n')
      const sql = (bad: number) =>
        `SELECT CASE WHEN n <> ${bad} THEN 'fine' ELSE ${values.fail("'it''s 😀'")} END AS v FROM ${kept.sql}`
      await expect(session.rows(sql(2))).rejects.toThrow("it's 😀")
      expect(await session.rows(sql(3))).toEqual([{ v: 'fine' }, { v: 'fine' }])
    }))

  it.each(Object.entries(examples))('%s', (_, given) =>
    within(open, async (session) => {
      const all = given.map(([sql], i) => `${sql(session.dialect)} AS v${i}`)
      const [row] = await session.rows(`SELECT ${all.join(', ')}`)
      const found = given.map((_, i) => plain(row?.[`v${i}`] ?? null))
      expect(found).toEqual(given.map(([, value]) => plain(value)))
      // Not only where the values are known before the statement runs.
      const kept = await session.materialize('SELECT 1 AS one UNION ALL SELECT 2 AS one')
      const rows = await session.rows(`SELECT ${all.join(', ')} FROM ${kept.sql}`)
      expect(rows).toHaveLength(2)
    }),
  )
}
