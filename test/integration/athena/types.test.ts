import {
  AthenaClient,
  GetQueryResultsCommand,
  type GetQueryResultsCommandOutput,
} from '@aws-sdk/client-athena'
import { describe, expect, it } from 'vitest'
import type { Asked } from './asked.js'
import { onScratch } from './scratch.js'

let client: Asked
onScratch((asked) => {
  client = asked
})

const one = async (sql: string) => (await client.rows(`SELECT ${sql}`))[0]

/** Types of a result's columns, as clients are told of them. */
async function typesOf(sql: string): Promise<(string | undefined)[]> {
  const { execution } = await client.ask(`SELECT ${sql}`)
  const { QueryExecutionId } = execution ?? {}
  const athena = new AthenaClient(client.options())
  const answer: GetQueryResultsCommandOutput = await athena.send(
    new GetQueryResultsCommand({ QueryExecutionId }),
  )
  return (answer.ResultSet?.ResultSetMetadata?.ColumnInfo ?? []).map(({ Type }) => Type)
}

describe('values of types that few columns have', () => {
  it('numbers with a point are doubles, which have infinity; decimals are written as such', async () => {
    const numbers = [
      '1 / 0.0, 1 / -0.0, 0 / 0.0, 7.5 / 2',
      "DECIMAL '7.5' / 2, CAST(1.005 AS decimal(10,2)), CAST(3.1415927 AS real)",
      'CAST(15000000.0 AS varchar), CAST(0.00015 AS varchar), CAST(2.5 AS varchar)',
    ].join(', ')
    expect(await one(numbers)).toEqual([
      ...[
        'Infinity',
        '-Infinity',
        'NaN',
        '3.75',
        '3.8',
        '1.01',
        '3.1415927',
        '1.5E7',
        '1.5E-4',
        '2.5E0',
      ],
    ])
    await expect(one("1 / DECIMAL '0.0'")).rejects.toThrow(/Division by zero/)
    expect(await typesOf("1.5, DECIMAL '1.5', CAST(1 AS real)")).toEqual([
      ...['double', 'decimal', 'float'],
    ])
    // Beside decimals of a table, they are compared to the digit.
    const priced = (where: string) =>
      client.rows(`SELECT count(*) FROM silver.sales WHERE ${where}`)
    expect(await priced('price = 100.10')).toEqual(await priced("price = DECIMAL '100.10'"))
    expect(await priced('price BETWEEN 99.99 AND 150.5')).toEqual(
      await priced("price BETWEEN DECIMAL '99.99' AND DECIMAL '150.5'"),
    )
  })

  it('times of a day, texts of a length, JSON and addresses are told by their types', async () => {
    const values = [
      "TIME '12:34:56', TIME '12:34:56.789', TIME '12:34:56.789 -00:30'",
      'CAST(\'hello\' AS char(7)), JSON \'{"b": [1, "c"], "a": null}\', IPADDRESS \'2001:db8:0:0:0:0:0:1\'',
      "UUID 'e50e499b-982f-4cbe-9f50-e11b1c83572e', CAST(map(ARRAY['b', 'a'], ARRAY[1, 2]) AS JSON)",
    ].join(', ')
    expect(await one(values)).toEqual([
      ...['12:34:56.000', '12:34:56.789', '12:34:56.789-00:30'],
      ...['hello  ', '{"a":null,"b":[1,"c"]}', '2001:db8::1'],
      ...['e50e499b-982f-4cbe-9f50-e11b1c83572e', '{"a":2,"b":1}'],
    ])
    expect(await typesOf(values)).toEqual([
      ...['time', 'time', 'time with time zone', 'char', 'json', 'ipaddress', 'uuid', 'json'],
    ])
    expect(
      await one(
        `CAST('ab' AS char(4)) = 'ab', TIME '22:30:00' + INTERVAL '2' HOUR, hour(TIME '22:30:00'),
          CAST(json_parse('[1, "2"]') AS array(varchar)), json_format(json_parse('{"a" : 1}'))`,
      ),
    ).toEqual(['true', '00:30:00.000', '22', '[1, 2]', '{"a":1}'])
    const refused: [string, RegExp][] = [
      ["TIME '25:00:00'", /not a valid time literal/],
      ["JSON '{'", /is not JSON/],
      ["IPADDRESS '10.0.0.256'", /not a valid IP address/],
      ["JSON '1' = JSON '1.0'", /Cannot compare json with json/],
      ['CAST(12345 AS varchar(3))', /cannot be represented as varchar\(3\)/],
    ]
    for (const [sql, why] of refused) await expect(one(sql), sql).rejects.toThrow(why)
  })

  it('maps and rows are shown with their names, whatever lies in them', async () => {
    const values = `map(ARRAY['a', 'b'], ARRAY[1, 2]), CAST(ROW(1, 'x') AS ROW(n integer, t varchar)),
      ARRAY[map(ARRAY['k'], ARRAY[1.5])], map(ARRAY['k'], ARRAY[CAST(NULL AS integer)])`
    expect(await one(values)).toEqual(['{a=1, b=2}', '{n=1, t=x}', '[{k=1.5}]', '{k=null}'])
    expect(await typesOf(values)).toEqual(['map', 'row', 'array', 'map'])
    expect(
      await one(
        `transform_values(map(ARRAY['a'], ARRAY[1]), (k, v) -> v + 1), array_distinct(ARRAY[2, 1, 2]),
          reduce(ARRAY[1, 2, 3], 0, (s, x) -> s + x, s -> s * 10), ARRAY[1] || 2`,
      ),
    ).toEqual(['{a=2}', '[2, 1]', '60', '[1, 2]'])
    // As dbt asks, where the delimiter is a column.
    const parts = `SELECT split_part(a, d, 2), cardinality(split(a, d)), replace(a, d) FROM
      (VALUES ('x|y', '|'), ('x,y', ','), ('x', NULL)) AS v(a, d)`
    expect(await client.rows(parts)).toEqual([
      ['y', '2', 'xy'],
      ['y', '2', 'xy'],
      [null, null, null],
    ])
    await expect(one("split_part(a, d, 1) FROM (VALUES ('x', '')) AS v(a, d)")).rejects.toThrow(
      /delimiter of split_part is empty/,
    )
  })
})

