import { expect, it } from 'vitest'
import type { ColumnType } from '../../define/types/column-type.js'
import { boundPlan } from '../../engine/duckdb/bound-plan.js'
import { renderPlan } from './render.js'
import { targetNames } from './target.js'

const list = (kind: 'int' | 'bigint'): ColumnType => ({ kind: 'list', element: { kind } })
const fields = [
  { name: 'ints', type: list('int') },
  { name: 'longs', type: list('bigint') },
  { name: 'b', type: { kind: 'boolean' } as ColumnType },
]
const tables = [{ schema: 'silver', name: 'orders', fields }]

async function rendered(sql: string, type: ColumnType): Promise<string[]> {
  const plan = await boundPlan(sql, tables)
  const columns = [{ name: 'a', type }]
  const table = (schema: string, name: string) => `${schema}.${name}`
  return targetNames.map((target) => renderPlan(plan, { target, columns, given: ['a'], table }))
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
