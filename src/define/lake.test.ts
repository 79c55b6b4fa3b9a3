import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { DefinitionError } from '../errors.js'
import { files, inbox, postgres } from '../source/index.js'
import { bronze, gold, silver } from './dataset.js'
import { defineLake } from './lake.js'
import { bucket, month, truncate } from './partition.js'
import { rule } from './rule.js'
import { cron, every } from './schedule.js'
import { renderSql, sql, sqlText } from './sql/sql.js'
import { t } from './types/t.js'

const raw = bronze('orders', { from: files('x.csv', { columns: ['id', 'amount'] }) })
const schema = z.object({ id: t.int(), amount: t.decimal(9, 2) })

function problems(...datasets: Parameters<typeof defineLake>[0]['datasets']) {
  try {
    defineLake({ name: 'test', datasets })
    return []
  } catch (error) {
    if (!(error instanceof DefinitionError)) throw error
    return error.problems.map(({ message, hint }) => (hint ? `${message} → ${hint}` : message))
  }
}

describe('a definition', () => {
  it('adds the datasets that others read, inputs first', () => {
    const clean = silver('orders', { from: raw, schema })
    const total = gold('total', { query: sql`select sum(amount) as n from ${clean}` })
    const lake = defineLake({ name: 'test', datasets: [total] })
    expect(lake.datasets.map((d) => `${d.tier}.${d.name}`)).toEqual([
      'bronze.orders',
      'silver.orders',
      'gold.total',
    ])
  })

  it.each<[string, () => Parameters<typeof defineLake>[0]['datasets'], string[]]>([
    [
      'a key that is misspelt',
      () => [silver('x', { from: raw, schema, key: 'ib' as 'id' })],
      ["silver.x: key 'ib' is not a column of the schema → Did you mean 'id'?"],
    ],
    [
      'a cursor without a key',
      () => [silver('x', { from: raw, schema, cursor: 'id' })],
      ['silver.x: a cursor picks the latest row of each key, but there is no key'],
    ],
    [
      'an end of rows that nobody can tell',
      () => [
        silver('x', { from: raw, schema, keep: '5 fortnights' }),
        silver('y', { from: raw, schema, key: 'amount', cursor: 'id', keep: '30d' }),
        silver('z', {
          from: raw,
          schema: z.object({ id: t.timestamp() }),
          key: 'id',
          cursor: 'id',
          history: true,
          keep: '30 days',
        }),
        silver('v', { from: raw, schema, keep: { for: '1 day', by: 'amount' } }),
        gold('w', {
          query: sql`select 1 as n`,
          columns: { n: t.int() },
          keep: { for: '30d', by: 'm' as 'n' },
        }),
      ],
      [
        "silver.x: keep: '5 fortnights' is not a duration → Write it as '400 days', '30d' or '12h'",
        "silver.y: keep does not specify which column gives the age of a row → Add the column: keep: { for: '30d', by: '…' }",
        'silver.z: a dataset with history keeps every version forever, so its rows never expire → Remove either keep or history',
        "silver.v: keep: 'amount' is not a date or time column → Use a date, a timestamp or a timestamptz column",
        "gold.w: keep 'm' is not a column of the schema → Did you mean 'n'?",
      ],
    ],
    [
      'a column that the input lacks',
      () => [
        silver('x', {
          from: raw,
          schema: z.object({ amounts: t.int(), other: t.int().optional() }),
        }),
      ],
      [
        "silver.x: column 'amounts' is not in bronze.orders → Did you mean 'amount'? Rename it with select: { amounts: 'amount' }",
      ],
    ],
    [
      'a partition of a wrong type',
      () => [silver('x', { from: raw, schema, partitionBy: [month('amount'), truncate('id', 0)] })],
      [
        "silver.x: partitionBy: month('amount') needs a column of type date, timestamp, timestamptz; 'amount' is decimal",
        "silver.x: partitionBy: truncate('id', 0) needs a whole number, 1 or more",
      ],
    ],
    [
      'partitions of one name, or of that of a column',
      () => [
        silver('x', {
          from: raw,
          schema: schema.extend({
            id_bucket: t.int().optional(),
            amount_trunc: t.int().optional(),
          }),
          partitionBy: [truncate('amount', 10), bucket('id', 4), bucket('id', 8)],
        }),
      ],
      [
        "silver.x: partitionBy: the partitions of truncate('amount') are called amount_trunc, and so is a column: other engines open no table that has both → Give the column another name, by select",
        "silver.x: partitionBy: the partitions of bucket('id') are called id_bucket, and so is a column: other engines open no table that has both → Give the column another name, by select",
        'silver.x: partitionBy: two partitions are called id_bucket → Leave one of them out',
        "silver.x: partitionBy: the partitions of bucket('id') are called id_bucket, and so is a column: other engines open no table that has both → Give the column another name, by select",
      ],
    ],
    [
      'schedules that are none',
      () => [
        gold('x', { query: sql`select 1 as n`, schedule: cron('61 * * * *') }),
        gold('y', { query: sql`select 1 as n`, schedule: every('15 fortnights') }),
        gold('z', {
          query: sql`select 1 as n`,
          schedule: cron('*/15 * * * *', { timezone: 'Europe/Berlin' }),
        }),
      ],
      [
        expect.stringContaining(
          "gold.x: cron('61 * * * *') is not a cron expression",
        ) as unknown as string,
        "gold.y: every('15 fortnights') is not a duration such as '30s', '15m', '2h' or '1d'",
      ],
    ],
    [
      'two datasets of one name',
      () => [gold('a', { query: sql`select 1 as n` }), gold('A', { query: sql`select 2 as n` })],
      [expect.stringContaining("Two gold datasets are named 'A'") as unknown as string],
    ],
    [
      'types that can not be stored',
      () => [
        silver('x', {
          from: raw,
          schema: z.object({
            id: z.date(),
            amount: z.string().transform(Number),
            a: z.union([z.string(), z.number()]).optional(),
            b: t.decimal(40, 2).optional(),
          }) as never,
        }),
      ],
      [
        "silver.x: column 'id': z.date() has only milliseconds; use t.date() or t.timestamp()",
        "silver.x: column 'amount': the type returned by transform() is unknown; end it with .pipe(t.…()), such as .transform(f).pipe(t.int())",
        "silver.x: column 'a': a column has one type, but this union mixes string and double",
        "silver.x: column 'b': decimal(40,2) needs a precision from 1 to 38 and a scale from 0 to that precision",
      ],
    ],
    [
      'a name that is none, and a key that may be missing',
      () => [
        silver('my table', { from: raw, schema: z.object({ id: t.int().optional() }), key: 'id' }),
      ],
      [
        "silver.my table: The name 'my table' must start with a letter and contain only letters, digits and '_'",
        "silver.my table: key 'id' is optional, but every row needs a key → Remove .optional(), .nullable() or .default()",
      ],
    ],
    [
      'rules of one name',
      () => [
        silver('x', { from: raw, schema, rules: [rule('a', sql`true`), rule('a', sql`true`)] }),
      ],
      ["silver.x: two rules are named 'a'"],
    ],
    [
      'a source that makes no sense',
      () => [bronze('x', { from: files([], { delimiter: '', header: false }) })],
      [
        'bronze.x: files() needs at least one path',
        'bronze.x: the delimiter must be one or more characters without line breaks, not ""',
        "bronze.x: files without a header need columns → Add columns: ['id', 'name', …]",
      ],
    ],
    [
      'strptime formats that can not be',
      () => [
        silver('x', {
          from: raw,
          schema: z.object({
            id: t.date({ format: '%Y-%q' }),
            amount: t.timestamptz({ format: '%Y-%m-%d' }),
          }),
        }),
      ],
      [
        "silver.x: column 'id': the format '%Y-%q' uses the unknown specifier %q → Supported specifiers: %Y %y %m %d %e %H %I %M %S %f %p %b %B %a %A %j %z %Z",
        "silver.x: column 'amount': the format '%Y-%m-%d' needs %z, the UTC offset, to give a point in time → If the source has no offset, use t.timestamp(), or set the time zone: zone: 'Europe/Berlin'",
      ],
    ],
  ])('shows all mistakes together: %s', (_, datasets, expected) => {
    expect(problems(...datasets())).toEqual(expected)
  })

  it('finds datasets that read each other in a circle', () => {
    const a = silver('a', { from: raw, schema })
    const b = silver('b', { from: a, schema })
    Object.assign(a, { from: [b] })
    expect(problems(b)[0]).toBe('These datasets form a cycle: silver.b → silver.a → silver.b')
  })
})