describe('moments and what lies between them', () => {
  it('are seen in their zone, and computed with as it has its clocks', async () => {
    const values = `TIMESTAMP '2024-07-05 12:34:56.789 America/New_York', TIMESTAMP '2024-07-05 12:34:56.789 -00:30',
      TIMESTAMP '2024-07-05 12:34:56 UTC' AT TIME ZONE 'Asia/Kolkata'`
    expect(await one(values)).toEqual([
      '2024-07-05 12:34:56.789 America/New_York',
      '2024-07-05 12:34:56.789 -00:30',
      '2024-07-05 18:04:56.000 Asia/Kolkata',
    ])
    expect(await typesOf(values)).toEqual(Array(3).fill('timestamp with time zone'))
    // An hour that clocks show twice is two hours.
    const hours = ['05:30', '06:30'].map((clock) => `TIMESTAMP '2024-11-03 ${clock}:00 UTC'`)
    const nights = `SELECT date_trunc('hour', t AT TIME ZONE 'America/New_York') AS h, count(*)
      FROM (VALUES ${hours.join(', ')}) AS v(t) GROUP BY 1 ORDER BY h`
    expect(await client.rows(nights)).toEqual([
      ['2024-11-03 01:00:00.000 America/New_York', '1'],
      ['2024-11-03 01:00:00.000 America/New_York', '1'],
    ])
    expect(
      await one(
        `date_add('day', 1, TIMESTAMP '2024-11-02 12:00:00 America/New_York'),
          CAST(TIMESTAMP '2024-07-05 23:00:00 America/New_York' AS date),
          date_diff('day', DATE '2024-07-05', TIMESTAMP '2024-07-07 10:00:00'),
          TIMESTAMP '2024-07-05 10:00:00-0' AT TIME ZONE '+5', CAST('2024-07-05 10:00:00-0' AS timestamp), CAST('2024-07-05 10:00:00.1235' AS timestamp)`,
      ),
    ).toEqual([
      '2024-11-03 12:00:00.000 America/New_York',
      ...['2024-07-05', '2', '2024-07-05 15:00:00.000 +05:00', '2024-07-05 10:00:00.000'],
      '2024-07-05 10:00:00.124',
    ])
    await client.done('CREATE TABLE scratch.seen AS SELECT localtimestamp AS at WHERE false')
    await client.done(
      "INSERT INTO scratch.seen VALUES TIMESTAMP '2024-07-05 10:00:00 Asia/Kolkata'",
    )
    expect(await client.rows('SELECT at FROM scratch.seen')).toEqual([['2024-07-05 10:00:00.000']])
    await expect(one("TIMESTAMP '2024-07-05 10:00:00 EST'")).rejects.toThrow(
      /not a valid timestamp/,
    )
  })

  it('intervals are shown as such, and measured', async () => {
    const values = `DATE '2020-01-05' - DATE '2020-01-01', INTERVAL '14' MONTH,
      TIMESTAMP '2020-01-01 11:00:00.5' - TIMESTAMP '2020-01-05 10:00:00'`
    expect(await one(values)).toEqual(['4 00:00:00.000', '1-2', '-3 22:59:59.500'])
    expect(await typesOf(values)).toEqual([
      ...['interval day to second', 'interval year to month', 'interval day to second'],
    ])
    expect(
      await one(`to_milliseconds(DATE '2020-01-05' - DATE '2020-01-01') / 86400000,
        day(TIMESTAMP '2020-01-05 10:00:00' - TIMESTAMP '2020-01-01 11:00:00')`),
    ).toEqual(['4', '3'])
  })
})

