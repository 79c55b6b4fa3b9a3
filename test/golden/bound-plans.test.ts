import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { boundPlan } from '../../src/engine/duckdb/bound-plan.js'
import type { BoundTable } from '../../src/engine/engine.js'
import { parseJson, toJsonText } from '../../src/iceberg/json.js'
import { renderPlan } from '../../src/sql/bound/render.js'
import { targetNames, targets } from '../../src/sql/bound/target.js'
import { NotPortable } from '../../src/sql/bound/tree.js'
import { fieldsOf, withTables } from '../foreign/gold/compare.js'
import { repository } from '../support/project.js'

/*
 * Each folder of bound-plans/ is a query, the plan that DuckDB's binder makes of it, and the SQL
 * that is made of that for each engine, or why there is none. A newer DuckDB whose plans have
 * another form is told here. `UPDATE_GOLDEN=1 npx vitest run test/golden/bound-plans.test.ts` puts
 * the real ones in: read them before you commit them.
 */

const cases = join(repository, 'test/golden/bound-plans')

const tables: readonly BoundTable[] = [
  {
    schema: 'silver',
    name: 'orders',
    fields: [
      { name: 'id', type: { kind: 'bigint' } },
      { name: 'customer', type: { kind: 'int' } },
      { name: 'day', type: { kind: 'date' } },
      { name: 'placed', type: { kind: 'timestamp' } },
      { name: 'amount', type: { kind: 'decimal', precision: 12, scale: 2 } },
      { name: 'status', type: { kind: 'string' } },
      { name: 'weight', type: { kind: 'double' } },
    ],
  },
  {
    schema: 'silver',
    name: 'customers',
    fields: [
      { name: 'id', type: { kind: 'int' } },
      { name: 'name', type: { kind: 'string' } },
    ],
  },
]

/** A golden text; it is written where that is asked for. */
function isGolden(name: string, file: string, text: string): void {
  const path = join(cases, name, file)
  if (process.env.UPDATE_GOLDEN) writeFileSync(path, text)
  expect(text).toBe(readFileSync(path, 'utf8'))
}

describe('the bound plan of a query', () => {
  const names = readdirSync(cases)

  it('is known for each kind of operator', () => {
    expect(names.length).toBeGreaterThanOrEqual(12)
  })

  it.each(names)('%s', async (name) => {
    const sql = readFileSync(join(cases, name, 'query.sql'), 'utf8').trim()
    const plan = await boundPlan(sql, tables)
    isGolden(name, 'plan.txt', `${toJsonText(plan)}\n`)
    const empty = tables.map((table) => ({ ...table, rows: [] }))
    const columns = await withTables(empty, (connection) => fieldsOf(connection, sql))
    const given = columns.map((column) => column.name)
    for (const target of targetNames) {
      const { quote } = targets[target]
      const table = (schema: string, of: string) => `${quote(schema)}.${quote(of)}`
      isGolden(name, `${target}.sql`, `${rendered()}\n`)

      function rendered(): string {
        try {
          return renderPlan(plan, { target, columns, given, table })
        } catch (error) {
          if (!(error instanceof NotPortable)) throw error
          const at = error.at === undefined ? '' : sql.slice(error.at).split('\n')[0]
          return `-- ${error.message}\n-- ${error.hint}\n-- at: ${at || error.near || 'the query'}`
        }
      }
    }
  })

  it('is read with all digits of its numbers', () => {
    const [number] = parseJson('[9007199254740993]') as [bigint]
    expect(number).toBe(9007199254740993n)
  })
})