describe('sql', () => {
  it('quotes values and names', () => {
    const dataset = silver('or"ders', { from: raw, schema })
    const text = renderSql(
      sql`select ${dataset.columns.amount} from ${dataset} where a = ${"o'x"} and b in ${[1, 2n, null]} and c = ${true}`,
    )
    expect(text).toBe(
      `select "amount" from "silver"."or""ders" where a = 'o''x' and b in (1, 2, NULL) and c = true`,
    )
  })

  it('nests', () => {
    const condition = sql`a > ${1}`
    expect(renderSql(sql`select 1 where ${condition}`)).toBe('select 1 where a > 1')
  })

  it('comes from files with named bindings', () => {
    expect(
      renderSql(sqlText('select * from ${ orders } limit ${n}', { orders: raw, n: 3 }, undefined)),
    ).toBe('select * from "bronze"."orders" limit 3')
    expect(() => sqlText('select ${x}', {}, undefined)).toThrow('uses ${x}, which is not bound')
  })
})

it('names the option whose duration is none: that of an archive, or how long batches are kept', () => {
  const of = (options: object) => problems(bronze('a', { from: inbox(), ...options }))
  expect(of({ archive: { lock: '1y' } })[0]).toMatch(
    /^bronze\.a: archive\.lock: '1y' is not a duration/,
  )
  expect(of({ keep: '1y' })[0]).toMatch(/^bronze\.a: keep: '1y' is not a duration/)
  expect(of({ archive: { lock: '365 days' } })).toEqual([])
})

it('has no dataset with the name that the log uses for the feed of another', () => {
  const table = postgres({ url: 'postgres://localhost/shop' }).table('orders', { cursor: 'id' })
  const fed = bronze('orders', { from: inbox({ feed: table }) })
  const other = bronze('orders_feed', { from: table })
  expect(problems(fed, other)).toEqual([
    'bronze.orders_feed: the feed of bronze.orders has this name: rename one',
  ])
  expect(problems(bronze('orders', { from: inbox() }), other)).toEqual([])
})