it('numbers come from a function of tables, and a statement that reads none has scanned nothing', async () => {
  const { rows, execution } = await client.ask(
    'SELECT count(*), max(sequential_number) FROM TABLE(sequence(start => 0, stop => 1000, step => 10)) AS t',
  )
  expect(rows[1]).toEqual(['101', '1000'])
  expect(execution?.Statistics?.DataScannedInBytes).toBe(0)
  await expect(client.rows('SELECT x FROM TABLE(sequence(0, 3))')).rejects.toThrow(
    /Column 'x' cannot be resolved/,
  )
  await expect(client.rows('SELECT * FROM TABLE(exclude_columns(1))')).rejects.toThrow(
    /The table function exclude_columns is not translated/,
  )
  const made = await client.ask("CREATE TABLE scratch.one AS SELECT 'a' AS a, 1.5 AS b")
  expect(made.execution?.Statistics?.DataScannedInBytes).toBe(0)
})

it('tables have columns of times and texts of a length, which are described as catalogs can', async () => {
  await client.done(
    `CREATE TABLE scratch.timed AS SELECT TIME '10:11:12.5' AS clock, CAST('ab' AS char(4)) AS code, JSON '{"a": 1}' AS doc`,
  )
  expect(await client.rows('SELECT * FROM scratch.timed')).toEqual([
    ['10:11:12.5', 'ab  ', '{"a":1}'],
  ])
  const described = await client.ask('DESCRIBE scratch.timed')
  expect(described.rows.map(([name = '', type = '']) => [name?.trim(), type?.trim()])).toEqual([
    ['clock', 'string'],
    ['code', 'string'],
    ['doc', 'string'],
  ])
  await client.done(
    "CREATE TABLE scratch.coded (code char(4), n int) TBLPROPERTIES ('table_type' = 'ICEBERG')",
  )
  await client.done("INSERT INTO scratch.coded VALUES ('ab', 1)")
  expect(await client.rows('SELECT code, n FROM scratch.coded')).toEqual([['ab', '1']])
})

it('what Trino refuses to group and compare is refused, where the engine would find an answer', async () => {
  const refused: [string, RegExp][] = [
    [
      'SELECT category, count(*) FROM silver.events GROUP BY DISTINCT ROLLUP (category), ROLLUP (category)',
      /GROUP BY DISTINCT is not translated/,
    ],
    [
      'SELECT category, count(*) FROM silver.events GROUP BY ROLLUP (1)',
      /must be a column reference/,
    ],
    ["SELECT CASE eventid WHEN 'x' THEN 1 END FROM silver.events", /Cannot compare integer/],
    ["SELECT 1 FROM silver.events WHERE eventid LIKE '1%'", /LIKE takes texts, and not integer/],
    [
      'SELECT * FROM (SELECT eventid AS k FROM silver.events) JOIN (SELECT name AS k FROM silver.events) USING (k)',
      /Cannot compare integer with varchar/,
    ],
  ]
  for (const [sql, why] of refused) await expect(client.rows(sql), sql).rejects.toThrow(why)
})
