import { expect, it } from 'vitest'
import type { Asked } from './asked.js'
import { onScratch } from './scratch.js'

let client: Asked
onScratch((asked) => {
  client = asked
})

it('days are counted up, and moments are read as programs write them', async () => {
  const days = "sequence(DATE '2026-01-30', DATE '2026-02-02', INTERVAL '1' DAY)"
  expect(await client.rows(`SELECT count(*), max(d) FROM UNNEST(${days}) AS t(d)`)).toEqual([
    ['4', '2026-02-02'],
  ])
  expect(
    await client.rows(
      `SELECT sequence(DATE '2026-01-03', DATE '2026-01-01', INTERVAL '-2' DAY),
        date_parse('3 jan 2026 10:00', '%d %M %Y %H:%i'),
        date_parse('2026-01-01 10:00:00.123456789', '%Y-%m-%d %H:%i:%s.%f'),
        try(date_parse('2026', '%Y-%f')),
        CAST(from_iso8601_timestamp('2026-01-01T00:00:00.123456Z') AS timestamp)`,
    ),
  ).toEqual([
    [
      '[2026-01-03, 2026-01-01]',
      ...['2026-01-03 10:00:00.000', '2026-01-01 10:00:00.123', null, '2026-01-01 00:00:00.123'],
    ],
  ])
  // A table may stand in brackets, and a moment in UTC.
  expect(
    await client.rows(
      `SELECT count(*), bool_and(CAST(day AS timestamp) >= TIMESTAMP '2020-01-01 00:00:00+00:00'),
        min(TIMESTAMP '2020-01-01 00:00:00.5 UTC') = TIMESTAMP '2020-01-01 00:00:00.500'
      FROM (silver.sales) WHERE eventid = 3`,
    ),
  ).toEqual([['125', 'true', 'true']])
  const refused: [string, RegExp][] = [
    [`sequence(DATE '2026-01-03', DATE '2026-01-01', INTERVAL '1' DAY)`, /should be greater than/],
    [`sequence(DATE '1990-01-01', DATE '2026-01-01', INTERVAL '1' DAY)`, /more than 10000 entries/],
    [`sequence(DATE '2026-01-01', DATE '2026-01-02', INTERVAL '0' DAY)`, /must not be zero/],
    ["from_iso8601_timestamp('2026-01-01T10:00:00+02:00')", /seconds of UTC/],
    ["TIMESTAMP '2020-01-01 00:00:00 EST'", /not a valid timestamp literal/],
    ["date_parse('10:00', '%H:%i')", /without %Y is not translated/],
  ]
  for (const [sql, why] of refused)
    await expect(client.rows(`SELECT ${sql}`), sql).rejects.toThrow(why)
})

it('a database without tables is there, and what is no statement is told as Athena tells it', async () => {
  expect((await client.ask('SHOW DATABASES')).rows.flat()).toContain('scratch')
  await expect(client.rows('SELECT * FROM nothing')).rejects.toThrow(/TABLE_NOT_FOUND/)
  await expect(client.rows('SELECT * FROM nowhere.nothing')).rejects.toThrow(/SCHEMA_NOT_FOUND/)
  await expect(client.done('THIS IS NOT SQL')).rejects.toThrow(/mismatched input 'THIS'/)
  await expect(client.done('GRANT ALL TO x')).rejects.toThrow(/GRANT is not served/)
  const { rows, execution } = await client.ask('/* dbt */ EXPLAIN SELECT 1')
  expect(rows[0]).toEqual(['Query Plan'])
  expect(execution).toMatchObject({ StatementType: 'UTILITY', SubstatementType: 'EXPLAIN' })
  expect((await client.ask('-- a\n-- b\nSELECT 1')).execution?.StatementType).toBe('DML')
})
