import { expect, it } from 'vitest'
import type { ColumnType } from '../../define/types/column-type.js'
import { boundPlan } from '../../engine/duckdb/bound-plan.js'
import { type IsOfYears, renderPlan } from './render.js'
import { targetNames } from './target.js'
import { areOfYears, OUTSIDE } from './years.js'

const list = (kind: 'int' | 'bigint'): ColumnType => ({ kind: 'list', element: { kind } })
const fields = [
  { name: 'ints', type: list('int') },
  { name: 'longs', type: list('bigint') },
  { name: 'b', type: { kind: 'boolean' } as ColumnType },
  { name: 'd', type: { kind: 'date' } as ColumnType },
  { name: 'since', type: { kind: 'timestamp' } as ColumnType },
]
const tables = [{ schema: 'silver', name: 'orders', fields }]

async function rendered(sql: string, type: ColumnType, isOfYears?: IsOfYears): Promise<string[]> {
  const plan = await boundPlan(sql, tables)
  const columns = [{ name: 'a', type }]
  const table = (schema: string, name: string) => `${schema}.${name}`
  return targetNames.map((target) =>
    renderPlan(plan, { target, columns, given: ['a'], table, isOfYears }),
  )
}

it.each([
  'SELECT ints AS a FROM silver.orders UNION ALL SELECT longs FROM silver.orders',
  'SELECT CASE WHEN b THEN longs ELSE ints END AS a FROM silver.orders',
  'SELECT CASE WHEN b THEN longs END AS a FROM silver.orders',
])('what gives lists another type is refused before a run: %s', async (sql) => {
  await expect(rendered(sql, list('bigint'))).rejects.toThrow(/Trino/)
})

it('values that are counted once each are so on all engines', async () => {
  for (const text of await rendered('SELECT count_if(DISTINCT b) AS a FROM silver.orders', {
    kind: 'decimal',
    precision: 38,
    scale: 0,
  }))
    expect(text).toContain('sum(DISTINCT CAST(CASE WHEN c0 THEN 1 WHEN NOT c0 THEN 0 END AS')
})

const asText: ColumnType = { kind: 'string' }
const counts = (text: string) => text.includes(OUTSIDE)

it.each([
  ['SELECT year(d) AS a FROM silver.orders', { kind: 'bigint' }],
  ["SELECT date_trunc('month', since) AS a FROM silver.orders", { kind: 'date' }],
  ['SELECT CAST(since AS date) AS a FROM silver.orders', { kind: 'date' }],
  ['SELECT b AS a FROM silver.orders WHERE since > d', { kind: 'boolean' }],
  [
    "SELECT d + 1 AS a FROM (SELECT coalesce(d, DATE '2026-01-01') AS d FROM silver.orders)",
    { kind: 'date' },
  ],
] as [string, ColumnType][])(
  'days and times of years that engines count otherwise end a query that counts with them: %s',
  async (sql, type) => {
    expect((await rendered(sql, type)).map(counts)).toEqual([true, true])
    // Where bounds say that there are none, filters of the query still leave files out.
    expect((await rendered(sql, type, () => true)).map(counts)).toEqual([false, false])
  },
)

it('days and times of any year are passed on and compared', async () => {
  const sql =
    "SELECT max(d) AS a FROM silver.orders WHERE since < TIMESTAMP '2026-01-01' AND d > DATE '2025-01-01'"
  expect((await rendered(sql, { kind: 'date' })).map(counts)).toEqual([false, false])
})

it('a day that was counted to is held to these years where it becomes a text', async () => {
  const sql = 'SELECT CAST(d - 800000 AS varchar) AS a FROM silver.orders'
  expect((await rendered(sql, asText, () => true)).map(counts)).toEqual([true, true])
})

it('the years end where engines agree no more', () => {
  const day = 86_400_000_000n
  expect(areOfYears('date', -719_162n, 2_932_896n)).toBe(true)
  expect(areOfYears('date', -719_163n, 0n)).toBe(false)
  expect(areOfYears('date', 0n, 2_147_483_647n)).toBe(false)
  expect(areOfYears('timestamp', -719_162n * day, 2_932_897n * day - 1n)).toBe(true)
  expect(areOfYears('timestamp', 0n, 2_932_897n * day)).toBe(false)
})
